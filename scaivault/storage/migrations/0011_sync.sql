-- What outside directories told.
SELECT 1;
