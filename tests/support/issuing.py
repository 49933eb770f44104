"""An issuer of tokens outside the vault: real keys, and its two documents over real HTTP."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from typing import Any, Final, Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from scaivault.clock import SECOND, FakeClock
from scaivault.crypto.signing import base64url

DISCOVERY: Final = "/.well-known/openid-configuration"
KEYS: Final = "/keys"
# One for all tests: to make one takes half a second.
RSA: Final = rsa.generate_private_key(65537, 2048)

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def number(value: int) -> str:
    """Base64urlUInt (RFC 7518 section 2)."""
    return base64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def jwk(key: Private, kid: str, **more: Any) -> dict[str, Any]:
    """The public half."""
    public: Any = key.public_key()
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = public.public_numbers()
        found = {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        point = public.public_numbers()
        x, y = (base64url(one.to_bytes(32, "big")) for one in (point.x, point.y))
        found = {"kty": "EC", "crv": "P-256", "x": x, "y": y}
    else:
        found = {"kty": "OKP", "crv": "Ed25519", "x": base64url(public.public_bytes_raw())}
    return {**found, "kid": kid, "use": "sig", **more}


def signature(key: Private, signed: bytes) -> bytes:
    """RS256, ES256 or EdDSA, as the key is."""
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    if isinstance(key, ec.EllipticCurvePrivateKey):
        pair = decode_dss_signature(key.sign(signed, ec.ECDSA(hashes.SHA256())))
        return b"".join(one.to_bytes(32, "big") for one in pair)
    return key.sign(signed)


def algorithm(key: Private) -> str:
    if isinstance(key, rsa.RSAPrivateKey):
        return "RS256"
    return "ES256" if isinstance(key, ec.EllipticCurvePrivateKey) else "EdDSA"


def part(members: Mapping[str, Any] | str | bytes) -> str:
    """A part of a token; text and bytes as they are."""
    if isinstance(members, bytes):
        return base64url(members)
    text = members if isinstance(members, str) else json.dumps(members)
    return base64url(text.encode())


def sealed(header: Any, claims: Any, key: Private) -> str:
    """A token over any header and payload."""
    signed = f"{part(header)}.{part(claims)}"
    return f"{signed}.{base64url(signature(key, signed.encode()))}"


class Provider:
    """``answers``: path -> (status, headers, body), for a test to change; ``calls``: what was
    asked for. Reachable while it runs: ``async with``."""

    def __init__(self, clock: FakeClock, tls: ssl.SSLContext | None = None) -> None:
        self.clock = clock
        self.tenant = ""
        self._tls: Final = tls
        self.key: Private = ec.generate_private_key(ec.SECP256R1())
        self.kid = "one"
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.calls: list[str] = []
        self.hangs = False
        self.url = ""
        self._server: asyncio.Server | None = None
        self._port = 0

    async def start(self) -> Self:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self._port, ssl=self._tls
        )
        self._port = self._server.sockets[0].getsockname()[1]
        self.url = self.url or f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"
        if not self.answers:
            self.publish(jwk(self.key, self.kid))
            self.answer(DISCOVERY, {"issuer": self.url, "jwks_uri": self.url + KEYS})
        return self

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # -- what it answers -----------------------------------------------------------------------

    def answer(
        self, path: str, body: Any, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answers[path] = status, dict(headers or {}), raw

    def publish(self, *keys: Mapping[str, Any]) -> None:
        self.answer(KEYS, {"keys": list(keys)})

    def rotate(self, kid: str, *, keep: bool = True) -> None:
        """Another key, beside the present one or instead of it."""
        old, self.key, self.kid = self.key, ec.generate_private_key(ec.SECP256R1()), kid
        kept = [jwk(old, "one")] if keep else []
        self.publish(jwk(self.key, kid), *kept)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            path = head.split(" ", 2)[1]
            self.calls.append(path)
            if self.hangs:
                await reader.read()
            status, headers, body = self.answers.get(path, (404, {}, b"{}"))
            lines = {"content-length": str(len(body)), "connection": "close", **headers}
            told = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
            writer.write(f"HTTP/1.1 {status} X\r\n{told}\r\n".encode() + body)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    # -- tokens --------------------------------------------------------------------------------

    def claims(self, **changed: Any) -> dict[str, Any]:
        """Of a user's token, good for ten minutes; ``None`` takes a claim away."""
        now = self.clock.now() // SECOND
        usual = {
            "iss": self.url,
            "aud": "scaivault",
            "sub": "u-17",
            "email": "mira@harbor.example",
            "name": "Mira Quist",
            "tenant_id": self.tenant,
            "scope": "openid secrets:read secrets:list",
            "iat": now,
            "exp": now + 600,
            "jti": f"j-{now}",
        }
        return {name: value for name, value in {**usual, **changed}.items() if value is not None}

    def header(self, **changed: Any) -> dict[str, Any]:
        usual = {"alg": algorithm(self.key), "typ": "JWT", "kid": self.kid}
        return {name: value for name, value in {**usual, **changed}.items() if value is not None}

    def token(self, **changed: Any) -> str:
        return self.sealed(self.claims(**changed))

    def sealed(self, claims: Any) -> str:
        """A token over any payload."""
        return sealed(self.header(), claims, self.key)
