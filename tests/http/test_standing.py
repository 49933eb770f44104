"""Whom the lines of a kept connection stand for is remembered, and what ends or lowers that holds
for the very next request on it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import pytest

from scaivault.clock import HOUR, SECOND
from scaivault.gate.gate import Act
from scaivault.gate.transaction import Transaction
from tests.support.house import Answer, House
from tests.support.kept import Story, follow
from tests.support.people import MIRA, login, minted, person, proven, token_id
from tests.support.policies import PATH, POLICIES, bound, policy, rule
from tests.support.tenants import account, credential, found_partner, found_tenant
from tests.support.trusting import narrower

WHERE: Final = f"/v1/identity/users/{MIRA}"
WHOAMI: Final = "/v1/auth/whoami"
SECRET: Final = f"/v1/secrets/{PATH}"
ACCOUNTS: Final = "/v1/identity/service-accounts"


async def done(answer: Awaitable[Answer]) -> None:
    found = await answer
    assert found.status < 300, found.body


# -- tokens --------------------------------------------------------------------------------------


async def a_token_revoked(house: House) -> Story:
    token = await login(house)
    where = f"/v1/auth/tokens/{await token_id(house, token)}"
    return Story(token, WHOAMI, lambda: done(house.call("DELETE", where)), "token_revoked")


async def the_parent_revoked(house: House) -> Story:
    parent = await login(house, scopes=["admin"])
    child = await minted(house, parent)
    where = f"/v1/auth/tokens/{await token_id(house, parent)}"
    return Story(child, WHOAMI, lambda: done(house.call("DELETE", where)), "token_revoked")


async def the_wider_one_revoked(house: House) -> Story:
    wide = await login(house)
    narrow = await narrower(house, wide, scope="secrets:read")
    where = f"/v1/auth/tokens/{await token_id(house, wide)}"
    return Story(narrow, WHOAMI, lambda: done(house.call("DELETE", where)), "token_revoked")


async def its_own_end(house: House) -> Story:
    token = await login(house, expires_in="1h")

    async def end() -> None:
        house.clock.advance(HOUR)

    return Story(token, WHOAMI, end, "token_expired")


async def the_end_of_the_wider_one(house: House) -> Story:
    """Whatever time the narrower one has left by itself."""
    narrow = await narrower(house, await login(house, expires_in="1h"))

    async def end() -> None:
        house.clock.advance(HOUR)

    return Story(narrow, WHOAMI, end, "token_expired")


async def the_secret_that_gave_it(house: House) -> Story:
    own = await account(house, "app", ["secrets:read"])
    made = await credential(house, own)
    login = {"grant_type": "client_credentials", **made}
    del login["id"]
    token = (await house.call("POST", "/v1/auth/token", login, token=None)).json["access_token"]
    where = f"{ACCOUNTS}/{own}/credentials/{made['id']}"
    return Story(token, WHOAMI, lambda: done(house.call("DELETE", where)), "token_revoked")


# -- people --------------------------------------------------------------------------------------


async def a_user_suspended(house: House) -> Story:
    token = await login(house)
    end = lambda: done(house.call("PATCH", WHERE, {"status": "SUSPENDED"}))  # noqa: E731
    return Story(token, WHOAMI, end, "token_revoked")


async def a_user_suspended_and_back(house: House) -> Story:
    token = await login(house)

    async def end() -> None:
        for status in ("SUSPENDED", "ACTIVE"):
            house.clock.advance(SECOND)
            await done(house.call("PATCH", WHERE, {"status": status}))

    return Story(token, WHOAMI, end, "token_revoked")


async def a_user_deleted(house: House) -> Story:
    token = await login(house)
    return Story(token, WHOAMI, lambda: done(house.call("DELETE", WHERE)), "token_revoked")


async def all_access_ended(house: House) -> Story:
    token = await login(house)
    where = f"/v1/identity/user/{MIRA}/revoke-access"
    return Story(token, WHOAMI, lambda: done(house.call("POST", where, {})), "token_revoked")


async def a_service_account_suspended(house: House) -> Story:
    token = await house.client("app", ["secrets:read"])
    where = f"{ACCOUNTS}/sa:app"
    end = lambda: done(house.call("PATCH", where, {"status": "SUSPENDED"}))  # noqa: E731
    return Story(token, WHOAMI, end, "token_revoked")


async def a_service_account_deleted(house: House) -> Story:
    token = await house.client("app", ["secrets:read"])
    end = lambda: done(house.call("DELETE", f"{ACCOUNTS}/sa:app"))  # noqa: E731
    return Story(token, WHOAMI, end, "token_revoked")


async def a_scope_taken(house: House) -> Story:
    token = await house.client("app", ["secrets:read", "secrets:list"], ["tenant_admin"])
    where = f"{ACCOUNTS}/sa:app"
    end = lambda: done(house.call("PATCH", where, {"scopes": ["secrets:list"]}))  # noqa: E731
    return Story(token, SECRET, end, "insufficient_scope")


async def a_role_taken(house: House) -> Story:
    token = await login(house)
    await done(house.call("PUT", f"{WHERE}/roles", {"roles": ["tenant_admin"]}))
    end = lambda: done(house.call("PUT", f"{WHERE}/roles", {"roles": []}))  # noqa: E731
    return Story(token, SECRET, end, "access_denied")


async def a_role_of_the_route_taken(house: House) -> Story:
    """``super_admin``'s, over another tenant."""
    token = await login(house, scopes=["admin"])
    other = await found_tenant(house, "other")
    await done(house.call("PUT", f"{WHERE}/roles", {"roles": ["super_admin"]}))
    end = lambda: done(house.call("PUT", f"{WHERE}/roles", {"roles": ["tenant_admin"]}))  # noqa: E731
    headers = {"X-Tenant-ID": other.id}
    return Story(token, "/v1/secrets", end, "tenant_access_denied", headers)


