-- Whom tokens of foreign issuers may be exchanged for. Lists and objects are JSON. `jwks`: a key set
-- given with the trust; `single_use` NULL: as the life of the token says; `max_ttl`: as it was sent.
CREATE TABLE trust (
    tenant_id TEXT NOT NULL REFERENCES tenant (id), id TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
    issuer TEXT NOT NULL, jwks_url TEXT, jwks TEXT, algorithms TEXT NOT NULL,
    audience TEXT NOT NULL, subject TEXT NOT NULL, claims_equal TEXT NOT NULL,
    identity_id TEXT NOT NULL, max_scopes TEXT NOT NULL, max_ttl TEXT NOT NULL,
    allowed_paths TEXT NOT NULL, single_use INTEGER, token_review TEXT,
    is_active INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
    last_used_at INTEGER,
    PRIMARY KEY (tenant_id, id), UNIQUE (tenant_id, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX trust_issuer ON trust (issuer) WHERE is_active = 1;
CREATE INDEX trust_identity ON trust (tenant_id, identity_id);

-- Foreign tokens that were exchanged and count once. `id`: derived from the token's issuer and id.
CREATE TABLE trust_spent (
    tenant_id TEXT NOT NULL REFERENCES tenant (id), id TEXT NOT NULL, expires_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX trust_spent_end ON trust_spent (expires_at);
