-- Whom tokens of foreign issuers may be exchanged for.
SELECT 1;