async def a_second_factor_reset(house: House) -> Story:
    token = await login(house)
    await proven(house, token)
    await bound(house, await policy(house, rule(require_mfa=True)), MIRA)
    end = lambda: done(house.call("DELETE", f"{WHERE}/mfa"))  # noqa: E731
    return Story(token, SECRET, end, "mfa_required")


# -- groups and policies -------------------------------------------------------------------------


async def grouped(house: House, *, nested: bool = False) -> str:
    """A user's token; what he may read is a group's, or that of the one above it."""
    groups = "/v1/identity/groups"
    await done(house.call("POST", groups, {"name": "above"}))
    await done(house.call("POST", groups, {"name": "ops", "parent_id": "group:above"}))
    await person(house, groups=["group:ops"])
    await bound(house, await policy(house), "group:above" if nested else "group:ops")
    return await minted(house, identity_id=MIRA)


async def a_membership_ended(house: House) -> Story:
    token = await grouped(house)
    where = f"/v1/identity/groups/group:ops/members/{MIRA}"
    return Story(token, SECRET, lambda: done(house.call("DELETE", where)), "access_denied")


async def groups_of_a_user_replaced(house: House) -> Story:
    token = await grouped(house)
    end = lambda: done(house.call("PATCH", WHERE, {"groups": []}))  # noqa: E731
    return Story(token, SECRET, end, "access_denied")


async def a_group_deleted(house: House) -> Story:
    token = await grouped(house)
    end = lambda: done(house.call("DELETE", "/v1/identity/groups/group:ops"))  # noqa: E731
    return Story(token, SECRET, end, "access_denied")


async def a_group_moved(house: House) -> Story:
    token = await grouped(house, nested=True)
    where = "/v1/identity/groups/group:ops"
    end = lambda: done(house.call("PATCH", where, {"parent_id": None}))  # noqa: E731
    return Story(token, SECRET, end, "access_denied")


async def a_binding_ended(house: House) -> Story:
    token = await login(house)
    made = await policy(house)
    where = f"{POLICIES}/{made}/bindings/{await bound(house, made, MIRA)}"
    return Story(token, SECRET, lambda: done(house.call("DELETE", where)), "access_denied")


