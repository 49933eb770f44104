"""Known answers of every primitive, computed at each start before any key is touched.

A library built wrongly, a changed private interface of PyNaCl or a broken CPU then stops the
program instead of writing what cannot be read again. ``run`` also counts, so that a table cut
short does not pass for a table that holds. Takes about 0.1 s, nearly all of it Argon2id.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from scaivault.crypto import aead, codes, digest, kdf, shamir, signing
from scaivault.crypto.memory import Guarded, Wiped, wipe

COUNT: Final = 32


class SelfTestFailed(Exception):
    """A primitive gives a wrong answer; nothing may be opened or written."""


def run() -> int:
    """Checks every vector and returns how many there were. ``SelfTestFailed`` names the first
    that does not hold."""
    ran = 0
    for name, compute, expected in _VECTORS:
        try:
            actual = compute()
        except Exception as error:
            raise SelfTestFailed(f"self-test {name}: {type(error).__name__}") from error
        if actual != expected:
            raise SelfTestFailed(f"self-test {name}: wrong answer")
        ran += 1
    if ran != COUNT:
        raise SelfTestFailed(f"self-test: {ran} vectors ran, {COUNT} were expected")
    return ran


_COUNTING: Final = bytes(range(32))
_VAULT: Final = "vlt_00000000000000000000"


def _key(raw: bytes = _COUNTING) -> Guarded:
    return Guarded(len(raw)).load(raw)


def _raised(error: type[Exception], call: Callable[[], object]) -> bool:
    try:
        call()
    except error:
        return True
    return False


# -- guarded memory -------------------------------------------------------------------------


def _memory_holds() -> bytes:
    return bytes(_key().reveal())


def _memory_wiped() -> bool:
    key = _key()
    pointer = key.pointer
    key.wipe()
    return bytes(pointer[i] for i in range(32)) == bytes(32) and _raised(Wiped, key.reveal)


def _memory_random() -> bool:
    return not Guarded.random().equals(Guarded.random()) and _key().equals(_key())


def _buffer_wiped() -> bytes:
    buffer = bytearray(_COUNTING)
    wipe(buffer)
    return bytes(buffer)


# -- XChaCha20-Poly1305: draft-irtf-cfrg-xchacha-03 A.3.1, and the vector of docs/formats.md --

_DRAFT_KEY: Final = bytes(range(0x80, 0xA0))
_DRAFT_NONCE: Final = bytes(range(0x40, 0x58))
_DRAFT_AAD: Final = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
_DRAFT_TEXT: Final = (
    b"Ladies and Gentlemen of the class of '99: If I could offer you "
    b"only one tip for the future, sunscreen would be it."
)
_DRAFT_SEALED: Final = bytes.fromhex(
    "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa644"
    "0bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e"
    "3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812f615c68b13b52e"
    "c0875924c1c7987947deafd8780acf49"
)
_PLACE: Final = aead.context("value", "vlt_1", "tnt_1", "secret:a/b", 3, 0)
_BOX: Final = b"\x01" + bytes(range(24)) + bytes.fromhex("75a6f97acc95aecfd6f1f92710ade61016ec")


def _box_key() -> Guarded:
    return kdf.derive(_key(), 1, b"svroot01")


def _draft_box() -> bytes:
    return aead.seal_with(_key(_DRAFT_KEY), _DRAFT_NONCE, _DRAFT_TEXT, _DRAFT_AAD)


def _draft_open() -> bytes:
    return aead.unseal(_key(_DRAFT_KEY), b"\x01" + _DRAFT_NONCE + _DRAFT_SEALED, _DRAFT_AAD)


def _changed_box() -> bool:
    changed = _BOX[:-1] + bytes([_BOX[-1] ^ 1])
    return _raised(aead.Damaged, lambda: aead.unseal(_box_key(), changed, _PLACE))


def _wrapped_key() -> bool:
    inner = Guarded.random()
    return aead.unwrap(_key(), aead.wrap(_key(), inner, _PLACE), _PLACE).equals(inner)


def _envelope() -> bytes:
    first, second = _key(), _box_key()
    dek, value = aead.seal_value(first, b"value", b"dek place", _PLACE)
    moved = aead.rewrap(first, second, dek, b"dek place", b"new place")
    return aead.open_value(second, moved, value, b"new place", _PLACE)


# -- audit chain and checkpoint --------------------------------------------------------------

_ROW_1: Final = (
    b'{"action":"write","actor_tenant_id":"tnt_h","duration_ms":6,"extra_data":{"created":true,'
    b'"version":1},"id":"log_01o3f5e7g00000000000000001","identity_id":"user:mira@harbor.example",'
    b'"identity_type":"user","partner_id":"ptn_h","request_id":"req_01o3f5e7g00000000000000002",'
    b'"secret_path":"shop/prod/mailer","seq":1,"source_ip":"192.0.2.14","success":true,'
    b'"tenant_id":"tnt_h","timestamp":"2031-02-03T09:00:00.000001Z","user_agent":"curl/8"}'
)
_ROW_2: Final[dict[str, object]] = {
    "user_agent": 'Zoë "q" \\1',
    "timestamp": "2031-02-03T09:00:01.000000Z",
    "tenant_id": None,
    "success": False,
    "source_ip": "2001:db8::7",
    "seq": 2,
    "secret_path": None,
    "request_id": "req_01o3f5e7g00000000000000004",
    "partner_id": None,
    "identity_type": None,
    "identity_id": None,
    "id": "log_01o3f5e7g00000000000000003",
    "extra_data": {"error_code": "token_invalid"},
    "duration_ms": 0,
    "actor_tenant_id": None,
    "action": "auth_failed",
}
_H2: Final = "6060a10cd24f11381f2469a1f551d8073b61d97f4c5ed0a51b7a750029ab5e6e"
_CHECKPOINT: Final[dict[str, object]] = {
    "hash": _H2,
    "key_id": "7751cda99a595122",
    "prev_seq": 0,
    "seq": 2,
    "timestamp": "2031-02-03T09:10:00.000000Z",
    "vault_id": _VAULT,
}
_SIGNATURE: Final = (
    "IZpNTv_4Br_GewpfplAYK3CiRmc3F7M7ZQ9n_-6jjOrv6ssldGCV2MbbhrbfK4wLl563WB726XhX7q-8NF0mDA"
)
_PUBLIC: Final = "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg"


def _hash_1() -> bytes:
    return digest.link(digest.chain_start(_VAULT), digest.row_digest(_ROW_1))


def _hash_2() -> str:
    return digest.link(_hash_1(), digest.row_digest(digest.jcs(_ROW_2))).hex()


def _signer() -> signing.CheckpointKey:
    return signing.CheckpointKey(_COUNTING)


def _checkpoint_verified(changes: dict[str, object]) -> bool:
    public = signing.from_base64url(_PUBLIC)
    return signing.checkpoint_verified(public, _CHECKPOINT | changes, _SIGNATURE)


# -- ES256: RFC 7515 A.3; thumbprint: RFC 7638 section 3.1 ------------------------------------

_ISSUER_PRIVATE: Final = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"
_ISSUER_X: Final = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
_JWS_INPUT: Final = (
    b"eyJhbGciOiJFUzI1NiJ9."
    b"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
)
_JWS_SIGNATURE: Final = (
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
)
_RSA_N: Final = (
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECP"
    "ebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY"
    "368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0f"
    "M4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
)


def _issuer() -> signing.IssuerKey:
    return signing.IssuerKey(signing.from_base64url(_ISSUER_PRIVATE))


def _jws(message: bytes) -> bool:
    return _issuer().public.verified(message, signing.from_base64url(_JWS_SIGNATURE))


def _issuer_round() -> bool:
    key = _issuer()
    return key.public.verified(b"message", key.sign(b"message"))


# -- shares ----------------------------------------------------------------------------------

# Of the secret 00 01 … 1f with byte i of the coefficients 7i+3 and 11i+5: threshold 3.
_SHARES: Final = {
    index: bytes.fromhex(share)
    for index, share in {
        1: "061b083d2a1f6c616e233025d2c7f4c9d6ab584d7a6f7cb1beb380f5e2978499",
        5: "5a28e70b6b6ac4e625ea7edfdd27482ca4ec6e94e243d737f4d6540e6eae6113",
        32: "a7c0777210fa90c167adb6309fb56e263c2a82a8e56378882e7f4b791b40f790",
    }.items()
}


def _combined() -> bytes:
    return bytes(shamir.combine(_SHARES).reveal())


def _split() -> bool:
    secret = Guarded.random()
    shares = shamir.split(secret, 4, 2)
    return shamir.combine(dict(shares[1:3])).equals(secret)


_ARGON2ID: Final = "4a5918e2d042e25aab03faae03ea4bf543e95244e2bf8dc4b12a01a3ffb74459"
_TOKEN: Final = "skt_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf1eXUNl"
_RECOVERY: Final = "svr1-aaaq-eaye-auda-ocaj-bifq-ydio-b4ib-ceqt-cqkr-mfyy-denb-wha5-dypq-yjn7"
_SHARE: Final = "svs1-123456-7-aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypq-ebtr"


def _argon2id() -> str:
    words = bytearray(b"scaivault self-test")
    return kdf.argon2id(words, bytes(range(16)), 1, 64 * 1024).reveal().hex()


_VECTORS: Final[tuple[tuple[str, Callable[[], object], object], ...]] = (
    ("guarded memory", _memory_holds, _COUNTING),
    ("guarded memory, wiped", _memory_wiped, True),
    ("guarded memory, random", _memory_random, True),
    ("wiped buffer", _buffer_wiped, bytes(32)),
    (
        "derived key",
        lambda: _box_key().reveal().hex(),
        "07f0e4cce16da2c0a0b8b02edcc935ad8f181ca95b6ddf2cab0b9aa3e0668b11",
    ),
    ("argon2id", _argon2id, _ARGON2ID),
    ("xchacha20-poly1305 draft, seal", _draft_box, b"\x01" + _DRAFT_NONCE + _DRAFT_SEALED),
    ("xchacha20-poly1305 draft, open", _draft_open, _DRAFT_TEXT),
    ("box, seal", lambda: aead.seal_with(_box_key(), bytes(range(24)), b"hi", _PLACE), _BOX),
    ("box, open", lambda: aead.unseal(_box_key(), _BOX, _PLACE), b"hi"),
    ("box, changed", _changed_box, True),
    ("wrapped key", _wrapped_key, True),
    ("envelope", _envelope, b"value"),
    (
        "blake2b",
        lambda: digest.plain(b"abc").hex(),
        "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319",
    ),
    (
        "blake2b, keyed",
        lambda: digest.keyed(_key(), b"abc").hex(),
        "d63a32d3e44738d7907f964316c241adaba0abfeabc32349677578a15a203f7f",
    ),
    (
        "audit chain, start",
        lambda: digest.chain_start(_VAULT).hex(),
        "ccd75c863ddb8690e3ad48113f2dc9d4635ba2d4354462f3dd36307ba18cb9cd",
    ),
    (
        "audit chain, first row",
        lambda: digest.row_digest(_ROW_1).hex(),
        "812ec77181eb571faf653f44bbac50ae257c215248b82f3efc1ff10cfa2bc035",
    ),
    (
        "audit chain, changed row",
        lambda: digest.row_digest(_ROW_1.replace(b'"duration_ms":6', b'"duration_ms":7')).hex(),
        "91ea633fae508a88068b0b7af6cce7db824af2aefcf3d90c68247f4b76c85013",
    ),
    (
        "audit chain, first hash",
        lambda: _hash_1().hex(),
        "ec02362e9e0e9e79be76815492a62d7d49bfb8029d0ed90644589e9fa7d81b7d",
    ),
    (
        "audit chain, canonical row",
        lambda: digest.row_digest(digest.jcs(_ROW_2)).hex(),
        "be32fee1785660333dcf0274493d0dccdd0d8c37170a4cab6f80dd08f43a9bcc",
    ),
    ("audit chain, second hash", _hash_2, _H2),
    (
        "audit chain, pruned set",
        lambda: digest.pruned_set([1]).hex(),
        "6f81bd7ce9df8cab49a93a9dd2983b822876f9de193e5b11ef56909d9fbee17c",
    ),
    (
        "checkpoint, key",
        lambda: (signing.base64url(_signer().public), _signer().key_id),
        (_PUBLIC, _CHECKPOINT["key_id"]),
    ),
    ("checkpoint, sign", lambda: _signer().sign(_CHECKPOINT), _SIGNATURE),
    (
        "checkpoint, verify",
        lambda: (_checkpoint_verified({}), _checkpoint_verified({"seq": 3})),
        (True, False),
    ),
    ("es256, verify", lambda: (_jws(_JWS_INPUT), _jws(_JWS_INPUT + b"A")), (True, False)),
    ("es256, sign", lambda: (_issuer_round(), _issuer().public.jwk()["x"]), (True, _ISSUER_X)),
    (
        "thumbprint",
        lambda: signing.thumbprint({"kty": "RSA", "n": _RSA_N, "e": "AQAB"}),
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
    ),
    # FIPS 197 section 4.2
    (
        "field product",
        lambda: (shamir.product(0x57, 0x83), shamir.product(0x57, 0x13)),
        (0xC1, 0xFE),
    ),
    ("shares", lambda: (_combined(), _split()), (_COUNTING, True)),
    (
        "token",
        lambda: (codes.token("skt_", _COUNTING), codes.token_raw("skt_", _TOKEN)),
        (_TOKEN, _COUNTING),
    ),
    (
        "recovery key and share",
        lambda: (codes.recovery(_COUNTING), codes.share("slot_123456", 7, _COUNTING)),
        (_RECOVERY, _SHARE),
    ),
)
