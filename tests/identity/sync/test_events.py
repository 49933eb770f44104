"""What ScaiKey's events do, in whatever order they come."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaivault.clock import MINUTE, SECOND, FakeClock
from scaivault.gate.gate import Act
from scaivault.gate.transaction import Transaction
from scaivault.identity import subjects
from scaivault.identity.store import users as users_store
from tests.identity.sync.scaikey import PARTNER, TENANT, ScaiKey
from tests.support.house import House
from tests.support.running import EXAMPLES, running_house

MIRA = "mira@harbor.example"


async def user(house: House, email: str = MIRA, tenant: str = TENANT) -> dict[str, Any]:
    headers = {"X-Tenant-ID": tenant}
    answer = await house.get(f"/v1/identity/resolve/user/user:{email}", headers=headers)
    return answer.json if answer.status == 200 else {}


async def listed(house: House, tenant: str = TENANT) -> list[Any]:
    answer = await house.get(f"/v1/identity/tenants/{tenant}/users")
    return answer.json["users"]  # type: ignore[no-any-return]


async def personal(house: House, email: str = MIRA, tenant: str = TENANT) -> str:
    """A token of the user's own."""
    body = {"name": "cli", "scopes": ["secrets:read"], "identity_id": f"user:{email}"}
    headers = {"X-Tenant-ID": tenant}
    answer = await house.call("POST", "/v1/auth/tokens", body, headers=headers)
    assert answer.status == 201, answer.body
    token: str = answer.json["token"]
    return token


async def code(house: House, token: str) -> str:
    answer = await house.get("/v1/auth/whoami", token=token)
    return "ok" if answer.status == 200 else answer.code


# -- partners and tenants ----------------------------------------------------------------------


async def place(house: House, kind: str, name: str) -> dict[str, Any]:
    answer = await house.get(f"/v1/identity/{kind}/{name}")
    return answer.json  # type: ignore[no-any-return]


async def test_partners_and_tenants_come_with_their_ids(scaikey: ScaiKey, house: House) -> None:
    partner = await place(house, "partners", PARTNER)
    assert (partner["name"], partner["slug"], partner["issuer"]) == ("Acme", "acme", "scaikey")
    tenant = await place(house, "tenants", TENANT)
    assert (tenant["partner_id"], tenant["status"]) == (PARTNER, "ACTIVE")
    assert tenant["last_synced_at"] is not None
    answer = await house.put("app/db", {"n": 1}, headers={"X-Tenant-ID": TENANT})
    assert answer.status == 201  # there is a key


async def test_a_partner_may_be_called_prt(scaikey: ScaiKey, house: House) -> None:
    assert await scaikey.send("partner.updated", "prt_acme", partner_id=None, name="A") == "applied"
    assert (await place(house, "partners", PARTNER))["name"] == "A"


async def test_a_status_that_is_told(scaikey: ScaiKey, house: House) -> None:
    await scaikey.user("usr_1", MIRA)
    token = await personal(house)
    assert await scaikey.send("tenant.updated", TENANT, status="SUSPENDED") == "applied"
    assert (await place(house, "tenants", TENANT))["status"] == "SUSPENDED"
    assert await code(house, token) == "forbidden"
    assert await scaikey.send("tenant.activated", TENANT) == "applied"
    assert await code(house, token) == "ok"
    assert await scaikey.send("partner.suspended", PARTNER) == "applied"
    assert await code(house, token) == "forbidden"
    assert await scaikey.send("partner.updated", PARTNER, status="ACTIVE") == "applied"
    assert await code(house, token) == "ok"


