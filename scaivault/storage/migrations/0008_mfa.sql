-- Second factors of local users.
SELECT 1;
