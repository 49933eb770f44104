-- The row of a deleted group stays, so that its name is never given out again; parent_id lies in
-- the same tenant.
CREATE TABLE identity_group (
    tenant_id TEXT NOT NULL REFERENCES tenant (id), id TEXT NOT NULL UNIQUE,
    identity_id TEXT NOT NULL, display_name TEXT NOT NULL,
    parent_id TEXT REFERENCES identity_group (id),
    created_at INTEGER NOT NULL, deleted_at INTEGER,
    PRIMARY KEY (tenant_id, identity_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX identity_group_parent ON identity_group (parent_id) WHERE parent_id IS NOT NULL;

-- identity_id is canonical: a user whom only an outside issuer knows can be a member.
CREATE TABLE group_member (
    tenant_id TEXT NOT NULL, identity_id TEXT NOT NULL,
    group_id TEXT NOT NULL REFERENCES identity_group (id), added_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, identity_id, group_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX group_member_group ON group_member (group_id, identity_id);

-- Tokens are forgotten soon after they end; when their account was last seen is not.
ALTER TABLE service_account ADD COLUMN last_seen_at INTEGER;
UPDATE service_account SET last_seen_at = (SELECT max(last_used_at) FROM token
    WHERE token.tenant_id = service_account.tenant_id
    AND token.identity_id = service_account.identity_id);
