-- Tokens of outside issuers that were ended before their time. They have no row in `token`: `id`
-- is derived from the issuer and the token's own id (or what was signed, if it has none).
CREATE TABLE foreign_revoked (
    id TEXT PRIMARY KEY, expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX foreign_revoked_end ON foreign_revoked (expires_at);

-- Whom an issuer meant by an identity when it first named it: e-mail addresses are handed on to
-- other people, subjects are not. `iss`: as in the token.
CREATE TABLE foreign_subject (
    tenant_id TEXT NOT NULL, identity_id TEXT NOT NULL,
    iss TEXT NOT NULL, subject TEXT NOT NULL,
    PRIMARY KEY (tenant_id, identity_id, iss)
) STRICT, WITHOUT ROWID;
