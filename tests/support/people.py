"""Users with tokens of their own, and what their authenticators show."""

from __future__ import annotations

import base64
from typing import Any

from scaivault.clock import SECOND
from scaivault.crypto import totp
from tests.support.house import Answer, House

MIRA = "user:mira@harbor.example"
SCOPES = ["secrets:read", "secrets:list"]


async def person(house: House, identity: str = MIRA, **more: Any) -> str:
    """The record id of a new user."""
    body = {"email": identity.removeprefix("user:"), **more}
    made = await house.call("POST", "/v1/identity/users", body)
    assert made.status == 201, made.body
    found: str = made.json["id"]
    return found


async def mint(house: House, token: str = "", **body: Any) -> Answer:
    """A token made with ``token`` (else the root token)."""
    body = {"name": "laptop", "scopes": SCOPES, **body}
    return await house.call("POST", "/v1/auth/tokens", body, token=token)


async def minted(house: House, token: str = "", **body: Any) -> str:
    """The text of one that is granted."""
    made = await mint(house, token, **body)
    assert made.status == 201, made.body
    text: str = made.json["token"]
    return text


async def login(house: House, identity: str = MIRA, **body: Any) -> str:
    """A new user's first token."""
    await person(house, identity)
    return await minted(house, identity_id=identity, **body)


async def token_id(house: House, token: str) -> str:
    found: str = (await house.get("/v1/auth/whoami", token=token)).json["token_id"]
    return found


async def enrol(house: House, token: str) -> bytes:
    """The secret of a new authenticator."""
    made = await house.call("POST", "/v1/auth/mfa/totp", token=token)
    assert made.status == 201, made.body
    return base64.b32decode(made.json["secret"])


def code(house: House, secret: bytes, later: int = 0) -> str:
    """What an authenticator shows; ``later``: steps ahead."""
    return totp.code(secret, totp.step_at(house.clock.now() // SECOND) + later)


async def verify(house: House, token: str, given: str, **more: Any) -> Answer:
    return await house.call("POST", "/v1/auth/mfa/verify", {"code": given}, token=token, **more)


async def proven(house: House, token: str) -> bytes:
    """Enrol an authenticator and prove it with a token; its secret."""
    secret = await enrol(house, token)
    answer = await verify(house, token, code(house, secret))
    assert answer.status == 200, answer.body
    return secret
