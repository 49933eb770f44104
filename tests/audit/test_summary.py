"""GET /v1/audit/summary: sums of a tenant's rows."""

from __future__ import annotations

import pytest

from scaivault.clock import DAY
from tests.support.house import House
from tests.support.rights import neighbour

SUMMARY = "/v1/audit/summary"


async def test_the_last_thirty_days_unless_told_otherwise(house: House) -> None:
    await house.put("old")
    house.clock.advance(31 * DAY)
    await house.put("app/db")
    await house.read("app/db")
    await house.read("missing")
    told = (await house.get(SUMMARY)).json
    assert told == {
        "total_events": 3, "successful_events": 2, "failed_events": 1, "unique_identities": 1,
        "unique_secrets": 2, "from": "2031-05-10T06:30:00.000000Z",
        "to": "2031-06-09T06:30:00.000000Z", "by_action": {"read": 2, "write": 1},
        "by_identity_type": {"service_account": 3}, "by_error_code": {"secret_not_found": 1},
        "top_identities": [{"identity_id": "sa:root", "events": 3}],
        "top_secrets": [{"path": "app/db", "events": 2}, {"path": "missing", "events": 1}],
    }  # fmt: skip
    told = (await house.get(f"{SUMMARY}?from=2031-05-01&to=2031-05-10")).json
    assert told["top_secrets"] == [{"path": "old", "events": 1}]
    assert told["from"] == "2031-05-01T00:00:00.000000Z"


async def test_tops_hold_ten_and_names_break_ties(house: House) -> None:
    for name in "lkjihgfedcba":
        await house.put(name)
    await house.read("k")
    told = (await house.get(SUMMARY)).json
    assert [one["path"] for one in told["top_secrets"]] == ["k", *"abcdefghi"]
    assert told["unique_secrets"] == 12


async def test_a_tenant_counts_its_own_rows(house: House) -> None:
    token = await neighbour(house)
    await house.put("app/db")
    told = (await house.get(SUMMARY, token=token)).json
    assert told["top_secrets"] == []
    assert set(told["by_action"]) <= {"auth_login", "identity_create", "credential_create",
                                      "role_change"}  # fmt: skip


@pytest.mark.parametrize(
    "query", ["from=x", "to=2030-01-01", "from=2031-05-09&to=2031-05-09", "action=read"]
)
async def test_faults(house: House, query: str) -> None:
    assert (await house.get(f"{SUMMARY}?{query}")).status == 422


async def test_it_takes_its_scope_and_leaves_a_row(house: House) -> None:
    token = await house.client("bot", ["secrets:read"])
    assert (await house.get(SUMMARY, token=token)).code == "insufficient_scope"
    await house.get(SUMMARY)
    assert [row["success"] for row in await house.rows(action="audit_read")] == [False, True]
