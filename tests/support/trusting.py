"""Trusts in a foreign issuer, and the exchange of its tokens, as tests ask for them."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

from tests.support.house import Answer, House
from tests.support.issuing import Provider
from tests.support.tenants import account

TRUSTS: Final = "/v1/identity/trusts"
EXCHANGE: Final = "/v1/auth/exchange"
FORM: Final = {"content-type": "application/x-www-form-urlencoded"}
TYPE: Final = "urn:ietf:params:oauth:token-type:"
GRANT: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
SUBJECT: Final = "repo:harbor/shop:ref:refs/heads/main"
# The vault may call issuers of this network, as tests have none other.
SETTINGS: Final[dict[str, Any]] = {
    "rate_limits__enabled": False,
    "webhooks__allowed_networks": ["127.0.0.0/8"],
}


def body(provider: Provider, **fields: Any) -> dict[str, Any]:
    """Of a trust in ``provider``, for ``sa:ci``; ``None`` takes a field away."""
    usual = {
        "name": "builds",
        "issuer": provider.url,
        "subject": "repo:harbor/shop:*",
        "identity": "sa:ci",
        "max_scopes": ["secrets:read", "secrets:list"],
    }
    return {name: value for name, value in {**usual, **fields}.items() if value is not None}


async def sent(house: House, provider: Provider, **fields: Any) -> Answer:
    """POST /v1/identity/trusts; ``token`` and ``headers`` are the caller's."""
    call = {name: fields.pop(name) for name in ("token", "headers") if name in fields}
    return await house.call("POST", TRUSTS, body(provider, **fields), **call)


async def trust(house: House, provider: Provider, **fields: Any) -> str:
    """The id of a new trust."""
    made = await sent(house, provider, **fields)
    assert made.status == 201, made.body
    found: str = made.json["id"]
    return found


async def runner(house: House, name: str = "ci", **more: Any) -> str:
    """The record id of a new service account that may read and list."""
    scopes = more.pop("scopes", ["secrets:read", "secrets:list"])
    return await account(house, name, scopes, **more)


async def patch(house: House, trust_id: str, **fields: Any) -> Answer:
    call = {name: fields.pop(name) for name in ("token", "headers") if name in fields}
    return await house.call("PATCH", f"{TRUSTS}/{trust_id}", fields, **call)


async def exchange(house: House, subject_token: str, **fields: Any) -> Answer:
    return await house.call(
        "POST", EXCHANGE, {"subject_token": subject_token, **fields}, token=None
    )


async def code(house: House, subject_token: str, **fields: Any) -> str:
    """The code of the refusal, or ``ok``."""
    answer = await exchange(house, subject_token, **fields)
    return "ok" if answer.status == 200 else answer.code


async def given(house: House, subject_token: str, **fields: Any) -> str:
    """The token that comes back."""
    answer = await exchange(house, subject_token, **fields)
    assert answer.status == 200, answer.body
    found: str = answer.json["access_token"]
    return found


async def narrower(house: House, subject_token: str, **fields: Any) -> str:
    """A token of the vault's own, narrowed."""
    return await given(house, subject_token, subject_token_type=TYPE + "access_token", **fields)


async def form(house: House, where: str, **fields: str) -> Answer:
    return await house.call("POST", where, raw=urlencode(fields).encode(), headers=FORM, token=None)


def build(provider: Provider, **claims: Any) -> str:
    """A token as a build of the shop gets it from its forge: it lives five minutes."""
    now = provider.clock.now() // 1_000_000
    usual = {
        "sub": SUBJECT, "email": None, "name": None, "tenant_id": None, "scope": None,
        "repository": "harbor/shop", "run_attempt": 1, "exp": now + 300,
    }  # fmt: skip
    return provider.token(**{**usual, **claims})
