"""Forged tokens, and those that another reader might read otherwise (attack class 16)."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from scaivault.crypto.signing import base64url, from_base64url
from tests.identity.foreign.asking import code, codes
from tests.identity.foreign.conftest import Open
from tests.support.house import House
from tests.support.issuing import DISCOVERY, KEYS, RSA, Provider, jwk, part, sealed

_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256


def _hmac(header: dict[str, Any], claims: dict[str, Any], secret: bytes) -> str:
    signed = f"{part(header)}.{part(claims)}"
    return f"{signed}.{base64url(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


async def test_a_public_key_is_no_shared_secret(opened: Open, provider: Provider) -> None:
    provider.key = RSA
    provider.publish(jwk(RSA, "one"))
    house = await opened()
    public = RSA.public_key()
    header, claims = provider.header(alg="HS256"), provider.claims()
    modulus = public.public_numbers().n.to_bytes(256, "big")
    secrets = {
        "pem": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "der": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "jwk": json.dumps(jwk(RSA, "one")).encode(),
        "modulus": modulus,
        "empty": b"",
    }
    forged = {name: _hmac(header, claims, secret) for name, secret in secrets.items()}
    as_rs256 = {
        name + " as RS256": _hmac(provider.header(), claims, s) for name, s in secrets.items()
    }
    answers = await codes(house, forged | as_rs256)
    assert set(answers.values()) == {"token_invalid"}, answers
    assert await code(house, provider.token()) == "ok"


async def test_a_signature_is_of_the_algorithm_and_the_key_that_the_token_names(
    opened: Open, provider: Provider
) -> None:
    edwards = ed25519.Ed25519PrivateKey.generate()
    provider.publish(jwk(provider.key, "one"), jwk(RSA, "two"), jwk(edwards, "three"))
    house = await opened(algorithms=["RS256", "ES256"])
    claims, stranger = provider.claims(), ec.generate_private_key(ec.SECP256R1())
    good = provider.token()
    signed, _, signature = good.rpartition(".")
    cases = {
        "alg none": f"{part(provider.header(alg='none'))}.{part(claims)}.",
        "alg None": f"{part(provider.header(alg='None'))}.{part(claims)}.",
        "none, but signed": f"{part(provider.header(alg='none'))}.{part(claims)}.{signature}",
        "no alg": sealed(provider.header(alg=None), claims, provider.key),
        "alg in small letters": sealed(provider.header(alg="es256"), claims, provider.key),
        "a list of algs": sealed(provider.header(alg=["ES256"]), claims, provider.key),
        "ES384": sealed(provider.header(alg="ES384"), claims, provider.key),
        "PS256": sealed(provider.header(alg="PS256", kid="two"), claims, RSA),
        "the key of another type": sealed(provider.header(kid="two"), claims, provider.key),
        "the alg of another type": sealed(provider.header(alg="RS256"), claims, provider.key),
        "an alg that the issuer does not use": sealed(
            provider.header(alg="EdDSA", kid="three"), claims, edwards
        ),
        "a stranger's signature": sealed(provider.header(), claims, stranger),
        "no signature": f"{signed}.",
        "a short signature": f"{signed}.{base64url(from_base64url(signature)[:-1])}",
        "a long signature": f"{signed}.{base64url(from_base64url(signature) + b'0')}",
        "a signature of zeros": f"{signed}.{base64url(bytes(64))}",
        "a signature of other words": f"{part(provider.header())}.{part(provider.claims(sub='x'))}"
        f".{signature}",
        "padding": f"{signed}.{signature}=",
        "spare bits": f"{signed}.{signature[:-1]}{chr(ord(signature[-1]) + 1)}",
    }  # fmt: skip
    answers = await codes(house, cases)
    assert set(answers.values()) == {"token_invalid"}, answers
    assert await code(house, good) == "ok"


async def test_no_key_comes_with_the_token_or_from_where_it_points(
    house: House, provider: Provider
) -> None:
    mine = ec.generate_private_key(ec.SECP256R1())
    theirs = jwk(mine, "mine")
    provider.answer("/mine", {"keys": [theirs]})
    led: dict[str, dict[str, Any]] = {
        "jwk": {"jwk": theirs},
        "jku": {"jku": provider.url + "/mine"},
        "x5u": {"x5u": provider.url + "/mine"},
        "x5c": {"x5c": ["MIIB"]},
    }
    claims = provider.claims()
    forged = {
        f"{name}, kid {kid}": sealed(provider.header(kid=kid, **more), claims, mine)
        for name, more in led.items()
        for kid in ("one", "mine", provider.url + "/mine")
    }
    answers = await codes(house, forged)
    assert set(answers.values()) == {"token_invalid"}, answers
    ignored = {name: sealed(provider.header(**h), claims, provider.key) for name, h in led.items()}
    assert set((await codes(house, ignored)).values()) == {"ok"}
    assert set(provider.calls) == {DISCOVERY, KEYS}


async def test_headers_that_say_too_much_or_too_little(house: House, provider: Provider) -> None:
    def token(**changed: Any) -> str:
        return sealed(provider.header(**changed), provider.claims(), provider.key)

    twice = '{"alg":"none","alg":"ES256","kid":"one"}'
    cases = {
        "crit": token(crit=["exp"], exp=1),
        "empty crit": token(crit=[]),
        "b64": token(crit=["b64"], b64=False),
        "a logout token": token(typ="logout+jwt"),
        "a security event": token(typ="application/secevent+jwt"),
        "typ is no text": token(typ=1),
        "no kid": token(kid=None),
        "an empty kid": token(kid=""),
        "kid is a number": token(kid=1),
        "kid is a list": token(kid=["one"]),
        "a long kid": token(kid="k" * 257),
        "a kid with a path": token(kid="../../one"),
        "a kid with SQL": token(kid="' OR '1'='1"),
        "a kid with a blank": token(kid="one "),
        "a kid with a NUL": token(kid="one\0"),
        "alg twice": sealed(twice, provider.claims(), provider.key),
        "a list": sealed('["ES256"]', provider.claims(), provider.key),
        "a word": sealed('"ES256"', provider.claims(), provider.key),
    }
    answers = await codes(house, cases)
    assert set(answers.values()) == {"token_invalid"}, answers
    fine = {kind: token(typ=kind) for kind in ("JWT", "jwt", "at+jwt", "application/at+jwt", None)}
    assert set((await codes(house, {str(k): t for k, t in fine.items()})).values()) == {"ok"}


async def test_what_is_no_json_or_too_much_of_it(house: House, provider: Provider) -> None:
    header, usual = provider.header(), json.dumps(provider.claims())
    bodies: dict[str, str | bytes] = {
        "a list": "[]",
        "nothing": "",
        "tenant twice": usual[:-1] + ', "tenant_id": "tnt_other"}',
        "a deep bomb": usual[:-1] + ', "x": ' + "[" * 1500 + "]" * 1500 + "}",
        "an open bomb": "[" * 5000,
        "a long number": usual[:-1] + f', "x": {"9" * 4500}}}',
        "an endless number": usual[:-1] + ', "x": 1e999}',
        "NaN": usual[:-1] + ', "x": NaN}',
        "two values": usual + "{}",
        "a byte order mark": b"\xef\xbb\xbf" + usual.encode(),
        "no UTF-8": usual[:-1].encode() + b', "x": "\xff"}',
        "half a surrogate pair": usual[:-1] + ', "x": "\\ud800"}',
        "UTF-16": usual.encode("utf-16"),
    }
    cases = {name: sealed(header, body, provider.key) for name, body in bodies.items()}
    good = provider.token()
    cases["8 KiB and more"] = provider.token(x="x" * 6500)
    cases["four parts"] = good + ".x"
    cases["five parts, as encrypted ones"] = good + ".x.y"
    cases["two parts"] = good.rpartition(".")[0]
    cases["dots"] = "...."
    answers = await codes(house, cases)
    assert set(answers.values()) == {"token_invalid"}, answers
    assert await code(house, provider.token(x="x" * 5000)) == "ok"


async def test_an_issuer_is_its_name_byte_for_byte(house: House, provider: Provider) -> None:
    url = provider.url
    others = [
        url + "/", url.upper(), url.replace("http", "HTTP"), url + " ", " " + url, url + "/x",
        url + "?", url + "#", url + "%00", url.replace("127.0.0.1", "localhost"),
        url.replace("127", "127", 1) + "0", url.replace("//", "//x@"), "corp", "local", "",
    ]  # fmt: skip
    cases = {str(iss): provider.token(iss=iss) for iss in others}
    cases |= {"none": provider.token(iss=None), "list": provider.token(iss=[url])}
    cases |= {"number": provider.token(iss=1), "object": provider.token(iss={"x": url})}
    answers = await codes(house, cases)
    assert set(answers.values()) == {"token_invalid"}, answers
    assert provider.calls == []


async def test_nobody_passes_for_the_vault_itself(house: House, provider: Provider) -> None:
    root = house.vault.issuer.published()[0]
    own = house.vault.issuer.name
    claims = provider.claims(iss=own, sub="sa:root", nbf=1, client_id="sa_root")
    forged = sealed(provider.header(kid=root["kid"], typ="at+jwt"), claims, provider.key)
    assert await code(house, forged) == "token_invalid"


@pytest.mark.parametrize("bits", [1024, 2047])
async def test_a_weak_rsa_key_proves_nothing(opened: Open, provider: Provider, bits: int) -> None:
    provider.key = rsa.generate_private_key(65537, bits)
    provider.publish(jwk(provider.key, "one"))
    assert await code(await opened(), provider.token()) == "token_invalid"


async def test_which_keys_of_a_set_are_for_tokens(opened: Open, provider: Provider) -> None:
    key = provider.key
    unfit: list[dict[str, Any]] = [
        jwk(key, "for encryption", use="enc"),
        jwk(key, "to wrap", key_ops=["wrapKey"]),
        jwk(key, "of another alg", alg="ES384"),
        jwk(key, "of another curve", crv="P-384"),
        jwk(key, "off the curve", y=base64url(b"\1" * 32)),
        jwk(key, "short", x=base64url(b"\1" * 31)),
        {"kty": "oct", "kid": "shared", "k": base64url(b"secret"), "alg": "HS256"},
        {"kty": "none", "kid": "nothing"},
        {"kid": "no type"},
        {"kty": ["EC"], "kid": "list"},
        {"kty": "EC", "crv": "P-256", "x": 1, "y": 2, "kid": "numbers"},
    ]
    fit = [jwk(key, "plain"), jwk(key, "alg", alg="ES256"), jwk(key, "ops", key_ops=["verify"])]
    del fit[0]["use"]
    provider.answer(KEYS, {"keys": [None, 7, "x", *unfit, *fit, jwk(RSA, "plain")]})
    house = await opened()
    claims = provider.claims()
    names = [*(str(one["kid"]) for one in unfit), "numbers"]
    answers = await codes(
        house, {name: sealed(provider.header(kid=name), claims, key) for name in names}
    )
    assert set(answers.values()) == {"token_invalid"}, answers
    good = {n: sealed(provider.header(kid=n), claims, key) for n in ("plain", "alg", "ops")}
    good["RSA"] = sealed(provider.header(kid="plain", alg="RS256"), claims, RSA)
    assert set((await codes(house, good)).values()) == {"ok"}


async def test_edwards_keys_count_where_the_issuer_may_use_them(
    opened: Open, provider: Provider
) -> None:
    provider.key = ed25519.Ed25519PrivateKey.generate()
    provider.publish(jwk(provider.key, "one"), jwk(provider.key, "two", crv="Ed448"))
    house = await opened(algorithms=["EdDSA"])
    assert await code(house, provider.token()) == "ok"
    other = sealed(provider.header(kid="two"), provider.claims(), provider.key)
    assert await code(house, other) == "token_invalid"


async def test_a_rewritten_signature_is_the_same_token(house: House, provider: Provider) -> None:
    """Of ES256 anybody can make a second valid one: a revoked token must not come back so."""
    token = provider.token(jti=None)
    signed, _, signature = token.rpartition(".")
    raw = from_base64url(signature)
    other = raw[:32] + (_ORDER - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
    twin = f"{signed}.{base64url(other)}"
    assert await code(house, twin) == "ok"
    assert (await house.call("DELETE", "/v1/auth/tokens/self", token=token)).status == 204
    assert await code(house, token) == "token_revoked"
    assert await code(house, twin) == "token_revoked"
