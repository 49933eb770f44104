-- A sealed value too large to stand in the row of its version. That table is in the order of its
-- keys, and each comparison with a row that does not fit its page reads all of the row: to write
-- 500 KB where ten such versions were took 60 ms, and what was written meanwhile waited.
CREATE TABLE secret_large (id INTEGER PRIMARY KEY, value BLOB NOT NULL) STRICT;

-- Where the value is; then `value` is empty. Rows of older programs stay as they are.
ALTER TABLE secret_version ADD COLUMN large INTEGER;

-- Whichever way a version goes.
CREATE TRIGGER secret_version_large AFTER DELETE ON secret_version WHEN old.large IS NOT NULL
BEGIN DELETE FROM secret_large WHERE id = old.large; END;