async def test_a_deleted_tenant_keeps_its_key(scaikey: ScaiKey, house: House) -> None:
    await house.put("app/db", {"n": 1}, headers={"X-Tenant-ID": TENANT})
    assert await scaikey.send("tenant.deleted", TENANT) == "applied"
    assert (await house.read("app/db", headers={"X-Tenant-ID": TENANT})).status == 404
    assert isinstance(house.clock, FakeClock)
    house.clock.advance(60 * 24 * 60 * MINUTE)
    await house.run_jobs()
    await house.run_jobs()
    assert await scaikey.send("tenant.created", TENANT, name="Acme", slug="main") == "applied"
    answer = await house.read("app/db", headers={"X-Tenant-ID": TENANT})
    assert answer.json["data"] == {"n": 1}


async def test_slugs_that_are_taken_or_none(scaikey: ScaiKey, house: House) -> None:
    for number, slug in enumerate(("acme", "default", "NOT A SLUG", 7)):
        about = f"ptn_{number}"
        event = {"partner_id": about, "slug": slug, "name": "\x00bad"}
        assert await scaikey.send("partner.created", about, **event) == "applied"
    answer = await house.get("/v1/identity/partners")
    slugs = [one["slug"] for one in answer.json["partners"]]
    assert len(set(slugs)) == len(slugs) == 6


@pytest.mark.parametrize("about", ["ptn_UP", "ptn_../x", "acme", "tnt_x'", "ptn_" + "a" * 60])
async def test_ids_that_are_none(scaikey: ScaiKey, about: str) -> None:
    assert await scaikey.send("partner.created", about, partner_id=None) == "ignored"
    assert await scaikey.send("tenant.created", about, tenant_id=None) == "ignored"


async def test_no_tenant_has_a_partners_id_nor_the_other_way_round(
    scaikey: ScaiKey, house: House
) -> None:
    """What is owned is found by its owner's id alone: such a tenant's people would read what the
    partner shares with its own tenants, and its key would stand in the place of the partner's."""
    partner, tenant = house.made["partner_id"], house.made["tenant_id"]
    stored = await house.call("PUT", "/v1/partner/secrets/app/db", {"data": {"n": 1}})
    assert stored.status == 201
    for about in (partner, "ptn_new"):
        event = {"tenant_id": about, "name": "x", "slug": "x"}
        assert await scaikey.send("tenant.created", about, **event) == "ignored"
        assert await scaikey.user("usr_1", MIRA, tenant_id=about) == "ignored"
    for about in (tenant, "tnt_new"):
        event = {"partner_id": about, "name": "x", "slug": "y"}
        assert await scaikey.send("partner.created", about, **event) == "ignored"
    assert partner not in house.vault.tenancy.tenants
    assert tenant not in house.vault.tenancy.partners


# -- only what is ScaiKey's --------------------------------------------------------------------


async def test_nothing_that_was_made_here_is_touched(scaikey: ScaiKey, house: House) -> None:
    partner, tenant = house.made["partner_id"], house.made["tenant_id"]
    await house.call("POST", "/v1/identity/users", {"email": MIRA})
    await house.call("POST", "/v1/identity/groups", {"name": "night"})
    about = (await user(house, tenant=tenant))["id"]
    before = await place(house, "partners", partner), await place(house, "tenants", tenant)
    there = {"tenant_id": tenant, "partner_id": partner}
    events = [
        ("partner.deleted", partner, {"partner_id": partner}),
        ("tenant.suspended", tenant, there),
        ("tenant.updated", tenant, {**there, "name": "mine"}),
        ("tenant.created", "tnt_new", {"tenant_id": "tnt_new", "partner_id": partner}),
        ("user.suspended", about, {**there, "email": MIRA}),
        ("user.deleted", about, {**there, "email": MIRA}),
        ("user.password_changed", about, {**there, "email": MIRA}),
        ("user.mfa_enabled", about, {**there, "email": MIRA}),
        ("user.updated", about, {**there, "email": MIRA, "name": "Eve"}),
        ("user.created", "usr_2", {**there, "email": "eve@harbor.example"}),
        ("group.created", "grp_1", {**there, "name": "night"}),
        ("group.deleted", "grp_1", there),
        ("group.member_added", "grp_1", {**there, "user_id": about}),
        # Of another tenant of ScaiKey's, but with this one's partner, and the other way round.
        ("user.created", "usr_3", {"partner_id": partner, "email": "x@harbor.example"}),
        ("user.created", "usr_3", {"tenant_id": tenant, "email": "x@harbor.example"}),
        ("tenant.updated", TENANT, {"partner_id": partner, "name": "moved"}),
        ("tenant.updated", TENANT, {"tenant_id": "tnt_other", "name": "other"}),
        ("user.created", "usr_3", {"tenant_id": "tnt_unknown", "email": "x@harbor.example"}),
        ("user.created", "usr_3", {"tenant_id": None, "email": "x@harbor.example"}),
    ]
    for kind, name, fields in events:
        assert await scaikey.send(kind, name, **fields) == "ignored", (kind, fields)
    assert before == (
        await place(house, "partners", partner),
        await place(house, "tenants", tenant),
    )
    (only,) = await listed(house, tenant)
    assert (only["status"], only["mfa_enabled"], only["issuer"]) == ("ACTIVE", False, "local")
    assert await listed(house) == []


