"""Rate limits as a caller meets them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from scaivault.clock import MINUTE
from tests.support.house import Answer, House
from tests.support.rights import SCOPES

LIMITS: dict[str, Any] = {
    "rate_limits__secrets_read": 4,
    "rate_limits__secrets_list": 3,
    "rate_limits__auth_failed": 3,
}


@pytest.fixture
async def tight(tmp_path: Path) -> AsyncIterator[House]:
    opened = await House.opened(tmp_path / "vault", **LIMITS)
    await opened.put("a", {})
    yield opened
    await opened.close()


def told(answer: Answer) -> tuple[str, ...]:
    return tuple(
        answer.headers.get(f"x-ratelimit-{name}", "") for name in ("limit", "remaining", "reset")
    )


async def test_headers_count_down_and_the_empty_bucket_refuses(tight: House) -> None:
    now = tight.clock.now() // 1_000_000
    for left in (3, 2, 1, 0):
        answer = await tight.read("a")
        assert (answer.status, told(answer)[:2]) == (200, ("4", str(left)))
        assert told(answer)[2] == str(now + 15 * (4 - left))
    answer = await tight.read("a")
    assert (answer.status, answer.code, told(answer)[:2]) == (429, "rate_limited", ("4", "0"))
    assert answer.details == {"category": "secrets_read", "limit": 4, "retry_after": 15}
    assert answer.headers["retry-after"] == "15"
    tight.clock.advance(15_000_000)
    assert (await tight.read("a")).status == 200


async def test_refused_requests_count_and_carry_the_headers(tight: House) -> None:
    assert told(await tight.read("none"))[:2] == ("4", "3")
    assert told(await tight.read("A"))[:2] == ("4", "2")
    assert told(await tight.get("/v1/secrets/a?x=1"))[:2] == ("4", "1")


async def test_other_spellings_and_calls_of_a_category_share_it(tight: House) -> None:
    tenant = tight.made["tenant_id"]
    assert (await tight.get("/v1/secrets")).status == 200
    assert (await tight.get(f"/v1/t/{tenant}/secrets/metadata/a")).status == 200
    headers = {"X-Tenant-ID": tenant, "X-Forwarded-For": "203.0.113.1"}
    assert (await tight.get("/v1/secrets/a/versions", headers=headers)).status == 200
    assert (await tight.get("/v1/secrets", client=("203.0.113.2", 1))).code == "rate_limited"


async def test_categories_and_identities_are_counted_apart(tight: House) -> None:
    for _ in range(3):
        await tight.get("/v1/secrets")
    assert (await tight.get("/v1/secrets")).status == 429
    assert (await tight.read("a")).status == 200
    other = await tight.client("other", SCOPES)
    assert (await tight.get("/v1/secrets", token=other)).status == 200


async def test_calls_without_a_category_go_without_headers(tight: House) -> None:
    for target in ("/v1/health", "/v1/version", "/v1/auth/config", "/v1/nothing"):
        assert told(await tight.get(target)) == ("", "", "")


async def test_one_row_a_minute_tells_how_many_followed(tight: House) -> None:
    for _ in range(3):
        await tight.get("/v1/secrets")
    for _ in range(5):
        assert (await tight.get("/v1/secrets?prefix=a")).status == 429
    assert len(await tight.rows(success=False)) == 1
    tight.clock.advance(MINUTE)
    for _ in range(4):
        await tight.get("/v1/secrets")
    rows = await tight.rows(success=False)
    assert [(row["action"], row["extra_data"]) for row in rows] == [
        ("list", {"error_code": "rate_limited", "suppressed": 0}),
        ("list", {"error_code": "rate_limited", "suppressed": 4}),
    ]
    assert {row["identity_id"] for row in rows} == {"sa:root"}


async def test_guesses_are_counted_by_address(tight: House) -> None:
    attacker: Any = {"client": ("2001:db8::1", 1)}
    for n in range(3):
        answer = await tight.get("/v1/secrets", token=f"skt_{n}", **attacker)
        assert answer.status == 401
    neighbour: Any = {"client": ("2001:db8::2:3", 1)}
    answer = await tight.get("/v1/secrets", token="skt_x", **neighbour)
    assert (answer.status, answer.details["category"]) == (429, "auth_failed")
    assert (await tight.get("/v1/secrets", client=("2001:db8:0:1::1", 1))).status == 200
    rows = await tight.rows(success=False)
    assert [row["extra_data"]["error_code"] for row in rows] == ["token_invalid"] * 3 + [
        "rate_limited"
    ]
    assert all(row["identity_id"] is None for row in rows)


async def test_good_tokens_do_not_use_up_the_guesses(tight: House) -> None:
    for _ in range(10):
        await tight.read("a")
    tight.clock.advance(MINUTE)
    assert (await tight.get("/v1/secrets", token="skt_x")).status == 401


async def test_nought_is_unlimited(house: House) -> None:
    for _ in range(120):
        answer = await house.get("/v1/secrets")
        assert (answer.status, told(answer)) == (200, ("", "", ""))


async def test_refusals_of_a_sealed_vault_leave_one_row_a_minute(tmp_path: Path) -> None:
    """Else one client fills sealed.audit within seconds, and later attempts are only counted."""
    house = await House.opened(tmp_path / "vault", rate_limits__unseal=3)
    await house.restart()
    house.clock.advance(MINUTE)
    for _ in range(3):
        assert (await house.unseal(key="AAAA")).code == "unseal_failed"
    for _ in range(20):
        assert (await house.unseal(key="AAAA")).code == "rate_limited"
    house.clock.advance(MINUTE)
    assert (await house.unseal()).status == 200
    rows = await house.rows(action="unseal")
    codes = [row["extra_data"].get("error_code") for row in rows]
    assert codes == ["unseal_failed"] * 3 + ["rate_limited", None]
    await house.close()
