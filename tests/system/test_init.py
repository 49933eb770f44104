"""Init: what it makes, tells once, and refuses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from scaivault.clock import DAY
from tests.support.house import PASSPHRASE, House

SLOT = {"type": "passphrase", "passphrase": PASSPHRASE}


@pytest.fixture
async def empty(tmp_path: Path) -> AsyncIterator[House]:
    """A data directory without a vault."""
    house = House(tmp_path / "vault", rate_limits__enabled=False)
    yield house
    await house.close()


async def test_the_answer(empty: House) -> None:
    body = {
        "slots": [
            {**SLOT, "label": "ops"},
            {"type": "shamir", "shares": 3, "threshold": 2, "label": "board"},
        ],
        "partner": {"name": "Harbor", "slug": "harbor"},
        "tenant": {"name": "Main", "slug": "main"},
        "root_token_ttl": "1d",
        "recovery": True,
    }
    answer = await empty.init(**body)
    assert answer.status == 201
    made = answer.json
    assert made["vault_id"].startswith("vlt_")
    assert made["sealed"] is False
    assert [(slot["type"], slot["label"]) for slot in made["slots"]] == [
        ("passphrase", "ops"),
        ("shamir", "board"),
        ("passphrase", "recovery"),
    ]
    assert list(made["shares"]) == [made["slots"][1]["id"]]
    assert [share[:5] for share in made["shares"][made["slots"][1]["id"]]] == ["svs1-"] * 3
    assert made["recovery_key"].startswith("svr1-")
    ends = empty.clock.now() + DAY
    me = (await empty.get("/v1/auth/whoami")).json
    assert me["token_expires_at"] == made["root_token_expires_at"]
    assert (me["identity_id"], me["roles"], me["scopes"]) == ("sa:root", ["super_admin"], ["admin"])
    assert me["tenant_id"] == made["tenant_id"]
    partner = empty.vault.tenancy.partners[made["partner_id"]]
    tenant = empty.vault.tenancy.tenants[made["tenant_id"]]
    assert (partner.name, partner.slug) == ("Harbor", "harbor")
    assert (tenant.name, tenant.slug) == ("Main", "main")
    empty.clock.advance(ends - empty.clock.now())
    assert (await empty.get("/v1/auth/whoami")).code == "token_expired"


async def test_nothing_asked_for_gives_a_recovery_key_and_defaults(empty: House) -> None:
    made = (await empty.init(slots=None)).json
    assert [(slot["type"], slot["label"]) for slot in made["slots"]] == [("passphrase", "recovery")]
    assert empty.vault.tenancy.tenants[made["tenant_id"]].slug == "default"
    await empty.restart()
    assert (await empty.unseal(passphrase=made["recovery_key"])).json["sealed"] is False


async def test_a_portable_slot_needs_no_recovery_key(empty: House) -> None:
    assert (await empty.init()).json["recovery_key"] is None


async def test_what_was_told_once_is_told_nowhere_else(empty: House) -> None:
    made = (await empty.init(slots=[{"type": "shamir", "shares": 2, "threshold": 2}])).json
    secrets = [made["root_token"], *next(iter(made["shares"].values()))]
    seen = str(await empty.rows()) + (await empty.get("/v1/system/slots")).body.decode()
    for file in ("vault.seal", "vault.db", "vault.db-wal"):
        seen += (empty.path / file).read_bytes().decode("latin-1")
    assert not [secret for secret in secrets if secret in seen]


BAD: list[tuple[dict[str, Any], int, str]] = [
    ({"slots": [{"type": "magic"}]}, 422, "slots[0].type"),
    ({"slots": [SLOT, {"type": "passphrase", "passphrase": "short"}]}, 422, "slots[1].passphrase"),
    ({"slots": [{"type": "shamir", "shares": 2, "threshold": 3}]}, 422, "slots[0].threshold"),
    ({"slots": [{"type": "shamir", "shares": 33, "threshold": 3}]}, 422, "slots[0].shares"),
    ({"slots": [], "recovery": False}, 422, "recovery"),
    ({"partner": {"slug": "A"}}, 422, "partner.slug"),
    ({"tenant": {"name": ""}}, 422, "tenant.name"),
    ({"root_token_ttl": "366d"}, 422, "root_token_ttl"),
    ({"unknown": 1}, 422, "unknown"),
]


@pytest.mark.parametrize(("change", "status", "field"), BAD)
async def test_a_failure_leaves_the_directory_uninitialized(
    empty: House, change: dict[str, Any], status: int, field: str
) -> None:
    answer = await empty.init(**change)
    assert (answer.status, answer.code) == (status, "validation_error"), answer.body
    assert field in answer.details["fields"]
    status_now = (await empty.get("/v1/system/seal-status", token=None)).json
    assert (status_now["initialized"], status_now["state"]) == (False, "uninitialized")
    assert not (empty.path / "vault.seal").exists()
    assert not (empty.path / "vault.db").exists()
    assert (await empty.init()).status == 201


async def test_a_bad_duration(empty: House) -> None:
    assert (await empty.init(root_token_ttl="soon")).code == "invalid_duration"


async def test_a_second_init(empty: House) -> None:
    await empty.init()
    token = empty.token
    answer = await empty.init()
    assert (answer.status, answer.code) == (409, "invalid_state")
    assert answer.details["reason"] == "already_initialized"
    assert (await empty.get("/v1/auth/whoami", token=token)).status == 200
    refused = await empty.rows(action="init", success=False)
    assert [row["extra_data"]["error_code"] for row in refused] == ["invalid_state"]


async def test_two_at_once(empty: House) -> None:
    answers = await asyncio.gather(empty.init(), empty.init())
    assert sorted(answer.status for answer in answers) == [201, 409]
    (refused,) = [answer for answer in answers if answer.status == 409]
    assert refused.details["reason"] in ("in_progress", "already_initialized")


@pytest.mark.parametrize(
    ("client", "headers"),
    [
        (("192.0.2.1", 5), {}),
        (("2001:db8::1", 5), {}),
        (("127.0.0.1", 5), {"x-forwarded-for": "127.0.0.1"}),
        (("127.0.0.1", 5), {"forwarded": "for=127.0.0.1"}),
        (("127.0.0.1", 5), {"x-forwarded-port": "443"}),
        (None, {"x-forwarded-host": "a"}),
        (("127.0.0.1", 5), {"via": "1.1 proxy"}),
        (("127.0.0.1", 5), {"x-real-ip": "127.0.0.1"}),
        # A page in the operator's browser, which sends whatever it likes from this host.
        (("127.0.0.1", 5), {"origin": "https://evil.example"}),
        (("127.0.0.1", 5), {"origin": "null"}),
    ],
)
async def test_init_from_elsewhere(
    empty: House, client: tuple[str, int] | None, headers: dict[str, str]
) -> None:
    body = {"slots": [SLOT]}
    answer = await empty.call(
        "POST", "/v1/system/init", body, token=None, client=client, headers=headers
    )
    assert (answer.status, answer.code) == (403, "forbidden")
    assert answer.details["reason"] == "not_local"
    assert not (empty.path / "vault.seal").exists()


@pytest.mark.parametrize("client", [("::1", 5), ("::ffff:127.0.0.1", 5), ("127.9.9.9", 5), None])
async def test_this_host_in_all_its_forms(empty: House, client: tuple[str, int] | None) -> None:
    answer = await empty.call(
        "POST", "/v1/system/init", {"slots": [SLOT]}, token=None, client=client
    )
    assert answer.status == 201


async def test_local_from(tmp_path: Path) -> None:
    house = House(tmp_path / "vault", seal__local_from=["192.0.2.0/24"])
    try:
        for address, status in (("192.0.3.1", 403), ("192.0.2.77", 201)):
            answer = await house.call(
                "POST", "/v1/system/init", {"slots": [SLOT]}, token=None, client=(address, 1)
            )
            assert answer.status == status
    finally:
        await house.close()


async def test_all_else_is_not_initialized(empty: House) -> None:
    for method, path in (("GET", "/v1/secrets"), ("POST", "/v1/system/seal"), ("GET", "/nothing")):
        answer = await empty.call(method, path)
        assert (answer.status, answer.code) == (503, "not_initialized")
    assert (await empty.unseal()).code == "not_initialized"
    assert (await empty.get("/v1/health", token=None)).status == 200


async def test_the_first_rows(empty: House) -> None:
    await empty.init()
    rows = await empty.rows()
    assert rows[0]["action"] == "init"
    assert rows[0]["tenant_id"] == empty.made["tenant_id"]
    assert (rows[0]["identity_id"], rows[0]["source_ip"]) == (None, "127.0.0.1")
