"""Partners and tenants as an administrator sees and keeps them. What a tenant is to every other
room (its key, its end, on whose behalf a request acts) is ``scaivault.tenancy``."""
