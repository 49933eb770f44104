"""What a vault answers to tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.support.house import House


async def code(house: House, token: str) -> str:
    """The code of the refusal, or ``ok``."""
    answer = await house.get("/v1/auth/whoami", token=token)
    return "ok" if answer.status == 200 else answer.code


async def codes(house: House, tokens: Mapping[str, str]) -> dict[str, str]:
    return {name: await code(house, token) for name, token in tokens.items()}


async def whoami(house: House, token: str) -> dict[str, Any]:
    answer = await house.get("/v1/auth/whoami", token=token)
    assert answer.status == 200, answer.body
    return answer.json  # type: ignore[no-any-return]


async def reopened(house: House, *issuers: dict[str, Any]) -> None:
    """A vault that was closed starts again with these issuers."""
    house.settings = House.configured(
        house.path, rate_limits__enabled=False, identity__issuers=list(issuers)
    )
    house._start()
    assert (await house.unseal()).status == 200
