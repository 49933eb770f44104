"""Checkpoints and access tokens: signed by the right key over the right bytes, or refused."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaivault.crypto import signing
from scaivault.crypto.signing import CheckpointKey, IssuerKey, IssuerPublic

CHECKPOINT: dict[str, object] = {
    "hash": "6060a10cd24f11381f2469a1f551d8073b61d97f4c5ed0a51b7a750029ab5e6e",
    "key_id": "7751cda99a595122",
    "prev_seq": 0,
    "seq": 2,
    "timestamp": "2031-02-03T09:10:00.000000Z",
    "vault_id": "vlt_00000000000000000000",
}
SIGNATURE = "IZpNTv_4Br_GewpfplAYK3CiRmc3F7M7ZQ9n_-6jjOrv6ssldGCV2MbbhrbfK4wLl563WB726XhX7q-8NF0mDA"


def test_the_checkpoint_of_the_contract() -> None:
    key = CheckpointKey(bytes(range(32)))
    assert signing.base64url(key.public) == "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg"
    assert key.key_id == "7751cda99a595122"
    assert key.sign(CHECKPOINT) == SIGNATURE
    assert signing.checkpoint_verified(key.public, CHECKPOINT, SIGNATURE)


@pytest.mark.parametrize("field", list(CHECKPOINT))
def test_a_changed_or_missing_field_is_noticed(field: str) -> None:
    public = CheckpointKey(bytes(range(32))).public
    changed = CHECKPOINT | {field: 1}
    missing = {name: value for name, value in CHECKPOINT.items() if name != field}
    assert not signing.checkpoint_verified(public, changed, SIGNATURE)
    assert not signing.checkpoint_verified(public, missing, SIGNATURE)


@pytest.mark.parametrize("signature", ["", SIGNATURE[:-2], SIGNATURE + "==", SIGNATURE[:-1] + "B",
                                       "A" * 86, "\n" + SIGNATURE, SIGNATURE + "é"])  # fmt: skip
def test_a_signature_has_one_form(signature: str) -> None:
    assert not signing.checkpoint_verified(
        CheckpointKey(bytes(range(32))).public, CHECKPOINT, signature
    )


def test_another_key_verifies_nothing() -> None:
    assert not signing.checkpoint_verified(CheckpointKey.generate().public, CHECKPOINT, SIGNATURE)
    assert not signing.checkpoint_verified(b"short", CHECKPOINT, SIGNATURE)


def test_checkpoint_keys_are_random_and_kept_by_their_bytes() -> None:
    one, other = CheckpointKey.generate(), CheckpointKey.generate()
    assert one.public != other.public
    assert CheckpointKey(one.private()).sign(CHECKPOINT) == one.sign(CHECKPOINT)
    assert one.key_id == signing.checkpoint_key_id(one.public)
    assert repr(one) == "<secret>"


def test_issuer_keys_are_random_and_kept_by_their_bytes() -> None:
    one, other = IssuerKey.generate(), IssuerKey.generate()
    assert one.public.kid != other.public.kid
    again = IssuerKey(one.private())
    assert again.public.jwk() == one.public.jwk()
    assert one.public.verified(b"m", again.sign(b"m"))
    assert repr(one) == "<secret>"


@pytest.mark.parametrize("private", [b"", bytes(32), b"\xff" * 32, bytes(31), bytes(33)])
def test_a_scalar_off_the_curve_is_refused(private: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        IssuerKey(private)


@given(st.binary(max_size=60), st.integers(0, 511))
def test_a_flipped_bit_in_an_es256_signature_is_noticed(message: bytes, bit: int) -> None:
    key = IssuerKey(bytes(range(1, 33)))
    signature = bytearray(key.sign(message))
    assert len(signature) == 64
    assert key.public.verified(message, bytes(signature))
    assert not key.public.verified(message + b"x", bytes(signature))
    signature[bit // 8] ^= 1 << bit % 8
    assert not key.public.verified(message, bytes(signature))


@pytest.mark.parametrize("signature", [b"", bytes(64), bytes(63), bytes(65), b"\xff" * 64])
def test_a_signature_out_of_range_is_refused(signature: bytes) -> None:
    assert not IssuerKey.generate().public.verified(b"m", signature)


def test_a_published_key_verifies_the_signature_of_the_rfc() -> None:
    # RFC 7515, A.3
    published = IssuerPublic.from_jwk(
        {
            "kty": "EC",
            "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        }
    )
    header = b'{"alg":"ES256"}'
    payload = b'{"iss":"joe",\r\n "exp":1300819380,\r\n "http://example.com/is_root":true}'
    signed = f"{signing.base64url(header)}.{signing.base64url(payload)}".encode()
    signature = signing.from_base64url(
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    )
    assert published.verified(signed, signature)
    assert not published.verified(signed[:-1], signature)


def test_a_published_key_has_the_members_of_a_key_set() -> None:
    jwk = IssuerKey.generate().public.jwk()
    assert jwk["alg"] == "ES256"
    assert jwk["use"] == "sig"
    assert jwk["kid"] == signing.thumbprint(jwk)
    assert set(jwk) == {"kty", "crv", "x", "y", "kid", "use", "alg"}


GOOD = IssuerKey(bytes(range(1, 33))).public.jwk()
LONG = signing.base64url(b"\0" + signing.from_base64url(GOOD["x"]))


@pytest.mark.parametrize(
    "changed",
    [{"kty": "RSA"}, {"crv": "P-384"}, {"x": ""}, {"x": GOOD["y"]}, {"y": GOOD["y"] + "="},
     {"x": LONG}, {"x": "A" + GOOD["x"]}, {"x": GOOD["x"][:-4]}, {"y": "*" * 43}],
)  # fmt: skip
def test_a_foreign_or_broken_key_is_refused(changed: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"."):
        IssuerPublic.from_jwk(GOOD | changed)


def test_a_coordinate_that_starts_with_zeros_keeps_its_length() -> None:
    # About every 256th key: a short member would be no valid JWK.
    keys = (IssuerKey(n.to_bytes(32, "big")) for n in range(1, 2000))
    short = next(key for key in keys if signing.from_base64url(key.public.jwk()["x"])[0] == 0)
    assert len(signing.from_base64url(short.public.jwk()["x"])) == 32
    assert IssuerPublic.from_jwk(short.public.jwk()).kid == short.public.kid


def test_a_thumbprint_covers_required_members_only() -> None:
    okp = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    assert signing.thumbprint(okp) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"  # RFC 8037 A.3
    assert signing.thumbprint(okp | {"alg": "EdDSA", "kid": "x"}) == signing.thumbprint(okp)
    for broken in ({"kty": "oct", "k": "AA"}, {"kty": "EC", "crv": "P-256"}, {}):
        with pytest.raises(ValueError, match="lacks"):
            signing.thumbprint(broken)


@given(st.binary(max_size=40))
def test_base64url_has_one_text(raw: bytes) -> None:
    text = signing.base64url(raw)
    assert text == base64.urlsafe_b64encode(raw).decode().rstrip("=")
    assert signing.from_base64url(text) == raw


@pytest.mark.parametrize("text", ["A", "AB", "AA==", "A A", "AA\n", "+/+/", "é"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        signing.from_base64url(text)
