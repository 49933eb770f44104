"""Roles that a trusted issuer's token brings along, and those that are given here."""

from __future__ import annotations

from scaivault.clock import SECOND
from tests.identity.foreign.asking import whoami
from tests.identity.foreign.conftest import Open
from tests.support.issuing import Provider
from tests.support.users import USERS

SCOPES = "identity:read identity:admin"
MIRA = "user:mira@harbor.example"


async def test_a_role_for_a_day_does_not_become_one_for_good(
    opened: Open, provider: Provider
) -> None:
    house = await opened(trust_roles=True)
    where = f"{USERS}/{MIRA}/roles"
    token = provider.token(role="super_admin", scope=SCOPES)
    assert (await whoami(house, token))["roles"] == ["super_admin"]
    answer = await house.call("PUT", where, {"roles": ["super_admin"]}, token=token)
    assert (answer.status, answer.code) == (403, "forbidden")
    assert answer.details == {"reason": "self_elevation"}
    assert (await house.get(where)).json["roles"] == []
    provider.clock.advance(SECOND)
    plain = provider.token(scope=SCOPES)
    assert (await whoami(house, plain))["roles"] == []
    assert (await house.call("PUT", where, {"roles": ["tenant_admin"]})).status == 200
    assert (await whoami(house, plain))["roles"] == ["tenant_admin"]
