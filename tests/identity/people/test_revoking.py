"""An end to all access of an identity, in one stroke."""

from __future__ import annotations

from typing import Any

import pytest

from scaivault.errors import Refusal
from scaivault.gate.transaction import Transaction
from scaivault.identity.model import Subject
from tests.support.house import Answer, House
from tests.support.tenants import account, credential, found_partner, found_tenant
from tests.support.users import USERS, personal, user, whoami

MIRA = "mira@harbor.example"
NONE = {
    "tokens_revoked": 0, "credentials_revoked": 0, "trusts_disabled": 0,
    "subscriptions_disabled": 0, "leases_revoked": 0, "leases_pending": 0,
}  # fmt: skip


async def revoke(house: House, kind: str, who: str, token: str = "", **body: Any) -> Answer:
    return await house.call("POST", f"/v1/identity/{kind}/{who}/revoke-access", body, token=token)


async def login(house: House, pair: dict[str, str]) -> Answer:
    body = {name: pair[name] for name in ("client_id", "client_secret")}
    return await house.call(
        "POST", "/v1/auth/token", {"grant_type": "client_credentials", **body}, token=None
    )


async def test_a_user(house: House) -> None:
    who = await user(house, MIRA)
    other = await user(house, "ola@harbor.example")
    mine = [await personal(house, who, ["secrets:read"]) for _ in range(2)]
    theirs = await personal(house, other, ["secrets:read"])
    assert await whoami(house, mine[0]) == "ok"
    answer = await revoke(house, "user", f"user:{MIRA}", reason="laptop lost")
    assert answer.status == 200
    body = answer.json
    assert body.pop("revoked_before").endswith("Z")
    assert body == {"identity_id": f"user:{MIRA}", **NONE, "tokens_revoked": 2}
    assert [await whoami(house, token) for token in mine] == ["token_revoked"] * 2
    assert await whoami(house, theirs) == "ok"
    (row,) = await house.rows(request_id=answer.headers["x-request-id"])
    assert (row["action"], row["success"]) == ("access_revoke", True)
    assert row["extra_data"] == {
        "for": f"user:{MIRA}", "reason": "laptop lost", **NONE, "tokens_revoked": 2,
    }  # fmt: skip
    assert (await house.get(f"{USERS}/{who}")).json["status"] == "ACTIVE"
    assert await whoami(house, await personal(house, who, ["secrets:read"])) == "ok"


async def test_a_service_account(house: House) -> None:
    who = await account(house, "app", ["secrets:read"])
    pairs = [await credential(house, who) for _ in range(2)]
    tokens = [(await login(house, pair)).json["access_token"] for pair in pairs]
    answer = await revoke(house, "service_account", who)
    assert answer.json["tokens_revoked"] == 2
    assert answer.json["credentials_revoked"] == 2
    assert [await whoami(house, token) for token in tokens] == ["token_revoked"] * 2
    assert [(await login(house, pair)).code for pair in pairs] == ["token_invalid"] * 2
    fresh = await login(house, await credential(house, who))
    assert await whoami(house, fresh.json["access_token"]) == "ok"


async def test_it_can_be_repeated(house: House) -> None:
    who = await user(house, MIRA)
    await personal(house, who, ["secrets:read"])
    first = (await revoke(house, "user", who)).json
    house.clock.advance(1_000_000)
    again = await revoke(house, "user", who)
    assert again.status == 200
    assert again.json == {
        "identity_id": f"user:{MIRA}", "revoked_before": again.json["revoked_before"], **NONE,
    }  # fmt: skip
    assert again.json["revoked_before"] > first["revoked_before"]
    assert (first["tokens_revoked"], again.json["tokens_revoked"]) == (1, 0)


async def test_bindings_memberships_and_roles_stay(house: House) -> None:
    await house.call("POST", "/v1/identity/groups", {"name": "night"})
    who = await user(house, MIRA, groups=["group:night"])
    await house.call("PUT", f"{USERS}/{who}/roles", {"roles": ["tenant_admin"]})
    await revoke(house, "user", who)
    shown = (await house.get(f"/v1/identity/resolve/user/{who}")).json
    assert (shown["groups"], shown["roles"]) == (["group:night"], ["tenant_admin"])


async def test_ones_own_access(house: House) -> None:
    who = await user(house, MIRA)
    await house.call("PUT", f"{USERS}/{who}/roles", {"roles": ["tenant_admin"]})
    token = await personal(house, who, ["identity:admin"])
    assert (await revoke(house, "user", who, token)).json["tokens_revoked"] == 1
    assert await whoami(house, token) == "token_revoked"


