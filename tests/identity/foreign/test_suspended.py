"""Tokens of an outside issuer for a tenant that is suspended or deleted."""

from __future__ import annotations

import pytest

from tests.support.house import House
from tests.support.issuing import Provider
from tests.tenancy.asking import change, delete, partner, tenant

WHOAMI = "/v1/auth/whoami"


@pytest.mark.parametrize("kind", ["tenant", "partner"])
async def test_suspended(house: House, provider: Provider, kind: str) -> None:
    away = await partner(house, "away")
    far = await tenant(house, "far", partner_id=away["id"])
    claims = {"tenant_id": far["id"]}
    used, fresh = provider.token(**claims, jti="a"), provider.token(**claims, jti="b")
    assert (await house.get(WHOAMI, token=used)).status == 200
    row = far["id"] if kind == "tenant" else away["id"]
    await change(house, row, {"status": "SUSPENDED"})
    for token in (used, fresh):
        answer = await house.get(WHOAMI, token=token)
        assert (answer.status, answer.code) == (403, "forbidden")
        assert answer.details == {"reason": "tenant_suspended"}
    await change(house, row, {"status": "ACTIVE"})
    for token in (used, fresh):
        assert (await house.get(WHOAMI, token=token)).status == 200


async def test_deleted(house: House, provider: Provider) -> None:
    """A tenant that is not there is not known: whoever has used the token and who has not."""
    far = await tenant(house, "far")
    used, fresh = [provider.token(tenant_id=far["id"], jti=jti) for jti in "ab"]
    assert (await house.get(WHOAMI, token=used)).status == 200
    await delete(house, far["id"])
    for token in (used, fresh):
        answer = await house.get(WHOAMI, token=token)
        assert (answer.status, answer.code) == (401, "token_invalid")
    await change(house, far["id"], {"status": "ACTIVE"})
    for token in (used, fresh):
        assert (await house.get(WHOAMI, token=token)).status == 200


async def test_the_issuer_s_spelling_of_a_partner(house: House, provider: Provider) -> None:
    spelled = "prt_" + house.made["partner_id"][4:]
    seen = await house.get(WHOAMI, token=provider.token(partner_id=spelled))
    assert seen.json["partner_id"] == house.made["partner_id"]
