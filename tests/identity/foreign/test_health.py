"""What an operator is told about the issuers."""

from __future__ import annotations

from typing import Any

from scaivault.clock import DAY, MINUTE
from tests.identity.foreign.asking import code
from tests.identity.foreign.conftest import Open
from tests.support.house import House
from tests.support.issuing import KEYS, Provider


async def told(house: House) -> tuple[str, list[dict[str, Any]]]:
    state = (await house.get("/v1/health/detailed")).json
    return state["status"], state["checks"]["issuers"]


async def test_an_issuer_that_nobody_came_from_is_well(house: House) -> None:
    check = {"name": "corp", "type": "oidc", "status": "ok", "keys": 0, "last_fetched_at": None}
    assert await told(house) == ("healthy", [check])


async def test_keys_that_cannot_be_fetched_show(house: House, provider: Provider) -> None:
    assert await code(house, provider.token()) == "ok"
    status, (check,) = await told(house)
    assert (status, check["status"], check["keys"]) == ("healthy", "ok", 1)
    fetched = check["last_fetched_at"]
    provider.answer(KEYS, b"", 500)
    provider.clock.advance(10 * MINUTE)
    assert await house.vault.key_sets.refresh() == 1
    status, (check,) = await told(house)
    assert (status, check["status"], check["keys"]) == ("degraded", "warn", 1)
    assert check["last_fetched_at"] == fetched
    provider.clock.advance(DAY)
    assert await code(house, provider.token()) == "token_invalid"
    status, (check,) = await told(house)
    assert (status, check["status"], check["keys"]) == ("degraded", "error", 0)
    assert check["last_fetched_at"] is None


async def test_of_a_pattern_the_worst_shows(opened: Open, provider: Provider) -> None:
    house = await opened({"name": "each", "issuer": provider.url + "/{tenant_id}"})
    assert await code(house, provider.token(iss=f"{provider.url}/{provider.tenant}")) != "ok"
    status, checks = await told(house)
    assert (status, [one["status"] for one in checks]) == ("degraded", ["ok", "error"])
