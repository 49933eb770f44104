-- Access policies and whom they are bound to. owner_id: the tenant of a policy, or the partner
-- that keeps it. rules is the JSON list as it was sent.
CREATE TABLE policy (
    owner_id TEXT NOT NULL, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
    description TEXT NOT NULL, rules TEXT NOT NULL, is_active INTEGER NOT NULL,
    created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, created_by TEXT NOT NULL,
    PRIMARY KEY (owner_id, id),
    UNIQUE (owner_id, name)
) STRICT, WITHOUT ROWID;

-- tenant_id: the tenant of the identity, and of the rights that it gets.
CREATE TABLE binding (
    owner_id TEXT NOT NULL, policy_id TEXT NOT NULL, id TEXT NOT NULL UNIQUE,
    tenant_id TEXT NOT NULL, identity_type TEXT NOT NULL, identity_id TEXT NOT NULL,
    expires_at INTEGER, created_at INTEGER NOT NULL, created_by TEXT NOT NULL,
    PRIMARY KEY (owner_id, policy_id, id),
    UNIQUE (policy_id, tenant_id, identity_id),
    FOREIGN KEY (owner_id, policy_id) REFERENCES policy (owner_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX binding_identity ON binding (tenant_id, identity_id);
CREATE INDEX binding_expiry ON binding (expires_at) WHERE expires_at IS NOT NULL
