-- Instants are microseconds since 1970 (UTC). owner_id is a tenant (tnt_) or a partner (ptn_).
-- A sealed field is three columns: the version of the key that wraps its data key, the wrapped
-- data key, and the ciphertext.

CREATE TABLE meta (
    name TEXT PRIMARY KEY, value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- kind: system | partner | tenant. parent_version: version of the wrapping key one step up.
CREATE TABLE wrapped_key (
    kind TEXT NOT NULL, owner_id TEXT NOT NULL, version INTEGER NOT NULL,
    parent_version INTEGER NOT NULL, box BLOB NOT NULL, created_at INTEGER NOT NULL,
    PRIMARY KEY (kind, owner_id, version, parent_version)
) STRICT, WITHOUT ROWID;

-- What vault.seal does not say of its slots.
CREATE TABLE slot_state (
    id TEXT PRIMARY KEY, created_by TEXT, last_used_at INTEGER, last_verified_at INTEGER,
    last_error TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE partner (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, slug TEXT NOT NULL UNIQUE, region TEXT,
    status TEXT NOT NULL, created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tenant (
    id TEXT PRIMARY KEY, partner_id TEXT NOT NULL REFERENCES partner (id),
    name TEXT NOT NULL, slug TEXT NOT NULL, status TEXT NOT NULL, created_at INTEGER NOT NULL,
    UNIQUE (partner_id, slug)
) STRICT, WITHOUT ROWID;

CREATE TABLE service_account (
    tenant_id TEXT NOT NULL REFERENCES tenant (id), id TEXT NOT NULL UNIQUE,
    identity_id TEXT NOT NULL, display_name TEXT NOT NULL, status TEXT NOT NULL,
    scopes TEXT NOT NULL, roles TEXT NOT NULL, created_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, identity_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE credential (
    tenant_id TEXT NOT NULL, id TEXT NOT NULL, account_id TEXT NOT NULL,
    name TEXT NOT NULL, hash BLOB NOT NULL, created_at INTEGER NOT NULL,
    expires_at INTEGER, last_used_at INTEGER,
    PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX credential_account ON credential (account_id, id);

-- Personal access tokens carry a hash; issued JWTs a row until they end, so that a revocation
-- is exact.
CREATE TABLE token (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, tenant_id TEXT NOT NULL, identity_id TEXT NOT NULL,
    name TEXT NOT NULL, hash BLOB UNIQUE, scopes TEXT NOT NULL, credential_id TEXT,
    created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
    last_used_at INTEGER, revoked_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX token_identity ON token (tenant_id, identity_id, id);
CREATE INDEX token_expiry ON token (expires_at);

CREATE TABLE signing_key (
    id TEXT PRIMARY KEY, purpose TEXT NOT NULL, public_key TEXT NOT NULL,
    created_at INTEGER NOT NULL, retired_at INTEGER,
    key_version INTEGER NOT NULL, dek BLOB NOT NULL, private_key BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE secret (
    owner_id TEXT NOT NULL, path TEXT NOT NULL,
    current_version INTEGER NOT NULL, last_version INTEGER NOT NULL,
    metadata TEXT NOT NULL, max_versions INTEGER NOT NULL, notify_before TEXT NOT NULL,
    created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
    expires_at INTEGER, deleted_at INTEGER,
    rotation_policy_id TEXT, secret_policy_id TEXT,
    PRIMARY KEY (owner_id, path)
) STRICT, WITHOUT ROWID;
CREATE INDEX secret_deleted ON secret (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE secret_version (
    owner_id TEXT NOT NULL, path TEXT NOT NULL, version INTEGER NOT NULL,
    secret_type TEXT NOT NULL, created_at INTEGER NOT NULL, created_by TEXT NOT NULL,
    readable_until INTEGER, quarantined_at INTEGER,
    key_version INTEGER NOT NULL, dek BLOB NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (owner_id, path, version)
) STRICT, WITHOUT ROWID;

CREATE INDEX secret_version_quarantined ON secret_version (quarantined_at)
    WHERE quarantined_at IS NOT NULL;

-- What the ledger tells about reads, summed per day: a projection, rebuilt from the ledger
-- behind projection.seq after a crash.
CREATE TABLE secret_access (
    owner_id TEXT NOT NULL, path TEXT NOT NULL, day INTEGER NOT NULL,
    reads INTEGER NOT NULL, last_at INTEGER NOT NULL,
    PRIMARY KEY (owner_id, path, day)
) STRICT, WITHOUT ROWID;
CREATE INDEX secret_access_day ON secret_access (day);

CREATE TABLE projection (
    name TEXT PRIMARY KEY, seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE ledger (
    seq INTEGER PRIMARY KEY, hash BLOB NOT NULL, record TEXT NOT NULL
) STRICT;

CREATE TABLE checkpoint (
    seq INTEGER PRIMARY KEY, hash BLOB NOT NULL, timestamp TEXT NOT NULL,
    prev_seq INTEGER NOT NULL, key_id TEXT NOT NULL, signature TEXT NOT NULL
) STRICT;

CREATE TABLE outbox (
    event_id TEXT PRIMARY KEY, tenant_id TEXT, partner_id TEXT, event_type TEXT NOT NULL,
    path TEXT, created_at INTEGER NOT NULL, payload TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Answers kept for Idempotency-Key; id is a keyed hash of identity, tenant, method, path and key.
CREATE TABLE kept_answer (
    id BLOB PRIMARY KEY, body_hash BLOB NOT NULL, expires_at INTEGER NOT NULL,
    key_version INTEGER NOT NULL, dek BLOB NOT NULL, answer BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX kept_answer_expiry ON kept_answer (expires_at);

CREATE TABLE job (
    name TEXT PRIMARY KEY, last_run_at INTEGER, next_run_at INTEGER, last_status TEXT
) STRICT, WITHOUT ROWID
