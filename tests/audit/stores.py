"""Stores on this machine for destinations to write to."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

import jwt
import pytest

needs_moto = pytest.mark.skipif(
    find_spec("moto") is None or find_spec("aiobotocore") is None,
    reason="needs moto[server] and aiobotocore",
)


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def moto(folder: Path) -> Iterator[str]:
    """An S3 server of its own process: its address."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with (folder / "moto.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert process.poll() is None, "the server ended"
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)  # another process starts: there is nothing to be told by
    raise AssertionError("the server does not listen")


class Store(BaseHTTPRequestHandler):
    """Collects objects; subclasses check what the real service documents."""

    objects: ClassVar[dict[str, bytes]]
    faults: ClassVar[list[int]]
    protocol_version = "HTTP/1.1"

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def fault(self) -> bool:
        """Answer with the next fault, if one waits."""
        if self.faults:
            self.body()
            self.answer(self.faults.pop(0), b"no")
            return True
        return False

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@contextmanager
def serving(kind: type[Store], **state: Any) -> Iterator[tuple[str, type[Store]]]:
    """(address, handler with a state of its own)"""
    own = type("Own", (kind,), {"objects": {}, "faults": [], **state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), own)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", own
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Gcs(Store):
    """Token exchange of RFC 7523 and resumable uploads."""

    public_key: ClassVar[str]
    audience: ClassVar[str]
    elsewhere: ClassVar[str] = ""
    uploads: ClassVar[dict[str, tuple[str, bytes]]]

    def do_POST(self) -> None:
        if self.fault():
            return
        url, body = urlsplit(self.path), self.body()
        if url.path == "/token":
            self._token(parse_qs(body.decode()))
            return
        assert self.headers["Authorization"] == "Bearer ya29.x"
        query = parse_qs(url.query)
        bucket = unquote(url.path.split("/")[-2])
        if bucket != "audit" or query["uploadType"] != ["resumable"]:
            self.answer(404)
            return
        session = f"/session/{len(self.uploads)}"
        self.uploads[session] = (query["name"][0], b"")
        where = self.elsewhere or f"http://{self.headers['Host']}"
        self.answer(200, Location=where + session)

    def _token(self, form: dict[str, list[str]]) -> None:
        assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
        try:
            claims = jwt.decode(
                form["assertion"][0],
                self.public_key,
                algorithms=["RS256"],
                audience=self.audience,
                options={"verify_exp": False, "verify_iat": False},
            )
        except jwt.PyJWTError:
            self.answer(401)
            return
        assert claims["exp"] - claims["iat"] <= 3600
        assert claims["scope"].startswith("https://www.googleapis.com/auth/devstorage.")
        self.answer(200, json.dumps({"access_token": "ya29.x", "expires_in": 3599}).encode())

    def do_PUT(self) -> None:
        if self.fault():
            return
        name, held = self.uploads[self.path]
        body = self.body()
        span = self.headers["Content-Range"]
        found = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)", span)
        assert found is not None
        if found[1] is not None:
            assert (int(found[1]), int(found[2])) == (len(held), len(held) + len(body) - 1)
        held += body
        self.uploads[self.path] = (name, held)
        if found[3] == "*":
            assert len(body) % (256 * 1024) == 0
            self.answer(308, Range=f"bytes=0-{len(held) - 1}")
        else:
            assert int(found[3]) == len(held)
            self.objects[name] = held
            self.answer(200)


class Azure(Store):
    """Put Blob, Put Block and Put Block List, by Shared Key or SAS."""

    key: ClassVar[bytes]
    blocks: ClassVar[dict[tuple[str, str], bytes]]

    def do_PUT(self) -> None:
        if self.fault():
            return
        url, body = urlsplit(self.path), self.body()
        query = parse_qs(url.query)
        if not self._signed(url.path, query) and query.get("sig") != ["s+/="]:
            self.answer(403)
            return
        _, container, name = url.path.split("/", 2)
        if container != "audit":
            self.answer(404)
            return
        kind = query.get("comp", [""])[0]
        if kind == "block":
            self.blocks[name, query["blockid"][0]] = body
        elif kind == "blocklist":
            listed = re.findall(r"<Latest>([^<]*)</Latest>", body.decode())
            self.objects[name] = b"".join(self.blocks[name, block] for block in listed)
        else:
            assert self.headers["x-ms-blob-type"] == "BlockBlob"
            self.objects[name] = body
        self.answer(201)

    def _signed(self, path: str, query: dict[str, list[str]]) -> bool:
        """As learn.microsoft.com writes the string down, item by item."""
        length = self.headers.get("Content-Length", "")
        own = sorted(name.lower() for name in self.headers if name.lower().startswith("x-ms-"))
        text = "PUT\n\n\n" + ("" if length == "0" else length) + "\n\n"
        text += (self.headers.get("Content-Type") or "") + "\n\n\n\n\n\n\n"
        text += "".join(f"{name}:{self.headers[name]}\n" for name in own)
        text += "/harbour" + path
        text += "".join(f"\n{name}:{','.join(query[name])}" for name in sorted(query))
        wanted = base64.b64encode(hmac.digest(self.key, text.encode(), hashlib.sha256)).decode()
        return self.headers.get("Authorization") == f"SharedKey harbour:{wanted}"
