"""Asking a Kubernetes cluster about a token of one of its pods (TokenReview,
authentication.k8s.io/v1): it knows which pods are gone, and their tokens are over with them.

The API server's answer is as foreign as the token: bounded in size and time, no redirects, and only
addresses that tenants may have called."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import msgspec

from scaivault.errors import Refusal
from scaivault.gate.caller import Caller, background
from scaivault.identity.foreign.jwt import Unverified, refused
from scaivault.identity.trusts.model import Review
from scaivault.outbound import Answer, Guard, client, send

log = logging.getLogger("scaivault.identity.trusts")

SECONDS: Final = 5.0
_ANSWER_LONGEST: Final = 256 * 1024
_PATH: Final = "/apis/authentication.k8s.io/v1/tokenreviews"
_PURPOSE: Final = "token_review"

# (caller, path, purpose) -> the plaintext JSON of a secret, read through the gate.
Lend = Callable[[Caller, str, str], Awaitable[bytes]]
# tenant -> (tenant, partner)
Places = Callable[[str], tuple[str | None, str | None]]


class _User(msgspec.Struct):
    username: str = ""


class _Status(msgspec.Struct):
    authenticated: bool = False
    error: str | None = None
    user: _User = msgspec.field(default_factory=_User)
    audiences: list[str] = []


class _Reviewed(msgspec.Struct):
    status: _Status


class Reviews:
    """One per open vault. ``lend`` reads the secrets that a trust names, as the vault itself:
    whoever made the trust was allowed to."""

    def __init__(self, guard: Guard, lend: Lend, places: Places) -> None:
        self._guard: Final = guard
        self._lend: Final = lend
        self._places: Final = places

    async def check(
        self,
        caller: Caller,
        tenant: str,
        review: Review,
        token: Unverified,
        audience: tuple[str, ...],
    ) -> None:
        """``token_invalid`` unless the cluster vouches for the token, its subject and one of the
        audiences; ``upstream_error`` when it cannot be asked."""
        answer = await self._asked(caller, tenant, review, token, audience)
        try:
            status = msgspec.json.decode(answer.body, type=_Reviewed).status
        except (ValueError, RecursionError):  # also text that is no UTF-8
            raise _failed("answer") from None
        # An error is that the token could not be checked, whatever stands beside it.
        if not status.authenticated or status.error:
            raise refused()
        if status.user.username != token.claims.get("sub"):
            raise refused()
        # A server that knows nothing of audiences answers with none: it checked its own.
        if set(status.audiences).isdisjoint(audience):
            raise refused()

    async def _asked(
        self,
        caller: Caller,
        tenant: str,
        review: Review,
        token: Unverified,
        audience: tuple[str, ...],
    ) -> Answer:
        own = self._own(caller, tenant)
        bearer = await self._field(own, review.credentials_path, "token")
        roots = None
        if review.ca_cert_path is not None:
            roots = await self._field(own, review.ca_cert_path, "cert_pem")
        asked = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token.text, "audiences": list(audience)},
        }
        answer = await self._posted(_where(review.url), bearer.strip(), roots, asked)
        if answer.status not in (200, 201):
            raise _failed("credentials" if answer.status in (401, 403) else "status")
        return answer

    async def _posted(self, url: str, bearer: str, roots: str | None, body: Any) -> Answer:
        headers = {"authorization": f"Bearer {bearer}", "accept-encoding": "identity"}
        try:
            async with (
                asyncio.timeout(SECONDS),
                client(self._guard, seconds=SECONDS, ca_pem=roots) as http,
            ):
                request = http.build_request("POST", url, json=body, headers=headers)
                return await send(http, request, _ANSWER_LONGEST)
        except TimeoutError:
            raise _failed("timeout") from None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as fault:
            log.warning("a token review failed: %s", type(fault).__name__)
            raise _failed("connection") from None

    async def _field(self, own: Caller, path: str, name: str) -> str:
        """A text field of a secret. Who asks for the exchange learns nothing of the secret."""
        try:
            found = msgspec.json.decode(await self._lend(own, path, _PURPOSE))
        except (Refusal, ValueError):
            raise _failed("credentials") from None
        value = found.get(name) if isinstance(found, dict) else None
        if not isinstance(value, str) or not value.isascii() or not value.strip():
            raise _failed("credentials")
        return value

    def _own(self, caller: Caller, tenant: str) -> Caller:
        own = background("identity-sync", caller.request_id, caller.now, caller.started)
        own.tenant_id, own.partner_id = self._places(tenant)
        return own


def _where(url: str) -> str:
    """The address itself, or what stands below the address of an API server."""
    path = urlsplit(url).path
    return url if path.endswith("/tokenreviews") else url.rstrip("/") + _PATH


def _failed(reason: str) -> Refusal:
    return Refusal(
        "upstream_error",
        "the cluster of this token could not be asked about it; try again later",
        backend="kubernetes",
        reason=reason,
    )
