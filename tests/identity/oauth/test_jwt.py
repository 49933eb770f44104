"""Access tokens of the local issuer, and what pretends to be one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from scaivault.clock import DAY, SECOND, instant
from tests.support.house import House
from tests.support.trusting import TYPE

HOUR = 3600


@pytest.fixture
async def token(house: House) -> str:
    return await house.client("app", ["secrets:read"])


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    return jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})


def signed(house: House, claims: dict[str, Any], header: dict[str, Any]) -> str:
    """With the vault's own key: only the claims and the header are at fault."""
    known = house.vault.issuer._keys[parts_kid(house)]
    return jwt.encode(claims, known.key.key, "ES256", header)


def parts_kid(house: House) -> str:
    return house.vault.issuer.published()[0]["kid"]


async def code(house: House, token: str) -> str:
    answer = await house.get("/v1/auth/whoami", token=token)
    return "ok" if answer.status == 200 else answer.code


async def test_the_claims(house: House, token: str) -> None:
    header, claims = parts(token)
    assert header == {"alg": "ES256", "typ": "at+jwt", "kid": parts_kid(house)}
    assert claims["aud"] == "scaivault"
    assert claims["sub"] == "sa:app"
    assert claims["jti"].startswith("tok_")
    assert claims["tenant_id"] == house.made["tenant_id"]
    assert claims["partner_id"] == house.made["partner_id"]
    assert claims["scope"] == "secrets:read"
    assert claims["client_id"].startswith("sa_")
    assert claims["token_type"] == "client_credentials"
    assert claims["exp"] - claims["iat"] == HOUR
    assert claims["nbf"] == claims["iat"]
    assert "roles" not in claims


CLAIMS: list[tuple[dict[str, Any], str]] = [
    ({}, "ok"),
    ({"aud": ["other", "scaivault"]}, "ok"),
    ({"aud": "other"}, "token_invalid"),
    ({"aud": ["other"]}, "token_invalid"),
    ({"aud": None}, "token_invalid"),
    ({"aud": {"scaivault": 1}}, "token_invalid"),
    ({"iss": "https://elsewhere.example"}, "token_invalid"),
    ({"exp": None}, "token_invalid"),
    ({"exp": "tomorrow"}, "token_invalid"),
    ({"exp": True}, "token_invalid"),
    ({"nbf": 61}, "token_invalid"),
    ({"nbf": 60}, "ok"),
    ({"iat": 61}, "token_invalid"),
    ({"exp": -59}, "ok"),
    ({"exp": -60}, "token_expired"),
    ({"exp": -61}, "token_expired"),
    ({"jti": "tok_unknown"}, "token_invalid"),
    ({"jti": 5}, "token_invalid"),
    ({"tenant_id": None}, "token_invalid"),
]


async def test_everything_says_the_same_end(house: House) -> None:
    """A JWT tells whole seconds."""
    house.clock.advance(999_999)
    token = await house.client("app", ["secrets:read"])
    body = {"subject_token": token, "subject_token_type": TYPE + "access_token"}
    narrower = (await house.call("POST", "/v1/auth/exchange", body, token=None)).json
    assert narrower["expires_in"] == HOUR
    for one in (token, narrower["access_token"]):
        ends = instant(parts(one)[1]["exp"] * SECOND)
        told = await house.call("POST", "/v1/auth/introspect", {"token": one})
        assert (await house.get("/v1/auth/whoami", token=one)).json["token_expires_at"] == ends
        assert (await house.get("/v1/auth/tokens/self", token=one)).json["expires_at"] == ends
        assert told.json["expires_at"] == ends


@pytest.mark.parametrize(("change", "expected"), CLAIMS)
async def test_claims_that_do_not_fit(
    house: House, token: str, change: dict[str, Any], expected: str
) -> None:
    header, claims = parts(token)
    now = house.clock.now() // SECOND
    for name, value in change.items():
        relative = name in ("exp", "nbf", "iat") and type(value) is int
        claims[name] = now + value if relative else value
    claims = {name: value for name, value in claims.items() if value is not None}
    forged = signed(house, claims, {"typ": header["typ"], "kid": header["kid"]})
    assert await code(house, forged) == expected


@pytest.mark.parametrize(("seconds", "expected"), [(59, "ok"), (60, "token_expired")])
@pytest.mark.parametrize("seen", [True, False])
async def test_the_end_has_a_minute_of_skew(
    house: House, token: str, seconds: int, expected: str, seen: bool
) -> None:
    if seen:
        await code(house, token)
    house.clock.advance((HOUR + seconds) * SECOND)
    assert await code(house, token) == expected


HEADERS: list[tuple[dict[str, Any], str]] = [
    ({"typ": "JWT"}, "token_invalid"),
    ({"kid": "other"}, "token_invalid"),
    ({"kid": "k" * 300}, "token_invalid"),
    ({"crit": ["exp"]}, "token_invalid"),
    ({"jku": "https://evil.example/keys", "x5u": "https://evil.example/c"}, "ok"),
    ({"jwk": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}, "x5c": ["AA"]}, "ok"),
]


