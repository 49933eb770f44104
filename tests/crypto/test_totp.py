"""RFC 6238, appendix B: the last six of its eight digits."""

from __future__ import annotations

import base64
from urllib.parse import parse_qs, urlsplit

import pytest

from scaivault.crypto import totp

SECRET = b"12345678901234567890"
VECTORS = [
    (59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"),
    (2000000000, "279037"), (20000000000, "353130"),
]  # fmt: skip


@pytest.mark.parametrize(("at", "expected"), VECTORS)
def test_vectors(at: int, expected: str) -> None:
    assert totp.code(SECRET, totp.step_at(at)) == expected


def test_the_window_is_one_step_to_each_side() -> None:
    now = 1_234_567_890
    here = totp.step_at(now)
    for off in range(-3, 4):
        expected = [here + off] if abs(off) <= 1 else []
        assert totp.steps_of(SECRET, totp.code(SECRET, here + off), now) == expected
    assert totp.steps_of(SECRET, totp.code(SECRET, 0), 0) == [0]


@pytest.mark.parametrize("given", ["", "28708", "2870822", "\uff12\uff18708\uff12", "abcdef"])
def test_what_is_no_code(given: str) -> None:
    assert totp.steps_of(SECRET, given, 59) == []


def test_how_authenticators_read_it() -> None:
    assert base64.b32decode(totp.text(SECRET)) == SECRET
    uri = urlsplit(totp.uri(SECRET, "mira@harbor.example"))
    assert (uri.scheme, uri.netloc, uri.path) == (
        "otpauth", "totp", "/ScaiVault:mira%40harbor.example",
    )  # fmt: skip
    assert parse_qs(uri.query) == {
        "secret": [totp.text(SECRET)], "issuer": ["ScaiVault"], "algorithm": ["SHA1"],
        "digits": ["6"], "period": ["30"],
    }  # fmt: skip
