-- The index of the ledger: a projection that lags behind it ("audit_index" in projection), filled
-- for 4096 rows at a time. A segment holds rows number * 4096 + 1 to (number + 1) * 4096.
CREATE TABLE audit_segment (
    number INTEGER PRIMARY KEY, first_at TEXT NOT NULL, last_at TEXT NOT NULL,
    first_request TEXT NOT NULL, last_request TEXT NOT NULL
) STRICT;

-- Which rows of a segment say ``value`` of ``kind`` (audit/terms.py) among those that ``owner_id``
-- sees: a tenant, a partner, or '' for the vault. places: offsets in the segment.
CREATE TABLE audit_term (
    owner_id TEXT NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL, segment INTEGER NOT NULL,
    places BLOB NOT NULL,
    PRIMARY KEY (owner_id, kind, value, segment)
) STRICT, WITHOUT ROWID;

-- What each row of a segment says of a kind, of all owners. names: the values, a JSON list; codes:
-- for each row which of them (audit/columns.py).
CREATE TABLE audit_column (
    kind TEXT NOT NULL, segment INTEGER NOT NULL, names TEXT NOT NULL, codes BLOB NOT NULL,
    PRIMARY KEY (kind, segment)
) STRICT;

CREATE INDEX checkpoint_timestamp ON checkpoint (timestamp, seq)