async def test_the_ledger_names_whose_access_somebody_wanted_to_end(house: House) -> None:
    token = await house.client("keeper", ["identity:admin"], ["tenant_admin"])
    answer = await revoke(house, "service_account", "sa:root", token)
    assert (answer.code, answer.details) == ("forbidden", {"required_role": "super_admin"})
    (row,) = await house.rows(action="access_revoke")
    assert row["extra_data"] == {"for": "sa:root", "error_code": "forbidden"}


@pytest.mark.parametrize("kind", ["users", "group", "service-account", "User", "system"])
async def test_types_that_there_are_not(house: House, kind: str) -> None:
    answer = await revoke(house, kind, "sa:root")
    assert (answer.status, answer.code) == (422, "validation_error")
    assert list(answer.details["fields"]) == ["type"]


async def test_a_type_and_an_id_that_do_not_fit(house: House) -> None:
    who, app = await user(house, MIRA), await account(house, "app", ["secrets:read"])
    for kind, other in (
        ("user", app), ("user", "sa:app"), ("service_account", who),
        ("service_account", f"user:{MIRA}"), ("user", "system:purge"), ("user", "group:night"),
    ):  # fmt: skip
        answer = await revoke(house, kind, other)
        assert (answer.status, answer.code) == (404, "identity_not_found"), other


@pytest.mark.parametrize("body", [{"reason": "x" * 501}, {"reason": 1}, {"why": "x"}])
async def test_bodies_that_are_none(house: House, body: dict[str, Any]) -> None:
    who = await user(house, MIRA)
    assert (await revoke(house, "user", who, **body)).status == 422


async def test_a_body_is_not_needed(house: House) -> None:
    who = await user(house, MIRA)
    where = f"/v1/identity/user/{who}/revoke-access"
    assert (await house.call("POST", where)).status == 200
    assert (await revoke(house, "user", who, reason="x" * 500)).status == 200


async def test_an_account_of_another_tenant(house: House) -> None:
    far = await found_tenant(house, "far", (await found_partner(house, "away")).id)
    near = await found_tenant(house, "near")
    there = await account(house, "app", ["secrets:read"], tenant_id=far.id)
    beside = await account(house, "app", ["secrets:read"], tenant_id=near.id)
    mine = await account(house, "app", ["secrets:read"])
    pair = await credential(house, mine)
    token = await house.client("keeper", ["identity:admin"], ["partner_admin"])
    assert (await revoke(house, "service_account", there, token)).code == "identity_not_found"
    assert (await revoke(house, "service_account", beside, token)).status == 200
    row = (await house.rows(action="access_revoke", success=True))[-1]
    assert (row["tenant_id"], row["actor_tenant_id"]) == (near.id, house.made["tenant_id"])
    assert (await login(house, pair)).status == 200  # of the same name, and another one


async def test_all_of_it_or_nothing(house: House) -> None:
    who = await account(house, "app", ["secrets:read"])
    pair = await credential(house, who)
    token = (await login(house, pair)).json["access_token"]

    def refuse(_tx: Transaction, _who: Subject) -> dict[str, int]:
        raise Refusal("invalid_state", "not now", reason="test")

    house.vault.revoking.on_revoked.append(refuse)
    assert (await revoke(house, "service_account", who)).code == "invalid_state"
    assert await whoami(house, token) == "ok"
    assert (await login(house, pair)).status == 200
    where = f"/v1/identity/service-accounts/{who}"
    assert (await house.call("PATCH", where, {"status": "SUSPENDED"})).code == "invalid_state"
    assert (await house.call("DELETE", where)).code == "invalid_state"
    assert (await house.get(where)).json["status"] == "ACTIVE"


@pytest.mark.parametrize("how", ["revoke", "suspend", "delete"])
async def test_other_rooms_are_told_and_their_counters_shown(house: House, how: str) -> None:
    who = await user(house, MIRA)
    told: list[str] = []

    def count(_tx: Transaction, whom: Subject) -> dict[str, int]:
        told.append(whom.identity_id)
        return {"trusts_disabled": 2, "leases_revoked": 3}

    house.vault.revoking.on_revoked.extend([count, count])
    if how == "revoke":
        body = (await revoke(house, "user", who)).json
        assert (body["trusts_disabled"], body["leases_revoked"]) == (4, 6)
    elif how == "suspend":
        await house.call("PATCH", f"{USERS}/{who}", {"status": "SUSPENDED"})
    else:
        await house.call("DELETE", f"{USERS}/{who}")
    assert told == [f"user:{MIRA}"] * 2


async def test_it_lasts_over_a_restart(house: House) -> None:
    who = await user(house, MIRA)
    token = await personal(house, who, ["secrets:read"])
    await revoke(house, "user", who)
    await house.restart()
    await house.unseal()
    assert await whoami(house, token) == "token_revoked"
