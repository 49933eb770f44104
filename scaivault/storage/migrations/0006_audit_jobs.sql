-- Exports of the audit log. request: what was asked for; creator: whose right is looked at again
-- when the job runs; manifest: of a completed one. All three JSON. last_seq: the head at the
-- request; first_seq: where the range begins. tries: how many
-- failed so far.
CREATE TABLE export_job (
    owner_id TEXT NOT NULL, id TEXT NOT NULL, status TEXT NOT NULL,
    request TEXT NOT NULL, creator TEXT NOT NULL,
    first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, estimated INTEGER NOT NULL,
    records INTEGER, tries INTEGER NOT NULL, next_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL, started_at INTEGER, completed_at INTEGER,
    error TEXT, manifest TEXT,
    PRIMARY KEY (owner_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX export_job_open ON export_job (next_at) WHERE status IN ('pending', 'running');

-- How long a tenant's rows are kept, as it was sent; pending: from pending_from on.
CREATE TABLE audit_retention (
    tenant_id TEXT PRIMARY KEY, retention TEXT NOT NULL,
    pending TEXT, pending_from INTEGER
) STRICT, WITHOUT ROWID;

-- How far rows were looked through for pruning: by tenant with a retention of its own, '*' for all
-- others, '' for rows of no tenant.
CREATE TABLE audit_pruned (
    owner TEXT PRIMARY KEY, seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID
