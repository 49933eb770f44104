"""Who is calling, inside the process: a token that was seen before, and one that is new.

Every request pays for the first; the second is paid once for each token, and again after a change
of any identity. A new one of an outside issuer is read, proven with RS256 and looked up.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from bench.inside import rooms
from bench.row import Figure, Goal, Row
from bench.script import main
from bench.settings import Settings
from scaivault.clock import SystemClock
from scaivault.identity.authentication import Authentication
from scaivault_sdk._local import LocalVault

ROUNDS = 20_000
NEW = 200
GOAL = 10


def run(settings: Settings) -> Row:
    """Cases take turns."""
    row = Row("authentication")
    key = rsa.generate_private_key(65537, 2048)
    with _issuer(key) as url:
        issuer = {"name": "corp", "issuer": url}
        local = LocalVault(SystemClock(), **{"identity.issuers": [issuer]})
        try:
            row.figures = _figures(local, _Maker(key, url, local), settings.turns)
        finally:
            local.close()
    for case in ("own, seen before", "outside, seen before"):
        found = row.find(case, "ScaiVault")
        row.goals.append(Goal(f"{case}, us", found.median if found else None, "at most", GOAL))
    return row


class _Maker:
    """Makes tokens of the outside issuer."""

    def __init__(self, key: rsa.RSAPrivateKey, url: str, local: LocalVault) -> None:
        vault = rooms(local)
        self.authentication: Authentication = vault.authentication
        self._key = key
        now = int(time.time())
        self._claims = {
            "iss": url, "aud": "scaivault", "sub": "u-17", "email": "mira@harbor.example",
            "tenant_id": next(iter(vault.tenancy.tenants)), "scope": "secrets:read secrets:list",
            "iat": now, "exp": now + 3600,
        }  # fmt: skip

    def token(self, jti: str) -> str:
        claims = {**self._claims, "jti": jti}
        return jwt.encode(claims, self._key, "RS256", {"kid": "one"})


def _figures(local: LocalVault, maker: _Maker, turns: int) -> list[Figure]:
    seen = {
        "own, seen before": [local.root_token] * ROUNDS,
        "outside, seen before": [maker.token("seen")] * ROUNDS,
    }
    times: dict[str, list[float]] = {}
    for turn in range(turns):
        fresh = [maker.token(f"{turn}-{n}") for n in range(NEW)]
        for case, tokens in {**seen, "outside, new": fresh}.items():
            taken = local.run(_timed(maker.authentication, tokens))
            times.setdefault(case, []).append(round(taken, 2))
    return [Figure(case, "ScaiVault", "us", tuple(each)) for case, each in times.items()]


async def _timed(authentication: Authentication, tokens: list[str]) -> float:
    """Microseconds for each token."""
    now = time.time_ns() // 1000
    await authentication.authenticate(tokens[0], now)
    began = time.perf_counter()
    for token in tokens:
        await authentication.authenticate(token, now)
    return (time.perf_counter() - began) / len(tokens) * 1e6


@contextmanager
def _issuer(key: rsa.RSAPrivateKey) -> Iterator[str]:
    """The two documents of an issuer, on a port of this host."""
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    documents: dict[str, Any] = {"/keys": {"keys": [{**public, "kid": "one"}]}}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(documents[self.path]).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{server.server_port}"
    documents["/.well-known/openid-configuration"] = {"issuer": url, "jwks_uri": url + "/keys"}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield url
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    main(__doc__, run)
