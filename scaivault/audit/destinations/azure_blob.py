"""Azure Blob Storage by its REST API: block blobs, with Shared Key or a SAS token.

Signature: learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key (version
2015-02-21 and later). Files: Put Block and Put Block List; blocks without a list are no blob and
go after a week.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import re
from collections.abc import AsyncIterator, Generator
from email.utils import formatdate
from typing import Final
from urllib.parse import parse_qsl, quote

import httpx

from scaivault.audit.destinations.contract import SECONDS, DestinationFailed, Place
from scaivault.audit.destinations.web import exchange, with_last
from scaivault.clock import SECOND, Clock, SystemClock
from scaivault.outbound import client

VERSION: Final = "2021-08-06"
_ACCOUNT: Final = re.compile(r"[a-z0-9]{3,24}")
_SAS: Final = re.compile(r"[A-Za-z0-9%=&._~+/:-]{1,4096}")
# Headers in the order of the string to sign; none of the empty ones is ever sent.
_SIGNED: Final = (
    "content-encoding", "content-language", "content-length", "content-md5", "content-type", "date",
    "if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range",
)  # fmt: skip


class SharedKey(httpx.Auth):
    """Signs each request with the account's key."""

    def __init__(self, account: str, key: str) -> None:
        self._account: Final = account
        try:
            self._key: Final = base64.b64decode(key, validate=True)
        except binascii.Error:
            raise DestinationFailed("credentials", "account_key is not base64") from None

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        signed = hmac.digest(self._key, self.text(request).encode(), hashlib.sha256)
        signature = base64.b64encode(signed).decode()
        request.headers["authorization"] = f"SharedKey {self._account}:{signature}"
        yield request

    def text(self, request: httpx.Request) -> str:
        """The string to sign."""
        headers = request.headers
        plain = ["" if headers.get(name) == "0" else headers.get(name, "") for name in _SIGNED]
        own = sorted(name for name in headers if name.startswith("x-ms-"))
        path = request.url.raw_path.partition(b"?")[0].decode()
        query = sorted((name.lower(), value) for name, value in request.url.params.multi_items())
        return "\n".join(
            [
                request.method,
                *plain,
                *(f"{name}:{headers[name]}" for name in own),
                f"/{self._account}{path}",
                *(f"{name}:{value}" for name, value in query),
            ]
        )


class _Container:
    def __init__(self, http: httpx.AsyncClient, place: Place, base: str, clock: Clock) -> None:
        self._http: Final = http
        self._base: Final = f"{base}/{quote(place.bucket, safe='')}/{place.prefix}"
        self._sas: Final = parse_qsl((place.credentials or {}).get("sas_token", "").lstrip("?"))
        self._clock: Final = clock

    async def put(self, name: str, pieces: AsyncIterator[bytes]) -> None:
        blocks: list[str] = []
        async for piece, last in with_last(pieces):
            if last and not blocks:
                await self._send(name, piece, {"x-ms-blob-type": "BlockBlob"})
                return
            # Ids of one blob have one length.
            block = base64.b64encode(b"%08d" % len(blocks)).decode()
            await self._send(name, piece, {}, comp="block", blockid=block)
            blocks.append(block)
        await self._send(name, _block_list(blocks), {}, comp="blocklist")

    async def finish(self) -> None:
        """Each file is a blob already."""

    async def _send(self, name: str, body: bytes, more: dict[str, str], **query: str) -> None:
        now = self._clock.now() // SECOND
        headers = {"x-ms-version": VERSION, "x-ms-date": formatdate(now, usegmt=True), **more}
        request = self._http.build_request(
            "PUT",
            self._base + name,
            content=body,
            headers=headers,
            params=[*query.items(), *self._sas],
        )
        await exchange(self._http, request, {201})


def _block_list(blocks: list[str]) -> bytes:
    listed = "".join(f"<Latest>{block}</Latest>" for block in blocks)
    return f'<?xml version="1.0" encoding="utf-8"?><BlockList>{listed}</BlockList>'.encode()


@contextlib.asynccontextmanager
async def opened(
    place: Place, base: str | None = None, clock: Clock | None = None
) -> AsyncIterator[_Container]:
    """The container of the credentials' account. ``base``: another address of that account."""
    account = place.credential("account_name")
    if _ACCOUNT.fullmatch(account) is None:
        raise DestinationFailed("credentials", "account_name is not one of a storage account")
    sas = (place.credentials or {}).get("sas_token", "").lstrip("?")
    if sas and _SAS.fullmatch(sas) is None:
        raise DestinationFailed("credentials", "sas_token is not the query part of a SAS")
    key = None if sas else SharedKey(account, place.credential("account_key"))
    async with client(place.reach, seconds=SECONDS) as http:
        http.auth = key  # type: ignore[assignment] # None stands for none
        where = base or f"https://{account}.blob.core.windows.net"
        yield _Container(http, place, where, clock or SystemClock())
