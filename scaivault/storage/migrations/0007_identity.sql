-- Users, and what of identities an outside issuer keeps. `issuer` is 'local' or the name of a
-- configured one; `external_id` is the id that the issuer gave; `as_of` is the instant of the
-- newest fact that the issuer told, so that older news changes nothing.

ALTER TABLE partner ADD COLUMN issuer TEXT NOT NULL DEFAULT 'local';
ALTER TABLE partner ADD COLUMN last_synced_at INTEGER;
ALTER TABLE partner ADD COLUMN as_of INTEGER;

-- deleted_at: its key is destroyed when the time for a second thought is over.
ALTER TABLE tenant ADD COLUMN issuer TEXT NOT NULL DEFAULT 'local';
ALTER TABLE tenant ADD COLUMN last_synced_at INTEGER;
ALTER TABLE tenant ADD COLUMN as_of INTEGER;
ALTER TABLE tenant ADD COLUMN deleted_at INTEGER;

-- revoked_before: tokens issued up to this instant no longer count.
CREATE TABLE user (
    tenant_id TEXT NOT NULL REFERENCES tenant (id), id TEXT NOT NULL UNIQUE,
    identity_id TEXT NOT NULL, email TEXT, display_name TEXT NOT NULL, status TEXT NOT NULL,
    roles TEXT NOT NULL, created_at INTEGER NOT NULL,
    issuer TEXT NOT NULL DEFAULT 'local', revoked_before INTEGER,
    mfa_enabled INTEGER NOT NULL DEFAULT 0,
    last_seen_at INTEGER, last_synced_at INTEGER, as_of INTEGER, external_id TEXT,
    PRIMARY KEY (tenant_id, identity_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX user_external ON user (issuer, external_id) WHERE external_id IS NOT NULL;

ALTER TABLE service_account ADD COLUMN issuer TEXT NOT NULL DEFAULT 'local';
ALTER TABLE service_account ADD COLUMN revoked_before INTEGER;

ALTER TABLE identity_group ADD COLUMN issuer TEXT NOT NULL DEFAULT 'local';
ALTER TABLE identity_group ADD COLUMN last_synced_at INTEGER;
ALTER TABLE identity_group ADD COLUMN as_of INTEGER;
ALTER TABLE identity_group ADD COLUMN external_id TEXT;
CREATE INDEX identity_group_external ON identity_group (issuer, external_id)
    WHERE external_id IS NOT NULL;

-- allowed_paths: lists of globs, of each of which a path must match one; ip_ranges: CIDR ranges.
-- parent_id: a token that this one ends with, and is revoked with.
ALTER TABLE token ADD COLUMN allowed_paths TEXT NOT NULL DEFAULT '[]';
ALTER TABLE token ADD COLUMN ip_ranges TEXT NOT NULL DEFAULT '[]';
ALTER TABLE token ADD COLUMN parent_id TEXT;
ALTER TABLE token ADD COLUMN trust_id TEXT;
ALTER TABLE token ADD COLUMN mfa_verified_at INTEGER;
CREATE INDEX token_parent ON token (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX token_trust ON token (trust_id) WHERE trust_id IS NOT NULL;

-- notice_at: the next instant at which a coming end is to be announced (7 days and 1 day before it);
-- what lies before it was announced, or was past when the token or client secret was made.
ALTER TABLE token ADD COLUMN notice_at INTEGER;
ALTER TABLE credential ADD COLUMN notice_at INTEGER;
UPDATE token SET notice_at = CASE
    WHEN expires_at - 604800000000 > created_at THEN expires_at - 604800000000
    WHEN expires_at - 86400000000 > created_at THEN expires_at - 86400000000
END WHERE kind = 'personal_access_token';
UPDATE credential SET notice_at = CASE
    WHEN expires_at - 604800000000 > created_at THEN expires_at - 604800000000
    WHEN expires_at - 86400000000 > created_at THEN expires_at - 86400000000
END;
CREATE INDEX token_notice ON token (notice_at) WHERE notice_at IS NOT NULL AND revoked_at IS NULL;
CREATE INDEX credential_notice ON credential (notice_at) WHERE notice_at IS NOT NULL;
