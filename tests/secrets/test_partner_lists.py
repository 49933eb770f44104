"""Lists of what a partner owns: seen by every tenant of its, and apart from theirs."""

from __future__ import annotations

from typing import Any

from tests.support.house import Answer, House
from tests.support.rights import neighbour
from tests.support.tenants import found_partner, found_tenant

BASE = "/v1/partner/secrets"
LISTS = [BASE, f"{BASE}/expiring", f"{BASE}/metadata/shared/a", f"{BASE}/shared/a/versions"]


async def fill(house: House) -> None:
    for path in ("shared/a", "shared/b"):
        body = {"data": {}, "metadata": {"tags": ["x"]}, "options": {"expires_in": "2d"}}
        assert (await house.call("PUT", f"{BASE}/{path}", body)).status == 201
    await house.put("own/a", options={"expires_in": "1d"})
    await house.put("shared/a", options={"expires_in": "1d"})


async def got(house: House, target: str, token: str = "", **query: Any) -> Answer:
    answer = await house.call("GET", target, query=query, token=token)
    assert answer.status == 200, answer.body
    return answer


def paths(answer: Answer) -> list[str]:
    return [item["path"] for item in answer.json["secrets"]]


async def test_every_identity_of_its_tenants_sees_them(house: House) -> None:
    await fill(house)
    sibling = await found_tenant(house, "sibling")
    for tenant in (None, sibling.id):
        token = await house.client("reader", ["secrets:list"], tenant=tenant)
        for target in LISTS:
            assert (await got(house, target, token)).json["scope"] == "partner"
        page = await got(house, BASE, token, tag="x", include_metadata="true", limit=1)
        assert (paths(page), page.json["total_count"]) == (["shared/a"], 2)
        assert page.json["secrets"][0]["version_count"] == 1
        page = await got(house, BASE, token, cursor=page.json["cursor"])
        assert paths(page) == ["shared/b"]
        assert paths(await got(house, f"{BASE}/expiring", token, prefix="shared/b")) == ["shared/b"]


async def test_they_are_in_no_list_of_a_tenant(house: House) -> None:
    await fill(house)
    for target in ("/v1/secrets", "/v1/secrets/expiring"):
        answer = await got(house, target)
        assert paths(answer) == ["own/a", "shared/a"]
        assert "scope" not in answer.json
    body = {"paths": ["shared/b", "shared/*"], "expand_wildcards": True}
    answer = await house.call("POST", "/v1/secrets/batch/metadata", body)
    assert list(answer.json["metadata"]) == ["shared/a"]
    answer = await house.call("POST", "/v1/secrets/batch", {"paths": ["shared/b"]})
    assert answer.json["errors"]["shared/b"]["code"] == "secret_not_found"


async def test_another_partner_has_its_own(house: House) -> None:
    await fill(house)
    other = await found_partner(house, "other")
    stranger = await neighbour(house, "tenant_admin", other.id)
    for target in LISTS[:2]:
        assert (await got(house, target, stranger)).json["secrets"] == []
    for target in LISTS[2:]:
        assert (await house.get(target, token=stranger)).code == "secret_not_found"


async def test_cursors_do_not_cross(house: House) -> None:
    await fill(house)
    cursor = (await got(house, BASE, limit=1)).json["cursor"]
    answer = await house.call("GET", "/v1/secrets", query={"cursor": cursor})
    assert answer.code == "invalid_cursor"
    cursor = (await got(house, "/v1/secrets", limit=1)).json["cursor"]
    assert (await house.call("GET", BASE, query={"cursor": cursor})).code == "invalid_cursor"


async def test_scopes(house: House) -> None:
    await fill(house)
    token = await house.client("reader", ["secrets:read"])
    for target in LISTS:
        answer = await house.get(target, token=token)
        assert (answer.status, answer.details["required_scope"]) == (403, "secrets:list")


async def test_the_rows_name_the_partner(house: House) -> None:
    await fill(house)
    for target in LISTS:
        await got(house, target)
    rows = await house.rows(action="list")
    assert [row["secret_path"] for row in rows] == [None, None, "shared/a", "shared/a"]
    for row in rows:
        assert (row["tenant_id"], row["partner_id"]) == (None, house.made["partner_id"])
        assert row["actor_tenant_id"] == house.made["tenant_id"]
        assert row["extra_data"]["scope"] == "partner"


async def test_there_is_no_batch_of_them(house: House) -> None:
    answer = await house.call("POST", f"{BASE}/batch", {"paths": ["shared/a"]})
    assert answer.code == "invalid_path"