# -- users -------------------------------------------------------------------------------------


async def test_a_user_from_start_to_end(scaikey: ScaiKey, house: House) -> None:
    assert await scaikey.user("usr_1", MIRA.upper()) == "applied"
    (found,) = await listed(house)
    assert (found["id"], found["identity_id"], found["email"]) == ("usr_1", f"user:{MIRA}", MIRA)
    assert (found["status"], found["issuer"]) == ("ACTIVE", "scaikey")
    assert (
        await scaikey.send("user.updated", "usr_1", name="Mira Q.", mfa_enabled=True) == "applied"
    )
    (found,) = await listed(house)
    assert (found["display_name"], found["mfa_enabled"]) == ("Mira Q.", True)
    assert await scaikey.send("user.mfa_disabled", "usr_1") == "applied"
    assert (await listed(house))[0]["mfa_enabled"] is False
    token = await personal(house)
    assert await scaikey.send("user.suspended", "usr_1") == "applied"
    assert await code(house, token) == "token_revoked"
    assert await scaikey.send("user.activated", "usr_1") == "applied"
    assert (await listed(house))[0]["status"] == "ACTIVE"
    assert await code(house, token) == "token_revoked"  # what ended stays ended
    token = await personal(house)
    assert await scaikey.send("user.deleted", "usr_1") == "applied"
    assert await code(house, token) == "token_revoked"
    assert await listed(house) == []
    rows = [row["extra_data"] for row in await house.rows(action="identity_update")]
    ended = {"object_type": "user", "object_id": "usr_1", "changed": ["status"]}
    assert [row for row in rows if row.get("changed") == ["status"]] == [ended] * 2


async def test_a_deleted_user_never_comes_back(scaikey: ScaiKey, house: House) -> None:
    await scaikey.user("usr_1", MIRA)
    await scaikey.send("user.deleted", "usr_1")
    assert await scaikey.send("user.activated", "usr_1", email=MIRA) == "ignored"
    assert await scaikey.user("usr_2", MIRA) == "ignored"
    assert await listed(house) == []


async def test_an_update_can_tell_of_an_end(scaikey: ScaiKey, house: House) -> None:
    await scaikey.user("usr_1", MIRA)
    assert await scaikey.send("user.updated", "usr_1", status="suspended") == "applied"
    assert (await listed(house))[0]["status"] == "SUSPENDED"
    assert await scaikey.send("user.updated", "usr_1", status="DELETED") == "applied"
    assert await listed(house) == []


