-- What lists and jobs look for, taken out of versions and metadata. secret.secret_type: that of the
-- current version. secret.notice_at: the next instant at which a coming or passed expiry is to be
-- announced; what lies before it was announced, or was past when the expiry was set.
ALTER TABLE secret ADD COLUMN secret_type TEXT NOT NULL DEFAULT 'kv';
ALTER TABLE secret ADD COLUMN notice_at INTEGER;

UPDATE secret SET secret_type = coalesce((
    SELECT v.secret_type FROM secret_version v WHERE v.owner_id = secret.owner_id
    AND v.path = secret.path AND v.version = secret.current_version
), 'kv');
UPDATE secret SET notice_at = updated_at WHERE expires_at IS NOT NULL;

-- The tags of all secrets, soft-deleted ones included.
CREATE TABLE secret_tag (
    owner_id TEXT NOT NULL, tag TEXT NOT NULL, path TEXT NOT NULL,
    PRIMARY KEY (owner_id, tag, path)
) STRICT, WITHOUT ROWID;
INSERT OR IGNORE INTO secret_tag (owner_id, tag, path)
    SELECT s.owner_id, j.value, s.path FROM secret s, json_each(s.metadata, '$.tags') j
    WHERE j.type = 'text';

-- deleted_at is in it although it is always NULL: only then a count needs no look at the table.
CREATE INDEX secret_listed ON secret (owner_id, path, expires_at, deleted_at)
    WHERE deleted_at IS NULL;
CREATE INDEX secret_expiry ON secret (owner_id, expires_at, path)
    WHERE expires_at IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX secret_notice ON secret (notice_at)
    WHERE notice_at IS NOT NULL AND deleted_at IS NULL
