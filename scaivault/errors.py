"""Everything that is refused: one exception, and the closed table of its codes.

A room raises ``Refusal("secret_not_found", "nothing is stored at this path", path=...)``;
the HTTP edge turns it into the error envelope. A code that is not in ``CODES`` does not exist.
Messages and details never hold a secret value, a token or inner names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

# Fields at fault that a message tells; the details hold all.
_TOLD: Final = 3
# Our own and cut ones; and JWTs of any issuer, whose header begins with {" in base64url.
_TOKEN: Final = re.compile(r"(?<!\w)(?:sk[ts]_[0-9A-Za-z]{12,}|eyJ[\w-]{12,})[\w.-]*", re.ASCII)

# code -> HTTP status
CODES: Final[dict[str, int]] = {
    # 400: the request cannot be understood
    "invalid_request": 400,
    "invalid_path": 400,
    "invalid_secret_type": 400,
    "invalid_duration": 400,
    "invalid_cursor": 400,
    "invalid_policy": 400,
    "invalid_glob": 400,
    "invalid_role": 400,
    "invalid_config": 400,
    # 401: who is calling is not known
    "authentication_required": 401,
    "token_expired": 401,
    "token_invalid": 401,
    "token_revoked": 401,
    "unseal_failed": 401,
    # 403: who is calling may not
    "access_denied": 403,
    "insufficient_scope": 403,
    "mfa_required": 403,
    "ip_not_allowed": 403,
    "time_window_violation": 403,
    "tenant_access_denied": 403,
    "forbidden": 403,
    # 404: there is no such thing here
    "not_found": 404,
    "secret_not_found": 404,
    "version_not_found": 404,
    "tenant_not_found": 404,
    "identity_not_found": 404,
    "policy_not_found": 404,
    "binding_not_found": 404,
    "rotation_policy_not_found": 404,
    "secret_policy_not_found": 404,
    "webhook_not_found": 404,
    "subscription_not_found": 404,
    "ca_not_found": 404,
    "certificate_not_found": 404,
    "csr_not_found": 404,
    "trust_anchor_not_found": 404,
    "acme_account_not_found": 404,
    "acme_order_not_found": 404,
    "dns_provider_not_found": 404,
    "engine_not_found": 404,
    "role_not_found": 404,
    "lease_not_found": 404,
    "backend_not_found": 404,
    "delivery_not_found": 404,
    "export_not_found": 404,
    "partner_not_found": 404,
    "token_not_found": 404,
    "trust_not_found": 404,
    "credential_not_found": 404,
    "slot_not_found": 404,
    "backup_not_found": 404,
    "method_not_allowed": 405,
    # 409 and 410: the state of the thing forbids it
    "secret_exists": 409,
    "version_conflict": 409,
    "policy_in_use": 409,
    "already_exists": 409,
    "in_use": 409,
    "invalid_state": 409,
    "federated_read_only": 409,
    "idempotency_conflict": 409,
    "secret_expired": 410,
    # 413 and 422: too large, or a field is at fault
    "payload_too_large": 413,
    "validation_error": 422,
    "rate_limited": 429,
    # 5xx: not the caller's fault
    "internal_error": 500,
    "upstream_error": 502,
    "service_unavailable": 503,
    "sealed": 503,
    "not_initialized": 503,
}


class Refusal(Exception):
    """A request is refused. Nothing was changed.

    ``code`` is stable and from ``CODES``; ``message`` is for people and names the remedy;
    ``details`` holds only what the code's row in the contract lists.
    """

    def __init__(self, code: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.code: Final = code
        self.status: Final = CODES[code]
        self.message: Final = message
        self.details: Final = details
        self.recorded = False  # the ledger knows of it
        self.notes: dict[str, object] = {}  # for its ledger row alone
        self.grant_error: str | None = None  # of RFC 6749, where that is not told by the code

    def __repr__(self) -> str:
        return f"Refusal({self.code!r}, {self.message!r})"


def without_tokens(text: str) -> str:
    """``text`` of somebody who may have put a token or a client secret in a wrong place, with
    ``<secret>`` for what looks like one or like the beginning of one."""
    return _TOKEN.sub("<secret>", text)


def invalid(**fields: str) -> Refusal:
    """422 for one or several fields; keyword = field path with ``__`` for the dot."""
    return faults({name.replace("__", "."): fault for name, fault in fields.items()})


def check_fields(fields: Mapping[str, str | None]) -> None:
    """422 for all fields that have a fault; a field without one is None."""
    found = {name: fault for name, fault in fields.items() if fault is not None}
    if found:
        raise faults(found)


def faults(fields: dict[str, str]) -> Refusal:
    """422 that names every field at fault: field path -> what is wrong with it.

    The message tells the first few: it is all that a log, a traceback or a terminal shows.
    """
    told = [f"{name}: {fault}" for name, fault in islice(fields.items(), _TOLD)]
    if len(fields) > _TOLD:
        told.append(f"{len(fields) - _TOLD} more in details.fields")
    return Refusal("validation_error", "; ".join(told), fields=fields)
