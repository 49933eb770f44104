"""No token that is exchanged, and none that comes of it, is written down anywhere."""

from __future__ import annotations

import logging

import msgspec
import pytest

from scaivault.storage.file import Connection
from tests.support.house import House
from tests.support.issuing import Provider
from tests.support.trusting import GRANT, TYPE, build, exchange, form, given


def _everything(db: Connection) -> bytes:
    """Every row of every table."""
    names = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    rows = [repr(row) for name in names for row in db.execute(f"SELECT * FROM {name}")]
    return "\n".join(rows).encode()


async def test_no_token_is_written_down(
    house: House, provider: Provider, trusted: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    good = build(provider)
    new = await given(house, good)
    child = await given(house, new, subject_token_type=TYPE + "access_token")
    bad = [
        good,  # exchanged before
        build(provider, aud="x"),
        build(provider, sub="x"),
        build(provider, iss="https://other.example"),
        good[:-8] + "AAAAAAAA",
        "x" * 17_000,
        "canary-one.canary-two.canary-three",
    ]
    told = []
    for token in bad:
        told.append((await exchange(house, token)).body)
        told.append((await exchange(house, token, scope="admin", ttl=token)).body)
        told.append((await exchange(house, token, role=token[:300])).body)
        told.append((await exchange(house, token, subject_token_type=token)).body)
        refused = await form(house, "/oauth/token", grant_type=GRANT, subject_token=token)
        told.append(refused.body)
    await house.vault.flush()
    told.append(msgspec.json.encode(await house.rows()))
    told.append(msgspec.json.encode(await house.events()))
    told.append(caplog.text.encode())
    told.append(await house.vault.gate.ask(_everything))
    for token in (new, child, *bad):
        for part in token.split("."):
            for text in told:
                assert part.encode() not in text
