-- What outside directories told. `issuer` is the name of a configured one.

-- Which record stands for what the directory calls external_id. E-mail addresses and names are
-- handed on to others, these ids are not. `members_as_of`: the instant of the newest whole list
-- of a group's members.
CREATE TABLE outside_link (
    issuer TEXT NOT NULL, tenant_id TEXT NOT NULL, kind TEXT NOT NULL, external_id TEXT NOT NULL,
    record_id TEXT NOT NULL UNIQUE, members_as_of INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (issuer, tenant_id, kind, external_id)
) STRICT, WITHOUT ROWID;

-- Who was missing in the last run.
CREATE TABLE outside_missing (
    record_id TEXT PRIMARY KEY, missed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Single memberships that were told, ended ones too: older news about them changes nothing.
CREATE TABLE outside_member (
    group_id TEXT NOT NULL, identity_id TEXT NOT NULL, as_of INTEGER NOT NULL,
    PRIMARY KEY (group_id, identity_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX outside_member_age ON outside_member (as_of);

-- When somebody or something ended that is not known yet: news come in any order.
CREATE TABLE outside_early (
    issuer TEXT NOT NULL, tenant_id TEXT NOT NULL, kind TEXT NOT NULL, external_id TEXT NOT NULL,
    as_of INTEGER NOT NULL,
    PRIMARY KEY (issuer, tenant_id, kind, external_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX outside_early_age ON outside_early (as_of);

-- Events that were taken, so that none is taken twice.
CREATE TABLE outside_event (
    id TEXT PRIMARY KEY, seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX outside_event_age ON outside_event (seen_at);

-- Runs over directories. `issuer`: the only one of the run, or NULL for all that lie in its range;
-- `skipped` is a JSON list, `error` a JSON object.
CREATE TABLE sync_run (
    id TEXT PRIMARY KEY, cause TEXT NOT NULL, issuer TEXT, partner_id TEXT, tenant_id TEXT,
    status TEXT NOT NULL, started_at INTEGER NOT NULL, completed_at INTEGER,
    created INTEGER NOT NULL, updated INTEGER NOT NULL, suspended INTEGER NOT NULL,
    skipped TEXT NOT NULL, error TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX sync_run_start ON sync_run (started_at);
CREATE INDEX sync_run_open ON sync_run (started_at) WHERE status = 'running';