async def test_a_password_ends_what_was_issued_before_it(scaikey: ScaiKey, house: House) -> None:
    await scaikey.user("usr_1", MIRA)
    old = await personal(house)
    assert isinstance(house.clock, FakeClock)
    house.clock.advance(MINUTE)
    young = await personal(house)
    assert await scaikey.send("user.password_changed", "usr_1", at=-30) == "applied"
    assert (await code(house, old), await code(house, young)) == ("token_revoked", "ok")
    assert await scaikey.send("user.password_changed", "usr_1") == "applied"
    assert await code(house, young) == "token_revoked"
    assert (await listed(house))[0]["status"] == "ACTIVE"


async def test_the_last_super_admin_keeps_only_his_status(scaikey: ScaiKey, house: House) -> None:
    await scaikey.user("usr_1", MIRA)
    vault = house.vault

    def crown(tx: Transaction) -> None:
        tx.execute("UPDATE service_account SET roles = '[]'")
        found = users_store.user_by_identity(tx.connection, TENANT, f"user:{MIRA}")
        assert found is not None
        subjects.put(tx, found._replace(roles=("super_admin",)))

    token = await personal(house)
    await vault.gate.change(vault.internal("test"), Act("identity_update"), crown)
    assert await scaikey.send("user.suspended", "usr_1") == "applied"
    found = await vault.gate.ask(lambda db: users_store.user_by_id(db, "usr_1"))
    assert found is not None
    assert found.status == "ACTIVE"
    assert await code(house, token) == "token_revoked"


# -- addresses that change hands ---------------------------------------------------------------


async def test_an_address_stays_with_whom_it_stands_for(scaikey: ScaiKey, house: House) -> None:
    await scaikey.user("usr_1", MIRA)
    await scaikey.send("group.created", "grp_1", name="night")
    await scaikey.send("group.created", "grp_2", name="day")
    await scaikey.send("group.member_added", "grp_1", user_id="usr_1")
    token = await personal(house)
    # Mira gets another address, and hers goes to somebody else.
    assert await scaikey.send("user.updated", "usr_1", email="m.quist@harbor.example") == "applied"
    assert await scaikey.user("usr_2", MIRA) == "ignored"
    assert await scaikey.send("group.member_added", "grp_2", user_id="usr_2") == "ignored"
    assert await scaikey.send("user.suspended", "usr_2", email=MIRA) == "ignored"
    (found,) = await listed(house)
    assert (found["id"], found["email"]) == ("usr_1", MIRA)
    assert (await user(house))["groups"] == ["group:night"]
    assert await code(house, token) == "ok"


async def test_names_that_look_like_others_are_nobodys(scaikey: ScaiKey, house: House) -> None:
    await scaikey.user("usr_1", MIRA)
    for number, email in enumerate(
        (" " + MIRA, "mira\u200b@harbor.example", "\uff4dira@harbor.example",
         "mira @harbor.example", "mira@harbor.example\n", "\u212aira@harbor.example")
    ):  # fmt: skip
        assert await scaikey.user(f"usr_x{number}", email) == "ignored", email
    assert len(await listed(house)) == 1


# -- groups ------------------------------------------------------------------------------------


async def groups(house: House) -> dict[str, dict[str, Any]]:
    answer = await house.get(f"/v1/identity/tenants/{TENANT}/groups")
    return {one["name"]: one for one in answer.json["groups"]}


async def test_groups_and_their_members(scaikey: ScaiKey, house: House) -> None:
    await scaikey.user("usr_1", MIRA)
    await scaikey.user("usr_2", "ben@harbor.example")
    assert await scaikey.send("group.created", "grp_1", name="Night Shift") == "applied"
    assert await scaikey.send("group.member_added", "grp_1", user_id="usr_1") == "applied"
    added = {"group": {"id": "grp_1"}, "user": {"id": "usr_2"}}
    assert await scaikey.send("group_membership.added", "mem_1", **added) == "applied"
    found = (await groups(house))["night-shift"]
    assert (found["display_name"], found["member_count"]) == ("Night Shift", 2)
    assert await scaikey.send("group_membership.removed", "mem_1", **added) == "applied"
    assert await scaikey.send("group.member_removed", "grp_1", user_id="usr_1") == "applied"
    assert (await groups(house))["night-shift"]["member_count"] == 0
    assert await scaikey.send("group.updated", "grp_1", name="Late Shift") == "applied"
    found = (await groups(house))["night-shift"]  # what is bound to it is bound to its name
    assert found["display_name"] == "Late Shift"


