"""Trusts: which tokens of foreign issuers count for which service account, and whether a token that
is shown is genuine: by its issuer's keys, and by its cluster's word (Kubernetes TokenReview)."""
