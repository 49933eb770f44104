"""The tree of errors, and objects of a server that is newer than the client."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from scaivault.errors import CODES
from scaivault_sdk import errors
from scaivault_sdk.errors import APIError, ScaiVaultError, TransportError, refusal
from scaivault_sdk.models.base import Model
from scaivault_sdk.models.secrets import Secret, SecretInfo, SecretType
from tests.support.clients import Clients, Script

SHOWN = {
    "token_expired": "TokenExpiredError",
    "token_invalid": "TokenInvalidError",
    "token_revoked": "TokenRevokedError",
    "authentication_required": "AuthenticationError",
    "access_denied": "AccessDeniedError",
    "insufficient_scope": "InsufficientScopeError",
    "mfa_required": "MfaRequiredError",
    "ip_not_allowed": "IpNotAllowedError",
    "time_window_violation": "TimeWindowError",
    "tenant_access_denied": "TenantAccessError",
    "forbidden": "PermissionDeniedError",
    "version_conflict": "VersionConflictError",
    "secret_exists": "SecretExistsError",
    "already_exists": "AlreadyExistsError",
    "in_use": "InUseError",
    "policy_in_use": "PolicyInUseError",
    "invalid_state": "InvalidStateError",
    "federated_read_only": "ReadOnlyError",
    "idempotency_conflict": "IdempotencyConflictError",
    "secret_expired": "SecretExpiredError",
    "payload_too_large": "PayloadTooLargeError",
    "validation_error": "ValidationError",
    "invalid_path": "ValidationError",
    "secret_not_found": "NotFoundError",
    "rate_limited": "RateLimitError",
    "internal_error": "InternalServerError",
    "upstream_error": "UpstreamError",
    "service_unavailable": "ServiceUnavailableError",
    "sealed": "SealedError",
}


@pytest.mark.parametrize("code", SHOWN)
def test_a_code_is_a_class(code: str) -> None:
    assert type(refusal(CODES[code], code, "no")).__name__ == SHOWN[code]


@pytest.mark.parametrize("code", CODES)
def test_every_code_of_the_server_fits_its_status(code: str) -> None:
    """A class of a status stays that of it, whatever code narrows it down."""
    by_status = type(refusal(CODES[code], "something_new", "no"))
    assert isinstance(refusal(CODES[code], code, "no"), by_status)


def test_all_are_of_one_tree() -> None:
    classes = [each for each in vars(errors).values() if isinstance(each, type)]
    assert all(issubclass(each, Exception) is False or issubclass(each, ScaiVaultError)
               for each in classes if each.__module__ == errors.__name__)  # fmt: skip
    assert type(refusal(418, "teapot", "no")) is APIError


def test_details_have_names() -> None:
    details: dict[str, Any] = {
        "required_scope": "a:b",
        "current_version": 3,
        "recoverable_until": "2031-06-08T06:30:00.000000Z",
        "fields": {"name": "too long"},
        "category": "secrets_read",
        "limit": 1000,
    }

    def made(code: str) -> Any:
        return refusal(CODES[code], code, "no", details=details)

    assert made("insufficient_scope").required_scope == "a:b"
    assert made("version_conflict").current_version == 3
    assert made("secret_exists").recoverable_until == "2031-06-08T06:30:00.000000Z"
    assert made("validation_error").fields == {"name": "too long"}
    limited = made("rate_limited")
    assert (limited.category, limited.limit, limited.retry_after) == ("secrets_read", 1000, 1.0)
    assert refusal(422, "validation_error", "no").fields == {}  # type: ignore[attr-defined]


def test_a_refusal_can_be_shown_and_pickled() -> None:
    made = refusal(404, "secret_not_found", "nothing there", request_id="req_1", details={"a": 1})
    assert str(made) == "secret_not_found: nothing there (request req_1)"
    again = pickle.loads(pickle.dumps(made))
    assert (type(again), str(again), again.details) == (type(made), str(made), {"a": 1})


# -- objects ------------------------------------------------------------------------------------

BODY = {"path": "a/b", "version": 3, "data": {"k": 1}, "secret_type": "kv"}


def test_unknown_fields_are_kept_beside() -> None:
    secret = Secret.from_wire({**BODY, "colour": "green", "expires_at": None})
    assert secret.extra == {"colour": "green"}
    assert secret.expires_at is None


def test_an_unknown_kind_is_its_text() -> None:
    assert Secret.from_wire({**BODY, "secret_type": "passkey"}).secret_type == "passkey"
    assert Secret.from_wire(BODY).secret_type is SecretType.KV
    assert f"{SecretType.API_KEY}" == "api_key"


def test_times_keep_their_microseconds() -> None:
    secret = Secret.from_wire({**BODY, "created_at": "2031-05-09T06:29:58.120004Z"})
    assert secret.created_at == datetime(2031, 5, 9, 6, 29, 58, 120004, UTC)


@pytest.mark.parametrize(
    "body",
    [None, [], "text", {}, {**BODY, "created_at": "yesterday"}, {"path": "a", "version": 1},
     {**BODY, "metadata": 7}],
)  # fmt: skip
def test_what_is_no_secret_is_said_to_be_none(clients: Clients, body: Any) -> None:
    server = Script(httpx.Response(200, json=body))
    with pytest.raises(TransportError) as caught:
        clients.mocked(server).secrets.read("a/b")
    assert "yesterday" not in str(caught.value)


def test_an_integer_too_long_for_python_is_said_to_be_one(clients: Clients) -> None:
    """The vault keeps integers of any length; ``int`` stops at 4300 digits."""
    content = b'{"path": "a/b", "version": 1, "data": {"n": %s}}'
    server = Script(*(httpx.Response(200, content=content % (b"9" * n)) for n in (4300, 4301)))
    client = clients.mocked(server)
    assert client.secrets.read("a/b").data == {"n": 10**4300 - 1}
    with pytest.raises(TransportError, match="set_int_max_str_digits") as caught:
        client.secrets.read("a/b")
    assert "999" not in str(caught.value)


def test_objects_are_frozen() -> None:
    secret = Secret.from_wire(BODY)
    with pytest.raises(AttributeError):
        secret.version = 4  # type: ignore[misc]
    assert isinstance(secret, Model)


def test_parts_are_objects_too() -> None:
    info = SecretInfo.from_wire(
        {
            "path": "a",
            "current_version": 1,
            "version_count": 1,
            "rotation_policy": {"id": "rot_1", "next_rotation": None, "new": 1},
            "options": {"max_versions": 10, "notify_before": ["7d"]},
        }
    )
    assert info.rotation_policy is not None
    assert (info.rotation_policy.id, info.rotation_policy.extra) == ("rot_1", {"new": 1})
    assert info.options is not None
    assert info.options.notify_before == ["7d"]