@pytest.mark.parametrize(("change", "expected"), HEADERS)
async def test_headers(house: House, token: str, change: dict[str, Any], expected: str) -> None:
    header, claims = parts(token)
    del header["alg"]
    assert await code(house, signed(house, claims, {**header, **change})) == expected


def raw(header: Any, claims: Any, signature: bytes = b"") -> str:
    def part(value: Any) -> str:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    return f"{part(header)}.{part(claims)}.{part(signature)}"


async def test_no_algorithm_and_no_signature(house: House, token: str) -> None:
    header, claims = parts(token)
    for alg in ("none", "None", "NONE", ""):
        assert await code(house, raw({**header, "alg": alg}, claims)) == "token_invalid"


async def test_the_public_key_is_no_shared_secret(house: House, token: str) -> None:
    header, claims = parts(token)
    public = house.vault.issuer._keys[header["kid"]].key.public.key
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    unsigned = raw({**header, "alg": "HS256"}, claims).rpartition(".")[0]
    tag = hmac.new(pem, unsigned.encode(), hashlib.sha256).digest()
    forged = f"{unsigned}.{base64.urlsafe_b64encode(tag).rstrip(b'=').decode()}"
    assert await code(house, forged) == "token_invalid"


async def test_another_key_under_our_name(house: House, token: str) -> None:
    header, claims = parts(token)
    other = ec.generate_private_key(ec.SECP256R1())
    forged = jwt.encode(claims, other, "ES256", {"typ": "at+jwt", "kid": header["kid"]})
    assert await code(house, forged) == "token_invalid"


async def test_a_changed_payload_or_signature(house: House, token: str) -> None:
    head, payload, signature = token.split(".")
    claims = parts(token)[1] | {"scope": "admin"}
    changed = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    assert await code(house, f"{head}.{changed}.{signature}") == "token_invalid"
    flipped = ("B" if signature[5] == "A" else "A").join((signature[:5], signature[6:]))
    assert await code(house, f"{head}.{payload}.{flipped}") == "token_invalid"


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "a.b",
        "a.b.c.d",
        "..",
        "e30.e30.",
        raw([], {}),
        raw("text", {}),
        raw(b"[" * 5000, {}),
        raw(b"\xff\xfe", {}),
        raw({"alg": "ES256", "kid": 7}, {}),
        raw({"alg": "ES256", "kid": {"a": 1}}, {}),
        raw({"alg": 5, "kid": "k"}, {}),
        "a" * 9000,
        "." * 9000,
    ],
)
async def test_garbage(house: House, text: str) -> None:
    assert await code(house, text) == "token_invalid"


async def test_an_old_signing_key_is_published_until_its_last_token_is_over(
    house: House, token: str
) -> None:
    first = parts_kid(house)
    await house.run_jobs()
    house.clock.advance(90 * DAY)
    await house.run_jobs()
    keys = (await house.get("/.well-known/jwks.json", token=None)).json["keys"]
    assert [key["kid"] for key in keys][1:] == [first]
    house.clock.advance(2 * HOUR * SECOND)
    await house.run_jobs()
    house.clock.advance(2 * HOUR * SECOND)
    await house.run_jobs()
    keys = (await house.get("/.well-known/jwks.json", token=None)).json["keys"]
    assert [key["kid"] for key in keys] == [parts_kid(house)]
    assert parts_kid(house) != first


async def test_a_signing_key_is_there_as_long_as_its_longest_token(house: House) -> None:
    """A trust gives tokens for up to twelve hours."""
    first = parts_kid(house)
    await house.run_jobs()
    house.clock.advance(90 * DAY - SECOND)
    await house.client("long", ["secrets:read"])
    await house.vault.database.alone(
        lambda db: db.execute(
            "UPDATE token SET expires_at = created_at + ? WHERE identity_id = 'sa:long'",
            (12 * HOUR * SECOND,),
        )
    )
    house.clock.advance(SECOND)
    for _ in range(13):
        await house.run_jobs()
        assert first in {key["kid"] for key in house.vault.issuer.published()}
        house.clock.advance(HOUR * SECOND)
    await house.run_jobs()
    assert [key["kid"] for key in house.vault.issuer.published()] == [parts_kid(house)]
    assert parts_kid(house) != first


async def test_tokens_outlive_a_new_signing_key_and_a_restart(house: House) -> None:
    await house.run_jobs()
    house.clock.advance(89 * DAY + 23 * HOUR * SECOND + 50 * 60 * SECOND)
    token = await house.client("late", ["secrets:read"])
    house.clock.advance(11 * 60 * SECOND)
    await house.run_jobs()
    assert len(house.vault.issuer.published()) == 2
    assert await code(house, token) == "ok"
    await house.restart()
    await house.unseal()
    assert await code(house, token) == "ok"
