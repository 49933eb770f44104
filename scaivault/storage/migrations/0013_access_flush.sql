-- How far a flush got that is not over: up to this secret, `secret_access` counts the reads of the
-- ledger's rows up to `seq`; of the secrets behind it, in the order of their keys, those up to
-- `projection.seq`, as ever. One row at most.
CREATE TABLE secret_access_flush (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    seq INTEGER NOT NULL, owner_id TEXT NOT NULL, path TEXT NOT NULL
) STRICT;
