"""The part of a Kubernetes API server that answers TokenReview (authentication.k8s.io/v1), over
TLS with a certificate of its own authority."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from typing import Any, Final, Self

PATH: Final = "/apis/authentication.k8s.io/v1/tokenreviews"
REVIEWER: Final = "reviewers-token"


class ApiServer:
    """``pods``: username -> audiences of the tokens that are live; ``asked``: what was sent."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls: Final = tls
        self.pods: dict[str, list[str]] = {}
        self.asked: list[dict[str, Any]] = []
        self.answer: tuple[int, bytes] | None = None
        self.hangs = False
        self.knows_audiences = True
        self.url = ""
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.url = f"https://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            lines = head.split("\r\n")
            fields = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
            body = json.loads(await reader.readexactly(int(fields["content-length"])))
            if self.hangs:
                await reader.read()
            status, raw = self.answer or self._reviewed(lines[0], fields, body)
            writer.write(
                f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n"
                f"content-length: {len(raw)}\r\nconnection: close\r\n\r\n".encode()
                + raw
            )
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def _reviewed(self, line: str, fields: dict[str, str], body: Any) -> tuple[int, bytes]:
        self.asked.append(body)
        if line != f"POST {PATH} HTTP/1.1":
            return 404, b"{}"
        if fields.get("authorization") != f"bearer {REVIEWER}":
            return 401, b'{"kind":"Status"}'
        return 201, json.dumps({**body, "status": self._status(body["spec"])}).encode()

    def _status(self, spec: Any) -> dict[str, Any]:
        """As the server's own authenticator says it: of the tokens of live pods."""
        subject = _subject(spec["token"])
        common = [one for one in spec["audiences"] if one in self.pods.get(subject, [])]
        if not common:
            return {"authenticated": False, "error": "the pod is gone", "user": {}}
        user = {"username": subject, "uid": "1", "groups": ["system:serviceaccounts"]}
        told = {"authenticated": True, "user": user}
        return {**told, "audiences": common} if self.knows_audiences else told


def _subject(token: str) -> str:
    payload = token.split(".")[1]
    subject: str = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["sub"]
    return subject
