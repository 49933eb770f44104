"""Which error codes an endpoint may answer with: those of its checks, and those of its room."""

from __future__ import annotations

from typing import Final

from scaivault.errors import CODES
from scaivault.http.decode import shape
from scaivault.http.routes import Route

_ALWAYS: Final = (
    "invalid_request", "validation_error", "internal_error", "service_unavailable",
)  # fmt: skip
_TOKEN: Final = (
    "authentication_required", "token_expired", "token_invalid", "token_revoked", "rate_limited",
    "ip_not_allowed", "tenant_access_denied", "tenant_not_found", "forbidden",
)  # fmt: skip
_SECRET: Final = (
    "invalid_path", "access_denied", "mfa_required", "ip_not_allowed", "time_window_violation",
)  # fmt: skip
_LINKS: Final = ("rotation_policy_not_found", "secret_policy_not_found")
_MISSING: Final = ("secret_not_found", "version_not_found", "secret_expired")
_EXCHANGE: Final = (
    "token_expired", "token_revoked", "access_denied", "insufficient_scope", "forbidden",
    "ip_not_allowed", "invalid_duration", "invalid_glob", "upstream_error",
)  # fmt: skip
_TRUST: Final = (
    "already_exists", "invalid_state", "invalid_duration", "invalid_glob", "invalid_path",
    "access_denied",
)  # fmt: skip

# By room, or by verb where a verb has others than its room. A room without any stands here too:
# one that is missing is a defect, or a renamed one would lose its codes unseen.
OWN: Final[dict[str, tuple[str, ...]]] = {
    "lists.page": ("invalid_path", "invalid_secret_type", "invalid_cursor"),
    "lists.expiring": ("invalid_path", "invalid_cursor"),
    "batch.read": (*_SECRET, *_MISSING),
    "batch.metadata": ("invalid_glob",),
    "facts.metadata": (*_SECRET, "secret_not_found"),
    "facts.versions": (*_SECRET, "secret_not_found"),
    "secrets.read": (*_SECRET, *_MISSING),
    "secrets.restore": (*_SECRET, "secret_not_found"),
    "secrets.write": (
        *_SECRET, "invalid_secret_type", "invalid_duration", "secret_exists", "version_conflict",
        *_LINKS,
    ),
    "secrets.patch": (
        *_SECRET, "secret_not_found", "invalid_duration", "version_conflict", *_LINKS,
    ),
    "secrets.rotate": (
        *_SECRET, "secret_not_found", "secret_expired", "invalid_duration", "version_conflict",
    ),
    "secrets.delete": (
        *_SECRET, "secret_not_found", "version_not_found", "version_conflict", "invalid_state",
    ),
    "policies.page": ("invalid_cursor",),
    "policies.get": ("policy_not_found",),
    "policies.create": ("invalid_policy", "invalid_glob", "already_exists"),
    "policies": ("policy_not_found", "invalid_policy", "invalid_glob", "already_exists"),
    "policies.delete": ("policy_not_found", "policy_in_use"),
    "bindings.page": ("policy_not_found", "invalid_cursor"),
    "bindings.create": (
        "policy_not_found", "identity_not_found", "invalid_policy", "already_exists",
    ),
    "bindings.delete": ("policy_not_found", "binding_not_found"),
    "rights.test": ("invalid_path", "access_denied"),
    "rights.who_can": ("invalid_path", "invalid_cursor", "access_denied"),
    "rights.effective": ("insufficient_scope",),
    "tokens": ("token_not_found",),
    "tokens.whoami": (),
    "tokens.introspect": (),
    "tokens.page": ("identity_not_found", "insufficient_scope", "invalid_cursor"),
    "minting": (
        "identity_not_found", "invalid_duration", "invalid_glob", "invalid_state",
    ),
    "mfa": ("mfa_required",),
    "mfa.reset": ("mfa_required", "identity_not_found"),
    "grants.grant": ("token_invalid", *_EXCHANGE),
    "exchange": ("token_invalid", *_EXCHANGE),
    "trusts.page": ("invalid_cursor",),
    "trusts.get": ("trust_not_found",),
    "trusts.create": ("identity_not_found", *_TRUST),
    "trusts.change": ("trust_not_found", "identity_not_found", *_TRUST),
    "trusts.delete": ("trust_not_found",),
    "accounts": ("identity_not_found", "already_exists", "invalid_state"),
    "credentials": (
        "identity_not_found", "credential_not_found", "invalid_duration", "invalid_state",
    ),
    "roles.of_user": ("identity_not_found", "insufficient_scope"),
    "roles.of_account": ("identity_not_found", "insufficient_scope"),
    "roles.set_of_user": ("identity_not_found", "invalid_role", "invalid_state"),
    "roles.set_of_account": ("identity_not_found", "invalid_role", "invalid_state"),
    "users": ("identity_not_found", "already_exists", "invalid_state"),
    "revoking": ("identity_not_found",),
    "groups": ("identity_not_found", "already_exists"),
    "members": ("identity_not_found", "already_exists"),
    "directory": ("identity_not_found",),
    "receiver": ("token_invalid",),
    "sync.start": ("tenant_not_found", "partner_not_found"),
    "sync.history": (),
    "partners.page": (),
    "partners.create": ("already_exists",),
    "partners.change": ("partner_not_found", "invalid_state"),
    "partners.delete": ("partner_not_found", "in_use"),
    "partners": ("partner_not_found",),
    "tenants.page": ("partner_not_found",),
    "tenants.create": ("partner_not_found", "already_exists", "invalid_state"),
    "tenants.change": ("invalid_state",),
    "tenants.delete": ("invalid_state",),
    "tenants": (),
    "audit": ("invalid_cursor",),
    "exports.create": (*_SECRET, "forbidden"),
    "exports.page": ("invalid_cursor",),
    "exports.get": ("export_not_found",),
    "retention.get": (),
    "retention.replace": ("invalid_duration",),
    "trails.logs": ("invalid_cursor", "invalid_path"),
    "trails.secret": ("invalid_cursor", "invalid_path", "access_denied"),
    "trails.identity": ("invalid_cursor", "invalid_path"),
    "trails.summary": (),
    "system": ("forbidden", "invalid_state", "invalid_duration", "unseal_failed"),
    "system.seal_status": (),
    "system.seal": (),
    "slots": ("slot_not_found", "invalid_state", "unseal_failed", "upstream_error"),
    "root_key": ("slot_not_found", "invalid_state", "unseal_failed", "upstream_error"),
    "keys": ("tenant_not_found", "partner_not_found", "invalid_state"),
    "jobs": (),
    "health": (),
    "published": (),
    "metrics": (),
}  # fmt: skip


def codes(route: Route) -> dict[int, list[str]]:
    """Status -> codes, both in order."""
    made = shape(route.request)
    found = {*_ALWAYS, *(OWN[route.verb] if route.verb in OWN else OWN[route.room])}
    if not route.open:
        found |= {*_TOKEN, *(("insufficient_scope",) if route.scopes else ())}
    if route.category is not None:
        found.add("rate_limited")
    if made.body is not None:
        found.add("payload_too_large")
    if not route.sealed:
        found |= {"sealed", "not_initialized"}
    if route.method in ("POST", "PUT") and not route.open:
        found.add("idempotency_conflict")
    grouped: dict[int, list[str]] = {}
    for code in sorted(found, key=lambda one: (CODES[one], one)):
        grouped.setdefault(CODES[code], []).append(code)
    return grouped
