"""Users and service accounts: kept, found, given roles, credentials and second factors, and all of
it taken away."""
