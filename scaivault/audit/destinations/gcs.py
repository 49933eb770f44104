"""Google Cloud Storage by its JSON API, signed in as a service account.

Token: RFC 7523 assertion (developers.google.com/identity/protocols/oauth2/service-account).
Files: resumable uploads in pieces (cloud.google.com/storage/docs/performing-resumable-uploads);
an upload that breaks off leaves no object. The secret's own ``token_uri`` is not followed: it
would let whoever writes the secret choose where the signed assertion goes.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

import httpx
import jwt
import msgspec

from scaivault.audit.destinations.contract import SECONDS, DestinationFailed, Place
from scaivault.audit.destinations.web import exchange, with_last
from scaivault.clock import SECOND, Clock, SystemClock
from scaivault.outbound import client

_SCOPE: Final = "https://www.googleapis.com/auth/devstorage.read_write"
_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LIFE: Final = 3600
_EARLY: Final = 300  # seconds before its end that a token is asked for anew


@dataclass(frozen=True, slots=True)
class Service:
    """Where the two halves of the service are."""

    storage: str = "https://storage.googleapis.com"
    token: str = "https://oauth2.googleapis.com/token"


class _Bucket:
    def __init__(
        self, http: httpx.AsyncClient, place: Place, service: Service, clock: Clock
    ) -> None:
        self._http: Final = http
        self._place: Final = place
        self._service: Final = service
        self._clock: Final = clock
        self._token = ""
        self._ends = 0

    async def put(self, name: str, pieces: AsyncIterator[bytes]) -> None:
        session = await self._begin(self._place.prefix + name)
        sent = 0
        async for piece, last in with_last(pieces):
            await self._piece(session, piece, sent, last=last)
            sent += len(piece)

    async def finish(self) -> None:
        """Each file is an object already."""

    async def _begin(self, name: str) -> str:
        """The address that takes the pieces of one object."""
        where = f"/upload/storage/v1/b/{quote(self._place.bucket, safe='')}/o"
        request = self._http.build_request(
            "POST",
            self._service.storage + where,
            params={"uploadType": "resumable", "name": name},
            headers={
                "authorization": f"Bearer {await self._bearer()}",
                "x-upload-content-type": "application/octet-stream",
            },
        )
        answer = await exchange(self._http, request, {200})
        session = str(answer.headers.get("location", ""))
        # The address is a credential of its own, and the store's to choose only within itself.
        if _origin(session) != _origin(self._service.storage):
            raise DestinationFailed("unexpected_answer", "the store named no upload of its own")
        return session

    async def _piece(self, session: str, piece: bytes, start: int, *, last: bool) -> None:
        end = start + len(piece)
        total = str(end) if last else "*"
        span = f"{start}-{end - 1}" if piece else "*"
        request = self._http.build_request(
            "PUT", session, content=piece, headers={"content-range": f"bytes {span}/{total}"}
        )
        answer = await exchange(self._http, request, {200, 201} if last else {308})
        if not last and answer.headers.get("range") != f"bytes=0-{end - 1}":
            raise DestinationFailed("unexpected_answer", "the store did not keep a whole piece")

    async def _bearer(self) -> str:
        """An access token that lives long enough for one object to begin."""
        now = self._clock.now() // SECOND
        if now >= self._ends - _EARLY:
            form = {"grant_type": _GRANT, "assertion": self._assertion(now)}
            request = self._http.build_request("POST", self._service.token, data=form)
            answer = await exchange(self._http, request, {200})
            self._token, self._ends = _token(answer.body), now + _LIFE
        return self._token

    def _assertion(self, now: int) -> str:
        claims = {
            "iss": self._place.credential("client_email"),
            "scope": _SCOPE,
            "aud": self._service.token,
            "iat": now,
            "exp": now + _LIFE,
        }
        headers = {"kid": (self._place.credentials or {}).get("private_key_id", "")}
        key = self._place.credential("private_key")
        try:
            return str(jwt.encode(claims, key, algorithm="RS256", headers=headers))
        except (ValueError, TypeError, jwt.PyJWTError):
            fault = "private_key is no RSA key in PEM form"
        raise DestinationFailed("credentials", fault)


class _TokenAnswer(msgspec.Struct):
    access_token: str


def _token(body: bytes) -> str:
    try:
        token = msgspec.json.decode(body, type=_TokenAnswer).access_token
    except ValueError:  # also text that is no UTF-8
        token = ""
    if not token.isascii() or not token.isprintable() or not token:
        raise DestinationFailed("unexpected_answer", "the token service gave no access token")
    return token


def _origin(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    return parts.scheme, parts.netloc


@contextlib.asynccontextmanager
async def opened(
    place: Place, service: Service | None = None, clock: Clock | None = None
) -> AsyncIterator[_Bucket]:
    """The bucket, as the service account of the credentials."""
    async with client(place.reach, seconds=SECONDS) as http:
        yield _Bucket(http, place, service or Service(), clock or SystemClock())