async def test_a_deleted_group_grants_nothing(scaikey: ScaiKey, house: House) -> None:
    there = {"X-Tenant-ID": TENANT}
    await house.put("app/db", {"n": 1}, headers=there)
    await scaikey.user("usr_1", MIRA)
    await scaikey.send("group.created", "grp_1", name="night")
    await scaikey.send("group.member_added", "grp_1", user_id="usr_1")
    rules = [{"path_pattern": "app/**", "permissions": ["read"]}]
    policy = await house.call(
        "POST", "/v1/policies", {"name": "night", "rules": rules}, headers=there
    )
    bound = {"identity_type": "group", "identity_id": "group:night"}
    where = f"/v1/policies/{policy.json['id']}/bindings"
    assert (await house.call("POST", where, bound, headers=there)).status == 201
    token = await personal(house)
    assert (await house.read("app/db", token=token)).status == 200
    assert await scaikey.send("group.deleted", "grp_1") == "applied"
    assert (await house.read("app/db", token=token)).code == "access_denied"
    # Another group of that name is another group.
    await scaikey.send("group.created", "grp_2", name="night")
    await scaikey.send("group.member_added", "grp_2", user_id="usr_1")
    assert (await house.read("app/db", token=token)).code == "access_denied"
    assert list(await groups(house)) != ["night"]


async def test_a_group_never_takes_anothers_name(scaikey: ScaiKey, house: House) -> None:
    body = {"name": "admins", "tenant_id": TENANT}
    assert (await house.call("POST", "/v1/identity/groups", body)).status == 201
    for number, name in enumerate(("admins", "Admins", "ADMINS", "admins!", "\uff41dmins", "")):
        assert await scaikey.send("group.created", f"grp_{number}", name=name) == "applied"
    found = await groups(house)
    assert found["admins"]["issuer"] == "local"
    assert len(found) == 7


async def test_groups_lie_below_groups(scaikey: ScaiKey, house: House) -> None:
    for name in ("a", "b", "c"):
        await scaikey.send("group.created", f"grp_{name}", name=name)
    assert await scaikey.send("group.updated", "grp_b", parent_id="grp_a") == "applied"
    assert await scaikey.send("group.updated", "grp_c", parent_id="grp_b") == "applied"
    assert await scaikey.send("group.updated", "grp_a", parent_id="grp_c") == "applied"
    found = await groups(house)
    assert [found[name]["parent_id"] for name in "abc"] == [None, "grp_a", "grp_b"]
    assert await scaikey.send("group.updated", "grp_b", parent_id=None) == "applied"
    assert (await groups(house))["b"]["parent_id"] is None


# -- order -------------------------------------------------------------------------------------


async def test_older_news_change_nothing(scaikey: ScaiKey, house: House) -> None:
    await scaikey.user("usr_1", MIRA)
    await scaikey.send("group.created", "grp_1", name="night")
    assert isinstance(house.clock, FakeClock)
    house.clock.advance(MINUTE)
    assert await scaikey.send("user.suspended", "usr_1") == "applied"
    for kind in ("user.activated", "user.updated", "user.created", "user.mfa_enabled"):
        assert await scaikey.send(kind, "usr_1", at=-1, email=MIRA) == "stale", kind
    assert (await listed(house))[0]["status"] == "SUSPENDED"
    assert await scaikey.send("group.member_removed", "grp_1", user_id="usr_1") == "applied"
    assert await scaikey.send("group.member_added", "grp_1", user_id="usr_1", at=-1) == "stale"
    assert await scaikey.send("group.updated", "grp_1", name="x") == "applied"
    assert await scaikey.send("group.updated", "grp_1", name="y", at=-1) == "stale"
    assert await scaikey.send("group.deleted", "grp_1", at=-1) == "stale"
    assert await scaikey.send("tenant.updated", TENANT, name="x") == "applied"
    assert await scaikey.send("tenant.deleted", TENANT, at=-1) == "stale"
    assert await scaikey.send("partner.updated", PARTNER, name="x") == "applied"
    assert await scaikey.send("partner.deleted", PARTNER, at=-1) == "stale"


