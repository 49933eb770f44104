"""Who is calling: tokens, the local issuer, users, service accounts, groups and their roles."""
