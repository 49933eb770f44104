"""A small SCIM 2.0 server (RFC 7644) over real HTTP, which can be told to misbehave."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

TOKEN: Final = "scim-token-0123456789"
LIST: Final = "urn:ietf:params:scim:api:messages:2.0:ListResponse"

Reply = tuple[int, dict[str, str], bytes]


def person(about: str, email: str, **more: Any) -> dict[str, Any]:
    """As Okta's and most servers write users."""
    usual: dict[str, Any] = {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "id": about,
        "userName": email,
        "name": {"formatted": about.title(), "givenName": about, "familyName": "Q"},
        "emails": [{"value": email, "type": "work", "primary": True}],
        "active": True,
    }
    return usual | more


def scim_group(about: str, name: str, *members: Any, **more: Any) -> dict[str, Any]:
    """Members: ids of users, or whole objects."""
    told = [{"value": one} if isinstance(one, str) else one for one in members]
    usual: dict[str, Any] = {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "id": about,
        "displayName": name,
        "members": told,
    }
    return usual | more


class Directory:
    """``users`` and ``groups`` are what it has; ``page`` how many it shows at once. ``instead``: a
    function of (path, query) that may answer in its place."""

    def __init__(self) -> None:
        self.users: list[dict[str, Any]] = []
        self.groups: list[dict[str, Any]] = []
        self.page = 1000
        self.calls: list[str] = []
        self.called = asyncio.Event()
        self.seen: list[dict[str, str]] = []
        self.token = f"Bearer {TOKEN}"
        self.instead: Callable[[str, dict[str, str]], Reply | None] = lambda _path, _query: None
        self.hangs = False
        self.url = ""
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/scim/v2"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()

    def answer(self, path: str, query: dict[str, str]) -> Reply:
        found = self.instead(path, query)
        if found is not None:
            return found
        kind = path.rpartition("/")[2]
        if path not in {"/scim/v2/Users", "/scim/v2/Groups"}:
            return 404, {}, b"{}"
        resources = self.users if kind == "Users" else self.groups
        start = int(query.get("startIndex", "1"))
        shown = resources[start - 1 : start - 1 + min(self.page, int(query.get("count", "100")))]
        return listing(shown, len(resources), startIndex=start, itemsPerPage=len(shown))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            lines = head.split("\r\n")
            target = lines[0].split(" ")[1]
            headers = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
            headers = {name.lower(): value for name, value in headers.items()}
            self.calls.append(target)
            self.called.set()
            self.seen.append(headers)
            if self.hangs:
                await reader.read()
            parts = urlsplit(target)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            status, more, body = self.answer(parts.path, query)
            if headers.get("authorization") != self.token:
                status, more, body = 401, {}, b"{}"
            told = {"content-length": str(len(body)), "connection": "close", **more}
            text = "".join(f"{name}: {value}\r\n" for name, value in told.items())
            writer.write(f"HTTP/1.1 {status} X\r\n{text}\r\n".encode() + body)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def listing(resources: list[Any], total: Any, **more: Any) -> Reply:
    """A ListResponse."""
    body = {"schemas": [LIST], "totalResults": total, "Resources": resources, **more}
    kind = {"content-type": "application/scim+json"}
    return 200, kind, json.dumps(body).encode()