async def test_an_end_before_the_beginning(scaikey: ScaiKey, house: House) -> None:
    assert isinstance(house.clock, FakeClock)
    house.clock.advance(MINUTE)
    await scaikey.send("user.deleted", "usr_1")
    assert await scaikey.user("usr_1", MIRA, at=-10) == "stale"
    await scaikey.send("group.deleted", "grp_1")
    assert await scaikey.send("group.created", "grp_1", name="night", at=-10) == "stale"
    assert (await listed(house), await groups(house)) == ([], {})


async def test_of_two_news_of_one_instant_the_end_counts(scaikey: ScaiKey, house: House) -> None:
    """Senders write times in whole seconds, and an update comes with each suspension."""
    await scaikey.user("usr_1", MIRA)
    for kind in ("user.updated", "user.created"):
        assert await scaikey.send("user.suspended", "usr_1") == "applied"
        assert await scaikey.send(kind, "usr_1", email=MIRA, name="M") == "applied"
        assert (await listed(house))[0]["status"] == "SUSPENDED", kind
    assert await scaikey.send("user.updated", "usr_1", status="ACTIVE") == "applied"
    assert (await listed(house))[0]["status"] == "ACTIVE"
    await scaikey.send("user.suspended", "usr_2")
    assert await scaikey.user("usr_2", "ada@harbor.example") == "stale"
    assert await scaikey.send("user.suspended", "usr_1") == "applied"
    assert await scaikey.send("user.activated", "usr_1") == "applied"
    assert [(one["email"], one["status"]) for one in await listed(house)] == [(MIRA, "ACTIVE")]


async def test_news_from_the_future_are_of_now(scaikey: ScaiKey, house: House) -> None:
    await scaikey.user("usr_1", MIRA)
    assert await scaikey.send("user.updated", "usr_1", at=10 * 365 * 86400) == "applied"
    assert isinstance(house.clock, FakeClock)
    house.clock.advance(SECOND)
    assert await scaikey.send("user.suspended", "usr_1") == "applied"


STEPS = ("user.created", "user.updated", "user.suspended", "user.activated")


def test_any_order_ends_alike(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Of news that all arrive, the newest decides."""
    folder = tmp_path_factory.mktemp("order")
    with running_house(folder / "vault", **ScaiKey.settings(folder)) as running:
        house = running.house
        scaikey = ScaiKey(house)
        running.run(scaikey.found())

        async def example(kinds: list[str], order: list[int]) -> None:
            name = running.fresh()
            email = f"{name}@harbor.example"
            for step in order:
                at = step - len(kinds)
                await scaikey.send(kinds[step], f"ext-{name}", at=at, email=email, name=f"n{step}")
            found = await user(house, email)
            ended = kinds[-1] == "user.suspended"
            if not found:
                assert ended  # his end came before any beginning
                return
            assert found["status"] == ("SUSPENDED" if ended else "ACTIVE")
            assert ended or found["display_name"] == f"n{len(kinds) - 1}"

        @EXAMPLES
        @given(st.data())
        def orders(data: st.DataObject) -> None:
            kinds = data.draw(st.lists(st.sampled_from(STEPS), min_size=1, max_size=5))
            order = data.draw(st.permutations(range(len(kinds))))
            running.run(example(kinds, order))

        orders()
