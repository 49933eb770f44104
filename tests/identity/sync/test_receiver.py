"""The receiver: whose events are taken, and how often."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaivault.clock import DAY, SECOND, FakeClock
from scaivault.gate.limits import CATEGORIES
from scaivault.identity.sync import signature
from tests.identity.sync.scaikey import (
    SECRET,
    TENANT,
    WHERE,
    ScaiKey,
    mac,
    post,
    signed,
)
from tests.support.house import Answer, House

VECTOR = b'{"event_id":"evt_sk1","event_type":"user.suspended"}'
VECTOR_MAC = "6142a82700ec51640fa32ce87b8f40345ddb566cf25e7dfd9d209ec859485d51"
VECTOR_TIME = "1927875601"


# -- signatures --------------------------------------------------------------------------------


def test_the_printed_vector() -> None:
    found = signature.parse(f"t={VECTOR_TIME},v1={VECTOR_MAC}")
    assert found is not None
    assert signature.is_genuine(found, SECRET.encode(), VECTOR)
    assert not signature.is_genuine(found, SECRET.encode(), VECTOR + b" ")
    assert not signature.is_genuine(found, b"sk-receiver-secreT", VECTOR)


async def test_a_good_signature_over_something_else_than_an_event(house: House) -> None:
    assert isinstance(house.clock, FakeClock)
    house.clock.advance(int(VECTOR_TIME) * SECOND - house.clock.now())
    answer = await post(house, VECTOR, f"t={VECTOR_TIME},v1={VECTOR_MAC}")
    assert (answer.status, answer.code) == (400, "invalid_request")
    assert "timestamp: is required" in answer.json["error"]["message"]
    assert answer.details == {"reason": "envelope"}


@given(st.text(max_size=80) | st.text("t=v1,0a ", max_size=90))
def test_whatever_stands_in_the_header(text: str) -> None:
    found = signature.parse(text)
    assert found is None or not signature.is_genuine(found, b"secret", b"body")


def event(scaikey: ScaiKey) -> bytes:
    return json.dumps(scaikey.envelope("application.created", "app_1")).encode()


async def test_one_of_several_signatures_is_enough(scaikey: ScaiKey) -> None:
    house, body = scaikey.house, event(scaikey)
    time = str(house.clock.now() // SECOND)
    good, bad = mac(SECRET, time, body), mac("old", time, body)
    for header in (
        f"t={time},v1={bad},v1={good}",
        f"v1={good.upper()}, t={time}, v0=deadbeef",
    ):
        assert (await post(house, body, header)).status == 200
    answer = await post(house, body, f"t={time},v1={bad},v1={bad}")
    assert (answer.status, answer.code) == (401, "token_invalid")


BROKEN = {
    "missing": None,
    "empty": "",
    "no time": "v1={v1}",
    "no signature": "t={t}",
    "two times": "t={t},t={t},v1={v1}",
    "a word": "t={t},v1=x",
    "half": "t={t},v1={half}",
    "another time": "t={t}0,v1={v1}",
    "a signed time": "t=+{t},v1={v1}",
    "no pairs": "{v1}",
    "another version": "t={t},v2={v1}",
    "half broken": "t={t},v1={v1},v1=x",
}


@pytest.mark.parametrize("name", BROKEN)
async def test_headers_that_are_no_signature(scaikey: ScaiKey, name: str) -> None:
    house, body = scaikey.house, event(scaikey)
    time = str(house.clock.now() // SECOND)
    good = mac(SECRET, time, body)
    header = BROKEN[name]
    if header is not None:
        header = header.format(t=time, v1=good, half=good[:32])
    answer = await post(house, body, header)
    assert (answer.status, answer.code) == (401, "token_invalid")
    (row,) = await house.rows(request_id=answer.headers["x-request-id"])
    assert (row["action"], row["success"]) == ("auth_failed", False)
    assert row["extra_data"]["route"] == f"POST {WHERE}"


async def test_two_signatures_are_none(scaikey: ScaiKey) -> None:
    """Not even twice the same: whoever checks the first one and another one who checks the last
    would disagree."""
    house, body = scaikey.house, event(scaikey)
    line = (b"x-scaikey-signature", signed(house, body).encode())
    for lines, status in (([line], 200), ([line, line], 401)):
        scope = {
            "type": "http", "method": "POST", "path": WHERE, "raw_path": WHERE.encode(),
            "query_string": b"", "client": ("127.0.0.1", 1), "scheme": "http",
            "headers": [*lines, (b"content-length", str(len(body)).encode())],
        }  # fmt: skip
        answer = await house._exchange(scope, body)
        assert answer.status == status
    assert answer.code == "token_invalid"


@pytest.mark.parametrize(("late", "status"), [(300, 200), (301, 401), (-300, 200), (-301, 401)])
async def test_how_old_a_signature_may_be(scaikey: ScaiKey, late: int, status: int) -> None:
    body = event(scaikey)
    answer = await post(scaikey.house, body, signed(scaikey.house, body, late=late))
    assert answer.status == status


async def test_nothing_of_an_unsigned_body_is_read(house: House) -> None:
    """Neither what is no JSON nor what is no event is told from a good one."""
    told = set()
    for body in (b"{", b"[]", b'{"a":1,"a":2}', b"", b"\xff"):
        answer = await post(house, body, "t=1,v1=" + "0" * 64)
        told.add((answer.status, answer.code, answer.json["error"]["message"]))
    assert len(told) == 1
    assert next(iter(told))[0] == 401


async def test_a_body_of_any_type_and_of_256_kib(scaikey: ScaiKey) -> None:
    house = scaikey.house
    envelope = scaikey.envelope("application.created", "app_1", {"pad": ""})
    bare = len(json.dumps(envelope).encode())
    for more, status in ((0, 200), (1, 413)):
        envelope["data"]["pad"] = "x" * (256 * 1024 - bare + more)
        body = json.dumps(envelope).encode()
        headers = {"X-ScaiKey-Signature": signed(house, body), "content-type": "text/plain"}
        answer = await house.call("POST", WHERE, raw=body, token=None, headers=headers)
        assert answer.status == status


async def test_a_receiver_that_is_not_set_up_counts_too(tmp_path: Path) -> None:
    """Each refusal has a row, so that no stranger may have as many as he likes."""
    house = await House.opened(tmp_path / "vault", rate_limits__auth_failed=3)
    found = [(await post(house, b"{}", "t=1,v1=00")).status for _ in range(6)]
    assert found == [503] * 3 + [429] * 3
    codes = [row["extra_data"]["error_code"] for row in await house.rows(success=False)]
    assert codes == ["service_unavailable"] * 3 + ["rate_limited"]
    await house.close()


# -- the secret --------------------------------------------------------------------------------


async def test_without_a_secret(tmp_path: Path) -> None:
    house = await House.opened(tmp_path / "vault")
    body = b"{}"
    answer = await post(house, body, signed(house, body, secret=""))
    assert (answer.status, answer.code) == (503, "service_unavailable")
    await house.close()


@pytest.mark.parametrize("content", ["", " \n", None])
async def test_an_empty_secret_is_none(house: House, tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "scaikey.secret"
    if content is None:
        file.unlink()
    else:
        file.write_text(content)
    answer = await post(house, b"{}", signed(house, b"{}", secret=""))
    assert (answer.status, answer.code) == (503, "service_unavailable")


async def test_another_secret_needs_no_restart(scaikey: ScaiKey, tmp_path: Path) -> None:
    house, body = scaikey.house, event(scaikey)
    (tmp_path / "scaikey.secret").write_text("another")
    assert (await post(house, body, signed(house, body))).status == 401
    assert (await post(house, body, signed(house, body, secret="another"))).status == 200


# -- the envelope ------------------------------------------------------------------------------

FIELDS = (
    "event_id", "event_type", "timestamp", "resource", "actor", "data", "tenant_id", "partner_id",
)  # fmt: skip


@pytest.mark.parametrize("name", FIELDS)
async def test_a_field_is_missing(scaikey: ScaiKey, name: str) -> None:
    envelope = scaikey.envelope("user.created", "usr_1", {"email": "mira@harbor.example"})
    del envelope[name]
    await refused(scaikey, json.dumps(envelope).encode())


WRONG: dict[str, Any] = {
    "event_id": 7,
    "event_type": "",
    "timestamp": "yesterday",
    "resource": {"type": "user"},
    "actor": "usr_1",
    "data": [],
    "tenant_id": 3,
    "partner_id": {},
}


@pytest.mark.parametrize("name", FIELDS)
async def test_a_field_is_of_another_kind(scaikey: ScaiKey, name: str) -> None:
    envelope = scaikey.envelope("user.created", "usr_1") | {name: WRONG[name]}
    answer = await refused(scaikey, json.dumps(envelope).encode())
    assert f": {name}" in answer.json["error"]["message"]
    assert answer.details == {"reason": "envelope"}


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"{", b'{"event_id":"a","event_id":"b"}', b"[" * 5000, b"\xff"]
)
async def test_a_body_is_no_object(scaikey: ScaiKey, body: bytes) -> None:
    await refused(scaikey, body)


async def refused(scaikey: ScaiKey, body: bytes) -> Answer:
    house = scaikey.house
    answer = await post(house, body, signed(house, body))
    assert (answer.status, answer.code) == (400, "invalid_request"), answer.body
    (row,) = await house.rows(request_id=answer.headers["x-request-id"])
    assert (row["action"], row["success"]) == ("identity_webhook", False)
    return answer


# -- once --------------------------------------------------------------------------------------


async def test_an_event_counts_once_in_seven_days(scaikey: ScaiKey, house: House) -> None:
    envelope = scaikey.envelope("user.created", "usr_1", {"email": "mira@harbor.example"})
    assert await scaikey.deliver(envelope) == "applied"
    assert await scaikey.deliver(envelope) == "duplicate"
    await house.restart()
    await house.unseal()
    assert await scaikey.deliver(envelope) == "duplicate"
    assert isinstance(house.clock, FakeClock)
    house.clock.advance(7 * DAY - SECOND)
    await house.run_jobs()
    await house.run_jobs()
    assert await scaikey.deliver(envelope) == "duplicate"
    house.clock.advance(SECOND)
    assert await scaikey.deliver(envelope) == "applied"


async def test_an_event_that_comes_many_times_at_once(scaikey: ScaiKey) -> None:
    envelope = scaikey.envelope("user.created", "usr_1", {"email": "mira@harbor.example"})
    told = await asyncio.gather(*(scaikey.deliver(envelope) for _ in range(8)))
    assert sorted(told) == ["applied", *["duplicate"] * 7]


async def test_unknown_events_change_nothing(scaikey: ScaiKey, house: House) -> None:
    for kind in (
        "application.created", "user.renamed", "group.painted", "group_membership.updated",
        "billing.due", "user", "user.", "users.created", "USER.CREATED",
    ):  # fmt: skip
        assert await scaikey.send(kind, "x_1") == "ignored", kind
    users = await house.get(f"/v1/identity/tenants/{TENANT}/users")
    assert users.json["total"] == 0


async def test_the_ledger_tells_what_became_of_an_event(scaikey: ScaiKey, house: House) -> None:
    envelope = scaikey.envelope("user.created", "usr_1", {"email": "mira@harbor.example"})
    before = len(await house.rows(action="identity_webhook"))
    await scaikey.deliver(envelope)
    await scaikey.deliver(envelope)
    rows = (await house.rows(action="identity_webhook"))[before:]
    assert [row["extra_data"] for row in rows] == [
        {"event_id": envelope["event_id"], "event_type": "user.created", "result": result}
        for result in ("applied", "duplicate")
    ]
    assert rows[0]["tenant_id"] == TENANT


# -- limits ------------------------------------------------------------------------------------


@pytest.fixture
async def limited(tmp_path: Path) -> AsyncIterator[House]:
    house = await House.opened(tmp_path / "limited", **ScaiKey.settings(tmp_path))
    yield house
    await house.close()


async def test_refusals_count_as_failed_logins(limited: House) -> None:
    """Whatever is wrong: a stranger makes no more rows than with guessed tokens."""
    most = CATEGORIES["auth_failed"]
    big, good = b"x" * 300_000, signed(limited, b"{}")
    for number in range(most + 5):
        body, header = ((b"{}", "t=1,v1=00"), (big, None), (b"{}", good))[number % 3]
        answer = await post(limited, body, header)
        expected = (401, 413, 400)[number % 3] if number < most else 429
        assert answer.status == expected
    scaikey = ScaiKey(limited)
    await scaikey.found()  # who has the secret is not held up by those who have not
