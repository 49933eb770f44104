-- Second factors of local users: TOTP secrets, sealed under their tenant's key. One that is not
-- confirmed counts for nothing yet; `used` lists the last time steps whose code was taken, which is
-- never taken again. `quarantined_at`: it does not open.
CREATE TABLE totp (
    tenant_id TEXT NOT NULL REFERENCES tenant (id), id TEXT NOT NULL, user_id TEXT NOT NULL,
    created_at INTEGER NOT NULL, confirmed_at INTEGER, used TEXT NOT NULL, quarantined_at INTEGER,
    key_version INTEGER NOT NULL, dek BLOB NOT NULL, secret BLOB NOT NULL,
    PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX totp_user ON totp (tenant_id, user_id);

-- When a user last gave wrong codes: a list of instants, however many authenticators come and go.
CREATE TABLE totp_wrong (
    tenant_id TEXT NOT NULL, user_id TEXT NOT NULL, at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, user_id)
) STRICT, WITHOUT ROWID;

-- Lists of tokens, newest first: of a tenant, of an identity.
CREATE INDEX token_newest ON token (tenant_id, created_at, id);
DROP INDEX token_identity;
CREATE INDEX token_newest_of ON token (tenant_id, identity_id, created_at, id);
