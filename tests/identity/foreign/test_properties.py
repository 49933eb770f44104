"""Any token at all, and any key set: read as one thing or refused, and nothing else."""

from __future__ import annotations

import base64
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from scaivault.clock import SECOND
from scaivault.config.identity import Issuer
from scaivault.errors import Refusal
from scaivault.identity import names
from scaivault.identity.foreign import claims, jwt, keys
from scaivault.identity.foreign.jwt import Accepted
from tests.support.issuing import jwk, part, sealed

KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = keys.keys_of({"keys": [jwk(KEY, "one")]})[0]
ISS = "https://login.example"
NOW = 1_900_000_000
SKEW = 60
ACCEPTED = Accepted(ISS, ("RS256", "ES256"), ("scaivault",), SKEW * SECOND)
HEADER = {"alg": "ES256", "kid": "one"}

plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
documents = st.recursive(
    plain, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10
)
words = st.sampled_from(["iss", "aud", "sub", "exp", "iat", "nbf", "tenant_id", "email", "scope"])


def outcome(token: str, now: int = NOW * SECOND) -> str:
    """``ok``, or the code; anything else that is raised fails the test."""
    try:
        jwt.verify(jwt.parse(token), PUBLIC, ACCEPTED, now)
    except Refusal as refusal:
        return refusal.code
    return "ok"


def good(**changed: Any) -> dict[str, Any]:
    usual = {"iss": ISS, "aud": "scaivault", "sub": "u", "iat": NOW, "exp": NOW + 600}
    return {**usual, **changed}


@given(st.text())
def test_any_text(text: str) -> None:
    assert outcome(text) == "token_invalid"


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=4))
def test_any_bytes_in_parts(parts: list[bytes]) -> None:
    assert outcome(".".join(part(one) for one in parts)) == "token_invalid"


@given(
    st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "jwk"]) | st.text(), documents)
)
def test_any_header(header: dict[str, Any]) -> None:
    found = outcome(sealed(header, good(), KEY))
    fits = header.get("alg") == "ES256" and isinstance(header.get("kid"), str)
    assert found in ({"ok", "token_invalid"} if fits else {"token_invalid"})


@given(st.dictionaries(words | st.text(), documents))
def test_any_claims(payload: dict[str, Any]) -> None:
    try:
        text = json.dumps(payload, allow_nan=False)
        text.encode()
    except ValueError:
        return
    assert outcome(sealed(HEADER, text, KEY)) in {"token_invalid", "token_expired"}


@given(st.data())
def test_a_token_with_one_character_changed(data: st.DataObject) -> None:
    token = sealed(HEADER, good(), KEY)
    at = data.draw(st.integers(0, len(token) - 1))
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ "
    new = data.draw(st.sampled_from(alphabet))
    changed = token[:at] + new + token[at + 1 :]
    assert outcome(changed) == ("ok" if changed == token else "token_invalid")


seconds = st.integers(NOW - 200, NOW + 200) | st.sampled_from([0, NOW + 86_400, NOW + 90_000])
spans = st.sampled_from([-61, -60, -59, 0, 600, 86_400, 86_401]) | st.integers(-100, 90_000)


@given(issued=seconds, span=spans, begins=st.none() | seconds, now=seconds)
def test_times_against_a_plain_model(issued: int, span: int, begins: int | None, now: int) -> None:
    expires = issued + span
    limits = {} if begins is None else {"nbf": begins}
    found = outcome(sealed(HEADER, good(iat=issued, exp=expires, **limits), KEY), now * SECOND)
    if expires < 0 or span > 86_400 or max(issued, begins or 0) > now + SKEW:
        assert found == "token_invalid"
    else:
        assert found == ("token_expired" if now >= expires + SKEW else "ok")


@given(documents)
def test_any_key_set(document: Any) -> None:
    try:
        found = keys.keys_of(document)
    except ValueError:
        return
    assert all(key.kid is not None for key in found)


@given(
    st.dictionaries(
        st.sampled_from(["kty", "crv", "x", "y", "n", "e", "kid", "alg", "use"]), documents
    )
)
def test_any_key(jwk: dict[str, Any]) -> None:
    assert keys.keys_of({"keys": [jwk]}) == ()


@given(st.binary())
def test_any_bytes_for_a_key_set(raw: bytes) -> None:
    try:
        keys.key_set(raw)
    except ValueError as fault:
        assert "key set" in str(fault)  # noqa: PT017 - most bytes are refused, a few are a set


issuers = st.builds(
    Issuer, name=st.just("corp"), issuer=st.just(ISS), tenant=st.none() | st.just("tnt_a")
)
claim_names = ["sub", "email", "name", "tenant_id", "partner_id", "scope", "role", "client_id"]
told = st.dictionaries(
    st.sampled_from([*claim_names, "token_type", "email_verified", "amr", "auth_time"]),
    documents
    | st.sampled_from(["client_credentials", "tnt_a", "ci", "Ada@Example.org", "otp", NOW]),
)


@given(issuers, told)
def test_whoever_is_meant_has_a_name_of_the_vaults(issuer: Issuer, payload: dict[str, Any]) -> None:
    try:
        found = claims.meant(issuer, payload, NOW * SECOND, SKEW * SECOND)
    except Refusal as refusal:
        assert refusal.code == "token_invalid"  # noqa: PT017 - both outcomes are right
        return
    assert names.canonical(found.identity_id) == (found.kind, found.identity_id)
    assert found.kind in {"user", "service_account"}
    assert found.subject == payload["sub"]
    assert issuer.tenant in {None, found.tenant_id}
    assert found.roles == frozenset()
    assert found.mfa_at is None or 0 <= found.mfa_at <= NOW * SECOND


@given(st.text(min_size=1), st.text(min_size=1))
def test_two_subjects_are_two_identities(one: str, other: str) -> None:
    """But for addresses, which are the same in any letter case."""

    def identity(subject: str) -> str | None:
        try:
            issuer = Issuer("corp", ISS, tenant="t")
            return claims.meant(issuer, {"sub": subject}, 0, 0).identity_id
        except Refusal:
            return None

    found = identity(one), identity(other)
    if None not in found and found[0] == found[1]:
        assert one.strip() == other.strip() or (
            "@" in one and one.strip().lower() == other.strip().lower()
        )


def test_parts_are_read_in_their_one_form() -> None:
    token = sealed(HEADER, good(), KEY)
    header, payload, signature = token.split(".")
    loose = base64.urlsafe_b64encode(json.dumps(HEADER).encode()).decode()
    assert outcome(f"{loose}.{payload}.{signature}") == (
        "ok" if loose == header else "token_invalid"
    )
