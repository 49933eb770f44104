"""What the API is about: the headings under which endpoints are described to its callers."""

from __future__ import annotations

from typing import Final

# Name -> what it is about, and the paths that begin so. A longer beginning is the nearer one.
TOPICS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "secrets": (
        "Values with their versions and metadata, one by one or many at once.",
        ("/v1/secrets",),
    ),
    "partner secrets": (
        "The same for secrets of a partner, which every tenant of its may read.",
        ("/v1/partner/secrets",),
    ),
    "policies": ("Who may do what on which paths, and why.", ("/v1/policies",)),
    "audit": (
        "What was done, by whom: queries, exports, retention, proof that nothing was altered.",
        ("/v1/audit",),
    ),
    "identity": (
        "Partners and tenants; users and service accounts with their credentials and roles; groups"
        " with their members; what outside issuers keep of all that.",
        ("/v1/identity",),
    ),
    "tokens": ("Getting, examining and revoking tokens.", ("/v1/auth", "/oauth", "/.well-known")),
    "system": ("Setting up, unsealing, sealing, keys and jobs.", ("/v1/system",)),
    "health": (
        "Whether the server runs and serves, its version, its metrics and this description.",
        ("/v1/health", "/v1/version", "/v1/openapi.json", "/v1/metrics"),
    ),
}


def topic(path: str) -> str:
    """The name of the topic of a route; ``LookupError`` where none is meant for it."""
    near = [
        (len(start), name)
        for name, (_, starts) in TOPICS.items()
        for start in starts
        if path == start or path.startswith(start + "/")
    ]
    if not near:
        raise LookupError(f"{path} belongs to no topic")
    return max(near)[1]
