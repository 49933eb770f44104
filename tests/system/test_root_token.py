"""A root token for an operator who lost every other one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scaivault.clock import HOUR, MINUTE, instant
from tests.support.house import PASSPHRASE, Answer, House


async def ask(house: House, **body: Any) -> Answer:
    return await house.call(
        "POST", "/v1/system/root-token", body or {"passphrase": PASSPHRASE}, token=None
    )


async def test_an_hour_of_root(house: House) -> None:
    answer = await ask(house)
    assert answer.status == 201
    assert answer.json["identity_id"] == "sa:root"
    token = answer.json["token"]
    assert (await house.get("/v1/system/slots", token=token)).status == 200
    assert (await house.get("/v1/auth/whoami")).status == 200  # older ones stay
    (row,) = await house.rows(action="token_create")
    assert row["identity_id"] is None
    assert row["extra_data"]["for"] == "sa:root"
    assert row["extra_data"]["slot_type"] == "passphrase"
    assert token not in str(await house.rows())
    house.clock.advance(HOUR)
    assert (await house.get("/v1/auth/whoami", token=token)).code == "token_expired"


async def test_no_root_token_outlives_the_longest_that_is_set(tmp_path: Path) -> None:
    """Where no time is asked for, as much of the usual one as may be."""
    limits: dict[str, Any] = {"identity__pat_default_ttl": "30m", "identity__pat_max_ttl": "30m"}
    house = await House.opened(tmp_path / "vault", **limits)
    try:
        ends = instant(house.clock.now() + 30 * MINUTE)
        assert house.made["root_token_expires_at"] == ends
        answer = await ask(house)
        assert (answer.status, answer.json.get("expires_at")) == (201, ends)
        refused = await ask(house, passphrase=PASSPHRASE, ttl="31m")
        assert (refused.status, list(refused.details["fields"])) == (422, ["ttl"])
    finally:
        await house.close()


async def test_all_shares_at_once(house: House) -> None:
    made = await house.call(
        "POST", "/v1/system/slots", {"type": "shamir", "shares": 3, "threshold": 2}
    )
    shares = made.json["shares"]
    assert (await ask(house, shares=shares[1:])).status == 201
    assert (await ask(house, shares=shares[:1])).code == "unseal_failed"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"passphrase": "another passphrase"}, 401, "unseal_failed"),
        ({"passphrase": PASSPHRASE, "slot_id": "slot_x"}, 401, "unseal_failed"),
        ({"auto": True}, 422, "validation_error"),
        ({"share": "svs1-x"}, 422, "validation_error"),
        ({"ttl": "1h"}, 422, "validation_error"),
        ({"passphrase": PASSPHRASE, "ttl": "366d"}, 422, "validation_error"),
        ({"passphrase": PASSPHRASE, "ttl": "0s"}, 400, "invalid_duration"),
    ],
)
async def test_refusals(house: House, body: dict[str, Any], status: int, code: str) -> None:
    answer = await ask(house, **body)
    assert (answer.status, answer.code) == (status, code)
    (row,) = await house.rows(success=False)
    assert (row["action"], row["extra_data"]["error_code"]) == ("token_create", code)


async def test_only_from_this_host(house: House) -> None:
    body = {"passphrase": PASSPHRASE}
    for client, headers in (
        (("192.0.2.1", 1), {}),
        (("127.0.0.1", 1), {"x-forwarded-for": "127.0.0.1"}),
    ):
        answer = await house.call(
            "POST", "/v1/system/root-token", body, token=None, client=client, headers=headers
        )
        assert (answer.code, answer.details["reason"]) == ("forbidden", "not_local")


async def test_it_makes_root_whole_again(house: House) -> None:
    where = "/v1/identity/service-accounts"
    second = await house.client("second", ["admin"], ["super_admin"])
    for method, path, body in (
        ("PATCH", f"{where}/sa:root", {"scopes": ["secrets:read"]}),
        ("PUT", f"{where}/sa:root/roles", {"roles": []}),
        ("PATCH", f"{where}/sa:root", {"status": "SUSPENDED"}),
    ):
        assert (await house.call(method, path, body, token=second)).status == 200
        token = (await ask(house)).json["token"]
        assert (await house.get("/v1/system/slots", token=token)).status == 200