async def a_policy_changed(house: House) -> Story:
    token = await login(house)
    made = await policy(house)
    await bound(house, made, MIRA)
    change = {"rules": [rule("lab/**")]}
    end = lambda: done(house.call("PATCH", f"{POLICIES}/{made}", change))  # noqa: E731
    return Story(token, SECRET, end, "access_denied")


# -- tenants and partners ------------------------------------------------------------------------


async def away(house: House) -> tuple[str, str, str]:
    """Another partner, a tenant of it, and a token of somebody there."""
    far = await found_partner(house, "far")
    tenant = await found_tenant(house, "away", far.id)
    return far.id, tenant.id, await house.client("app", ["admin"], ["tenant_admin"], tenant.id)


async def ones_tenant_suspended(house: House) -> Story:
    _, tenant, token = await away(house)
    where = f"/v1/identity/tenants/{tenant}"
    end = lambda: done(house.call("PATCH", where, {"status": "SUSPENDED"}))  # noqa: E731
    return Story(token, "/v1/secrets", end, "forbidden")


async def ones_tenant_deleted(house: House) -> Story:
    _, tenant, token = await away(house)
    where = f"/v1/identity/tenants/{tenant}?confirm={tenant}"
    return Story(token, "/v1/secrets", lambda: done(house.call("DELETE", where)), "token_revoked")


async def ones_partner_suspended(house: House) -> Story:
    partner, _, token = await away(house)
    where = f"/v1/identity/partners/{partner}"
    end = lambda: done(house.call("PATCH", where, {"status": "SUSPENDED"}))  # noqa: E731
    return Story(token, "/v1/secrets", end, "forbidden")


async def ones_partner_deleted(house: House) -> Story:
    """As an outside issuer deletes partners, whatever they hold."""
    partner, _, token = await away(house)
    vault = house.vault

    def gone(tx: Transaction) -> None:
        row = vault.tenancy.partner(tx.connection, partner)
        assert row is not None
        vault.tenancy.keep_partner(tx, row._replace(status="DELETED"))

    end = lambda: vault.gate.change(vault.internal("test"), Act("identity_update"), gone)  # noqa: E731
    return Story(token, "/v1/secrets", end, "token_revoked")


async def the_tenant_acted_in_suspended(house: House) -> Story:
    _, tenant, _ = await away(house)
    where = f"/v1/identity/tenants/{tenant}"
    end = lambda: done(house.call("PATCH", where, {"status": "SUSPENDED"}))  # noqa: E731
    return Story(house.token, "/v1/secrets", end, "forbidden", {"X-Tenant-ID": tenant})


async def the_tenant_acted_in_deleted(house: House) -> Story:
    _, tenant, _ = await away(house)
    where = f"/v1/identity/tenants/{tenant}?confirm={tenant}"
    end = lambda: done(house.call("DELETE", where))  # noqa: E731
    return Story(house.token, "/v1/secrets", end, "tenant_not_found", {"X-Tenant-ID": tenant})


ENDS: Final[list[Callable[[House], Awaitable[Story]]]] = [
    a_token_revoked, the_parent_revoked, the_wider_one_revoked, its_own_end,
    the_end_of_the_wider_one, the_secret_that_gave_it,
    a_user_suspended, a_user_suspended_and_back, a_user_deleted, all_access_ended,
    a_service_account_suspended, a_service_account_deleted, a_scope_taken, a_role_taken,
    a_role_of_the_route_taken, a_second_factor_reset,
    a_membership_ended, groups_of_a_user_replaced, a_group_deleted, a_group_moved, a_binding_ended,
    a_policy_changed,
    ones_tenant_suspended, ones_tenant_deleted, ones_partner_suspended, ones_partner_deleted,
    the_tenant_acted_in_suspended, the_tenant_acted_in_deleted,
]  # fmt: skip


@pytest.mark.parametrize("case", ENDS, ids=lambda case: case.__name__)
async def test_an_end_holds_for_the_next_request(
    house: House, case: Callable[[House], Awaitable[Story]]
) -> None:
    await house.put(PATH, {"n": 1})
    await follow(house, await case(house))
