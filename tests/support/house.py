"""A whole vault in this process: real file, real crypto, the real application, a fake clock.

``House.call`` speaks ASGI, so that the request target arrives byte for byte as a test wrote it; a
client library would normalise it first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

import msgspec

from scaivault.app import App
from scaivault.clock import FakeClock
from scaivault.config import Settings, load
from scaivault.http.request import Head, Request
from scaivault.system.start import StartOptions
from scaivault.vault import Vault

PASSPHRASE = "correct horse battery staple"
# The smallest that the contract allows: 64 MiB, one pass.
CHEAP = {"seal.argon2.ops": 1, "seal.argon2.mem_kib": 65536}


@dataclass(frozen=True)
class Answer:
    """What came back; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The error code; fails the test when it is no error."""
        code: str = self.json["error"]["code"]
        return code

    @property
    def details(self) -> dict[str, Any]:
        return self.json["error"].get("details", {})  # type: ignore[no-any-return]


class _Body:
    """A body that is there as a whole."""

    def __init__(self, sent: bytes) -> None:
        self._sent = sent

    async def part(self) -> bytes:
        sent, self._sent = self._sent, b""
        return sent


class House:
    """One data directory and the process that has it."""

    def __init__(self, path: Path, clock: FakeClock | None = None, **flags: Any) -> None:
        self.path = path
        self.clock = clock or FakeClock()
        self.settings = self.configured(path, **flags)
        self.token = ""
        self.made: dict[str, Any] = {}
        self._start()

    @staticmethod
    def configured(path: Path, **flags: Any) -> Settings:
        """Settings; a flag ``server__max_body=…`` is the key ``server.max_body``."""
        dotted = {name.replace("__", "."): value for name, value in flags.items()}
        base = {"data_dir": str(path), "server.bind": "127.0.0.1:8443", **CHEAP}
        return load(None, {}, {**base, **dotted})

    def _start(self, **options: Any) -> None:
        self._heads: dict[Any, Head] = {}
        self.app = App(self.settings, StartOptions(**options), self.clock)
        self.app.acquire()

    @classmethod
    async def opened(cls, path: Path, clock: FakeClock | None = None, **flags: Any) -> Self:
        """A house with a vault that is initialised (one passphrase slot) and open."""
        house = cls(path, clock, **flags)
        await house.init()
        return house

    async def init(self, **body: Any) -> Answer:
        body.setdefault("slots", [{"type": "passphrase", "passphrase": PASSPHRASE}])
        answer = await self.call("POST", "/v1/system/init", body, token=None)
        if answer.status == 201:
            self.made = answer.json
            self.token = self.made["root_token"]
        return answer

    async def unseal(self, **body: Any) -> Answer:
        return await self.call(
            "POST", "/v1/system/unseal", body or {"passphrase": PASSPHRASE}, token=None
        )

    async def restart(self, **options: Any) -> None:
        """Stop as SIGTERM does, and start again, sealed."""
        await self.close()
        self._start(**options)

    async def crash(self) -> None:
        """Stop without the last flush and checkpoint, as far as one process can: what is not
        committed is lost."""
        vault = self.app.system.vault
        if vault is not None:
            await vault.database.close()
            vault.opened.wipe()
            self.app.system.vault = None
        self.app.folder.release()
        self._start()

    async def close(self) -> None:
        await self.app.system.close(None)
        self.app.folder.release()

    @property
    def vault(self) -> Vault:
        assert self.app.system.vault is not None
        return self.app.system.vault

    async def run_jobs(self) -> None:
        """Everything that is due by now."""
        for job, vault in self.app.worker.due():
            await self.app.worker.once(job, vault)

    # -- requests -------------------------------------------------------------------------------

    async def call(
        self,
        method: str,
        target: str | bytes,
        body: Any = None,
        *,
        token: str | None = "",
        headers: Mapping[str, str] | None = None,
        raw: bytes | None = None,
        client: tuple[str, int] | None = ("127.0.0.1", 4711),
        query: Mapping[str, Any] | None = None,
    ) -> Answer:
        """One request. ``token``: ``""`` the root token, ``None`` none. ``raw``: body bytes."""
        target = target.encode() if isinstance(target, str) else target
        path, _, question = target.partition(b"?")
        if query is not None:
            question = urlencode(query, doseq=True).encode()
        sent = raw if raw is not None else (b"" if body is None else json.dumps(body).encode())
        lines = [(b"host", b"vault.example.net")]
        if token is not None:
            lines.append((b"authorization", b"Bearer " + (token or self.token).encode()))
        if body is not None or raw is not None:
            lines.append((b"content-length", str(len(sent)).encode()))
        given = {name.lower(): value for name, value in (headers or {}).items()}
        if (body is not None or raw is not None) and "content-type" not in given:
            lines.append((b"content-type", b"application/json"))
        lines += [(name.encode(), value.encode("latin-1")) for name, value in given.items()]
        scope = {
            "type": "http",
            "method": method,
            "path": path.decode("latin-1"),
            "raw_path": path,
            "query_string": question,
            "headers": lines,
            "client": client,
            "scheme": "http",
        }
        return await self._exchange(scope, sent)

    async def _exchange(self, scope: dict[str, Any], sent: bytes) -> Answer:
        """As on a connection that is kept: lines that come again from one client are one head, so
        that what was found out from them is not found out anew."""
        client, lines = scope["client"], scope["headers"]
        head = self._heads.setdefault((client, *lines), Head(lines))
        framed = any(name in (b"content-length", b"transfer-encoding") for name, _ in lines)
        request = Request(
            scope["method"],
            scope["raw_path"],
            scope["query_string"],
            head,
            client[0] if client is not None else None,
            https=False,
            parts=_Body(sent) if framed else None,
        )
        reply = await self.app.endpoint(request)
        assert reply is not None
        lines = [*reply.lines, (b"content-length", b"%d" % reply.length)]
        headers = {name.decode(): value.decode("latin-1") for name, value in lines}
        return Answer(reply.status, headers, reply.body)

    async def get(self, target: str, **more: Any) -> Answer:
        return await self.call("GET", target, **more)

    async def put(self, path: str, data: Any = None, **more: Any) -> Answer:
        """Write a secret; ``more`` are fields of the body, but for token and headers."""
        call = {name: more.pop(name) for name in ("token", "headers") if name in more}
        return await self.call("PUT", f"/v1/secrets/{path}", {"data": data or {}, **more}, **call)

    async def read(self, path: str, **more: Any) -> Answer:
        return await self.call("GET", f"/v1/secrets/{path}", **more)

    async def delete(self, path: str, **query: Any) -> Answer:
        return await self.call("DELETE", f"/v1/secrets/{path}", query=query)

    async def rows(self, **wanted: Any) -> list[dict[str, Any]]:
        """Audit rows in order, those whose fields are ``wanted``."""
        found = await self.vault.gate.ask(
            lambda db: db.execute("SELECT record FROM ledger ORDER BY seq").fetchall()
        )
        rows = [msgspec.json.decode(record) for (record,) in found]
        return [row for row in rows if all(row[name] == value for name, value in wanted.items())]

    async def events(self) -> list[dict[str, Any]]:
        """What is announced, in order."""
        found = await self.vault.gate.ask(
            lambda db: db.execute("SELECT payload FROM outbox ORDER BY event_id").fetchall()
        )
        return [msgspec.json.decode(payload) for (payload,) in found]

    async def client(
        self,
        name: str,
        scopes: list[str],
        roles: list[str] | None = None,
        tenant: str | None = None,
    ) -> str:
        """An access token of a new service account."""
        body: dict[str, Any] = {"name": name, "scopes": scopes}
        if tenant is not None:
            body["tenant_id"] = tenant
        made = await self.call("POST", "/v1/identity/service-accounts", body)
        assert made.status == 201, made.body
        account = made.json["id"]
        if roles:
            where = f"/v1/identity/service-accounts/{account}/roles"
            answer = await self.call("PUT", where, {"roles": roles})
            assert answer.status == 200, answer.body
        where = f"/v1/identity/service-accounts/{account}/credentials"
        credential = (await self.call("POST", where, {})).json
        answer = await self.call(
            "POST",
            "/v1/auth/token",
            {
                "grant_type": "client_credentials",
                "client_id": credential["client_id"],
                "client_secret": credential["client_secret"],
            },
            token=None,
        )
        assert answer.status == 200, answer.body
        token: str = answer.json["access_token"]
        return token
