"""Everything that can go wrong, as one tree.

``ScaiVaultError``
    ``ConfigurationError``, ``SignatureError``: nothing was sent, or nothing is believed
    ``TransportError``: no answer (``ConnectError``, ``RequestTimeout``), or not one of ScaiVault
    ``APIError``: the server refused; the subclass follows the code, an unknown code its status

No exception holds a secret value, a token or a request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ScaiVaultError(Exception):
    """The root of the tree."""


class ConfigurationError(ScaiVaultError):
    """The client was set up, or called, in a way that cannot work. Nothing was sent."""


class SignatureError(ScaiVaultError):
    """A delivery that claims to come from ScaiVault is not signed with a known secret."""


class TransportError(ScaiVaultError):
    """No answer of ScaiVault arrived; a change may still have been made."""


class ConnectError(TransportError):
    """There is no connection, or it broke."""


class RequestTimeout(TransportError):
    """The answer did not come in time."""


class APIError(ScaiVaultError):
    """The server refused.

    ``code`` is stable, to branch on; ``message`` is for people; ``details`` depends on the code;
    ``request_id`` finds the request in the audit log. ``retry_after``: seconds, where told.
    """

    retry_after: float | None

    def __init__(
        self,
        message: str,
        *,
        code: str,
        status: int,
        details: Mapping[str, Any] | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.message = message
        self.details = dict(details or {})
        self.request_id = request_id
        self.retry_after = retry_after

    def __str__(self) -> str:
        named = f" (request {self.request_id})" if self.request_id else ""
        return f"{self.code}: {self.message}{named}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), self.message, self.__dict__)


def _rebuilt(cls: type[APIError], message: str, state: dict[str, Any]) -> APIError:
    """Unpickled, as process pools do it."""
    error = cls(message, code=state["code"], status=state["status"])
    error.__dict__.update(state)
    return error


class AuthenticationError(APIError):
    """401: who is calling is not known."""


class TokenExpiredError(AuthenticationError):
    """The token's time is over."""


class TokenInvalidError(AuthenticationError):
    """The token cannot be verified."""


class TokenRevokedError(AuthenticationError):
    """The token was revoked, or its identity is gone."""


class PermissionDeniedError(APIError):
    """403: who is calling may not."""


class AccessDeniedError(PermissionDeniedError):
    """No policy rule allows it."""


class InsufficientScopeError(PermissionDeniedError):
    """The token lacks a scope."""

    @property
    def required_scope(self) -> str | None:
        """The scope that the call needs."""
        return self.details.get("required_scope")


class MfaRequiredError(PermissionDeniedError):
    """A fresh second factor is wanted."""


class IpNotAllowedError(PermissionDeniedError):
    """The caller's address is outside the allowed ranges."""


class TimeWindowError(PermissionDeniedError):
    """Outside the hours of the rule."""


class TenantAccessError(PermissionDeniedError):
    """The tenant is not the caller's."""


class NotFoundError(APIError):
    """404: there is no such thing here."""


class ConflictError(APIError):
    """409: the state of the thing forbids it."""


class VersionConflictError(ConflictError):
    """Somebody else wrote in between."""

    @property
    def current_version(self) -> int | None:
        """The version that is current now; None when there is none."""
        return self.details.get("current_version")


class SecretExistsError(ConflictError):
    """The path was deleted and can still be restored."""

    @property
    def recoverable_until(self) -> str | None:
        """Until when a restore works (RFC 3339), where told."""
        return self.details.get("recoverable_until")


class AlreadyExistsError(ConflictError):
    """The name is taken."""


class InUseError(ConflictError):
    """Something else still depends on it."""


class PolicyInUseError(InUseError):
    """The policy is still bound to identities."""


class InvalidStateError(ConflictError):
    """Not in this state."""


class ReadOnlyError(ConflictError):
    """The path belongs to a backend that is not written to."""


class IdempotencyConflictError(ConflictError):
    """The idempotency key was used for another request, or that one is still running."""


class SecretExpiredError(APIError):
    """410: the secret's time is over."""


class PayloadTooLargeError(APIError):
    """413: too large."""


class ValidationError(APIError):
    """400, 422: the request, or a field of it, is at fault."""

    @property
    def fields(self) -> dict[str, str]:
        """Field path -> what is wrong with it."""
        found = self.details.get("fields")
        return dict(found) if isinstance(found, Mapping) else {}


class RateLimitError(APIError):
    """429: too many calls."""

    retry_after: float

    @property
    def category(self) -> str | None:
        """The bucket that is empty."""
        return self.details.get("category")

    @property
    def limit(self) -> int | None:
        """Calls a minute in that bucket."""
        return self.details.get("limit")


class InternalServerError(APIError):
    """500: a fault of the server."""


class UpstreamError(APIError):
    """502: a system behind the server failed."""


class ServiceUnavailableError(APIError):
    """503: not now."""


class SealedError(ServiceUnavailableError):
    """The vault is sealed, or was never initialised."""


_BY_STATUS: dict[int, type[APIError]] = {
    400: ValidationError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    410: SecretExpiredError,
    413: PayloadTooLargeError,
    422: ValidationError,
    429: RateLimitError,
    500: InternalServerError,
    502: UpstreamError,
    503: ServiceUnavailableError,
}

_BY_CODE: dict[str, type[APIError]] = {
    "token_expired": TokenExpiredError,
    "token_invalid": TokenInvalidError,
    "token_revoked": TokenRevokedError,
    "access_denied": AccessDeniedError,
    "insufficient_scope": InsufficientScopeError,
    "mfa_required": MfaRequiredError,
    "ip_not_allowed": IpNotAllowedError,
    "time_window_violation": TimeWindowError,
    "tenant_access_denied": TenantAccessError,
    "version_conflict": VersionConflictError,
    "secret_exists": SecretExistsError,
    "already_exists": AlreadyExistsError,
    "in_use": InUseError,
    "policy_in_use": PolicyInUseError,
    "invalid_state": InvalidStateError,
    "federated_read_only": ReadOnlyError,
    "idempotency_conflict": IdempotencyConflictError,
    "sealed": SealedError,
    "not_initialized": SealedError,
}

# Seconds to wait after a 429 that does not say how long: the server's smallest Retry-After.
_DEFAULT_RETRY_AFTER = 1.0


def refusal(
    status: int,
    code: str,
    message: str,
    *,
    details: Mapping[str, Any] | None = None,
    request_id: str | None = None,
    retry_after: float | None = None,
) -> APIError:
    """The exception for an error answer: by code, else by status."""
    cls = _BY_CODE.get(code) or _BY_STATUS.get(status, APIError)
    if retry_after is None and issubclass(cls, RateLimitError):
        retry_after = _DEFAULT_RETRY_AFTER
    return cls(
        message,
        code=code,
        status=status,
        details=details,
        request_id=request_id,
        retry_after=retry_after,
    )
