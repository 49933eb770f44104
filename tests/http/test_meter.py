"""What is counted, and what of it is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from scaivault.clock import SECOND
from scaivault.http.meter import metrics_responder
from scaivault.http.request import Head, Request
from tests.support.house import PASSPHRASE, House
from tests.support.people import login

CANARY = "c4n4ry-9f31"


def samples(text: bytes) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """(name, labels) -> value."""
    return {
        (sample.name.removeprefix("scaivault_"), frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


async def told(house: House) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return samples(await house.app.meter.fresh())


def named(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


async def test_requests_are_counted_by_method_category_and_status(house: House) -> None:
    await house.put("a/b", {"x": 1})
    await house.read("a/b")
    await house.read("a/b")
    await house.read("a/missing")
    found = await told(house)
    common = {"method": "GET", "path_category": "secrets_read"}
    assert found[named("requests_total", **common, status="200")] == 2
    assert found[named("requests_total", **common, status="404")] == 1
    assert found[named("request_duration_seconds_count", **common)] == 3
    assert found[named("active_requests", path_category="secrets_read")] == 0


async def test_reads_and_writes_are_counted_by_tenant(house: House) -> None:
    tenant = house.made["tenant_id"]
    await house.put("a/b", {"x": 1}, secret_type="api_key")
    await house.put("a/b", {"x": 2})
    await house.read("a/b")
    found = await told(house)
    assert found[named("secret_writes_total", tenant=tenant)] == 2
    assert found[named("secret_reads_total", tenant=tenant, secret_type="api_key")] == 1
    assert found[named("secrets_total", tenant=tenant)] == 1


async def test_refusals_are_counted_by_code(house: House) -> None:
    await house.get("/v1/auth/whoami", token="nonsense")
    await house.get("/v1/auth/whoami", token=None)
    nobody = await house.client("nobody", ["secrets:read"])
    assert (await house.read("a/b", token=nobody)).code == "access_denied"
    found = await told(house)
    assert found[named("auth_failures_total", code="token_invalid")] == 1
    assert found[named("auth_failures_total", code="authentication_required")] == 1
    assert found[named("policy_denials_total", code="access_denied")] == 1
    assert found[named("audit_rows_total", result="failure")] == 3


async def test_rate_limits_are_counted_and_their_buckets_shown(tmp_path: Path) -> None:
    house = await House.opened(tmp_path / "vault", rate_limits__auth_info=2)
    try:
        statuses = [(await house.get("/v1/auth/whoami")).status for _ in range(4)]
        assert statuses == [200, 200, 429, 429]
        found = await told(house)
    finally:
        await house.close()
    assert found[named("rate_limit_hits_total", category="auth_info")] == 2
    who = f"{house.made['tenant_id']}/sa:root"
    assert found[named("rate_limit_bucket_fill", category="auth_info", identity=who)] == 0


async def test_a_sealed_vault_is_measured_too(house: House) -> None:
    assert (await told(house))[named("sealed")] == 0
    await house.restart()
    await house.unseal(passphrase="wrong horse battery staple")
    found = await told(house)
    assert found[named("sealed")] == 1
    assert found[named("unseal_attempts_total", slot_type="passphrase", result="failure")] == 1
    assert not any(name == "db_pool_size" for name, _ in found)
    await house.unseal(passphrase=PASSPHRASE)
    found = await told(house)
    assert found[named("sealed")] == 0
    assert found[named("db_pool_size")] == 4
    assert found[named("unseal_attempts_total", slot_type="passphrase", result="success")] == 1


async def test_numbers_of_the_file_are_kept_for_a_while(house: House) -> None:
    tenant = house.made["tenant_id"]
    await house.put("a/b", {"x": 1})
    assert (await told(house))[named("secrets_total", tenant=tenant)] == 1
    await house.put("a/c", {"x": 1})
    assert (await told(house))[named("secrets_total", tenant=tenant)] == 1
    house.clock.advance(16 * SECOND)
    assert (await told(house))[named("secrets_total", tenant=tenant)] == 2


async def test_secrets_about_to_expire_are_counted(house: House) -> None:
    await house.put("a/b", {"x": 1}, options={"expires_in": "20d"})
    found = await told(house)
    assert [found[named("secrets_expiring", within_days=days)] for days in ("7", "30", "90")] == [
        0,
        1,
        1,
    ]


async def test_live_tokens_are_counted_by_kind(house: House) -> None:
    async def live() -> dict[str, float]:
        house.clock.advance(16 * SECOND)
        found = await told(house)
        kinds = ("personal_access_token", "client_credentials", "user_session", "exchanged")
        assert len([name for name, _ in found if name == "tokens_active"]) == len(kinds)
        return {kind: found[named("tokens_active", kind=kind)] for kind in kinds}

    async def narrow(subject: str) -> None:
        body = {
            "subject_token": subject,
            "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        }
        answer = await house.call("POST", "/v1/auth/exchange", body, token=None)
        assert answer.status == 200, answer.body

    nothing = {"client_credentials": 0, "user_session": 0, "exchanged": 0}
    assert await live() == {"personal_access_token": 1, **nothing}
    mine = await login(house, expires_in="2h")
    await narrow(mine)
    await narrow(await house.client("app", ["secrets:read"]))
    assert await live() == {
        "personal_access_token": 2,
        "client_credentials": 1,
        "user_session": 1,
        "exchanged": 1,
    }
    await house.call("DELETE", "/v1/auth/tokens/self", token=mine)
    assert await live() == {
        "personal_access_token": 1,
        "client_credentials": 1,
        "user_session": 0,
        "exchanged": 1,
    }
    house.clock.advance(3600 * SECOND)
    assert await live() == {"personal_access_token": 1, **nothing}
    await login(house, "user:b@harbor.example", expires_in="1h")
    house.clock.advance(3600 * SECOND)
    assert (await live())["personal_access_token"] == 1


async def test_jobs_are_counted(house: House) -> None:
    await house.run_jobs()
    house.clock.advance(3600 * SECOND)
    await house.run_jobs()
    found = await told(house)
    assert found[named("job_runs_total", job="purge", status="ok")] == 1
    assert found[named("job_lag_seconds", job="purge")] == 0


async def test_no_label_says_what_a_caller_sent(house: House) -> None:
    await house.put(f"a/{CANARY}", {"x": CANARY})
    await house.read(f"a/{CANARY}", headers={"x-canary": CANARY, "user-agent": CANARY})
    await house.get(f"/v1/{CANARY}?{CANARY}={CANARY}")
    await house.get("/v1/auth/whoami", token=CANARY)
    await house.call(CANARY.upper(), "/v1/secrets")
    text = (await house.app.meter.fresh()).decode().lower()
    assert CANARY not in text
    assert house.token.lower() not in text
    assert 'method="other"' in text


@pytest.mark.parametrize(
    ("mode", "with_token", "without"), [("off", 404, 404), ("token", 200, 401), ("open", 200, 200)]
)
async def test_the_main_port_serves_metrics_as_configured(
    tmp_path: Path, mode: str, with_token: int, without: int
) -> None:
    house = await House.opened(tmp_path / "vault", metrics__main_port=mode)
    try:
        answer = await house.get("/v1/metrics")
        assert answer.status == with_token
        if answer.status == 200:
            assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
            assert named("sealed") in samples(answer.body)
        assert (await house.get("/v1/metrics", token=None)).status == without
    finally:
        await house.close()


async def test_a_token_without_admin_reads_no_metrics(tmp_path: Path) -> None:
    house = await House.opened(tmp_path / "vault", metrics__main_port="token")
    try:
        reader = await house.client("reader", ["secrets:read"])
        assert (await house.get("/v1/metrics", token=reader)).code == "insufficient_scope"
    finally:
        await house.close()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/metrics", 200), ("GET", "/v1/secrets", 404), ("POST", "/v1/metrics", 404)],
)
async def test_the_own_listener_serves_metrics_and_nothing_else(
    house: House, method: str, path: str, status: int
) -> None:
    request = Request(method, path.encode(), b"", Head([]), None, https=False, parts=None)
    reply = await metrics_responder(house.app.meter)(request)
    assert reply is not None
    assert reply.status == status
    assert (b"scaivault_sealed" in reply.body) == (status == 200)
