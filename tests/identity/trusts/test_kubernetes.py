"""Tokens of pods: their cluster is asked whether they still count."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from scaivault.clock import SECOND
from tests.support.certificates import self_signed
from tests.support.house import House
from tests.support.issuing import KEYS, Provider
from tests.support.kubernetes import REVIEWER, ApiServer
from tests.support.policies import bound, policy, rule
from tests.support.tenants import found_tenant
from tests.support.trusting import (
    GRANT,
    code,
    exchange,
    form,
    given,
    patch,
    runner,
    sent,
    trust,
)

POD = "system:serviceaccount:shop:web"
ROOTS = "clusters/eu/ca"
CREDENTIALS = "clusters/eu/reviewer"


@pytest.fixture
async def cluster(tmp_path: Path, house: House) -> AsyncIterator[ApiServer]:
    """Running, with one pod; what it takes to ask it is in the vault."""
    context, roots = self_signed(tmp_path)
    await house.put(ROOTS, {"cert_pem": roots.read_text()})
    await house.put(CREDENTIALS, {"token": REVIEWER})
    await runner(house)
    async with ApiServer(context) as running:
        running.pods[POD] = ["scaivault"]
        yield running


def review(cluster: ApiServer, **fields: Any) -> dict[str, Any]:
    usual = {"url": cluster.url, "ca_cert_path": ROOTS, "credentials_path": CREDENTIALS}
    return {**usual, **fields}


def pod(provider: Provider, **claims: Any) -> str:
    """A projected token: an hour, no token id."""
    now = provider.clock.now() // SECOND
    usual: dict[str, Any] = {
        "sub": POD, "aud": ["scaivault"], "email": None, "name": None, "tenant_id": None,
        "scope": None, "jti": None, "exp": now + 3600,
        "kubernetes.io": {"namespace": "shop", "serviceaccount": {"name": "web"}},
    }  # fmt: skip
    return provider.token(**{**usual, **claims})


async def lent(house: House, provider: Provider, cluster: ApiServer, **fields: Any) -> str:
    subject = "system:serviceaccount:shop:*"
    asked = {"subject": subject, "token_review": review(cluster), **fields}
    return await trust(house, provider, **asked)


async def test_a_pod_counts_as_long_as_it_is_there(
    house: House, provider: Provider, cluster: ApiServer
) -> None:
    trust_id = await lent(house, provider, cluster)
    token = pod(provider)
    mine = await given(house, token)
    assert (await house.get("/v1/auth/whoami", token=mine)).json["identity_id"] == "sa:ci"
    assert cluster.asked == [
        {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": ["scaivault"]},
        }
    ]
    shown = (await house.get(f"/v1/identity/trusts/{trust_id}")).json
    assert shown["token_review"] == review(cluster)
    # Both secrets were read as the vault itself, for this.
    read = [
        (row["secret_path"], row["identity_id"], row["extra_data"]["purpose"])
        for row in await house.rows(action="read", identity_id="system:identity-sync")
    ]
    assert read == [
        (CREDENTIALS, "system:identity-sync", "token_review"),
        (ROOTS, "system:identity-sync", "token_review"),
    ]
    del cluster.pods[POD]
    refused = await exchange(house, token)
    assert (refused.status, refused.code) == (401, "token_invalid")


async def test_the_cluster_alone_where_no_key_set_can_be_had(
    house: House, provider: Provider, cluster: ApiServer
) -> None:
    await lent(house, provider, cluster)
    provider.answers.clear()
    assert await code(house, pod(provider)) == "ok"
    assert await code(house, pod(provider, aud="else")) == "token_invalid"
    now = house.clock.now() // SECOND
    assert await code(house, pod(provider, iat=now - 900, exp=now - 300)) == "token_expired"
    assert await code(house, pod(provider, sub="system:serviceaccount:bank:x")) == "token_invalid"
    cluster.pods.clear()
    assert await code(house, pod(provider)) == "token_invalid"


async def test_the_cluster_does_not_stand_in_for_a_wrong_signature(
    house: House, provider: Provider, cluster: ApiServer
) -> None:
    await lent(house, provider, cluster)
    head, payload, _ = pod(provider).split(".")
    assert await code(house, f"{head}.{payload}.{'A' * 86}") == "token_invalid"
    unknown = Provider(house.clock)
    unknown.url, unknown.kid = provider.url, "never seen"
    assert await code(house, pod(unknown)) == "token_invalid"
    assert cluster.asked == []


async def test_what_the_cluster_says_is_held_against_the_token(
    house: House, provider: Provider, cluster: ApiServer
) -> None:
    await lent(house, provider, cluster)
    token = pod(provider)
    user = b'"user":{"username":"%s"}' % POD.encode()
    answers = {
        b'{"status":{"authenticated":true,"audiences":["scaivault"],%s}}' % user: "ok",
        b'{"status":{"authenticated":true,%s}}' % user: "token_invalid",
        b'{"status":{"authenticated":true,"audiences":["x"],%s}}' % user: "token_invalid",
        b'{"status":{"authenticated":true,"audiences":["scaivault"]}}': "token_invalid",
        b'{"status":{"authenticated":true,"audiences":["scaivault"],"user":{"username":"a"}}}': (
            "token_invalid"
        ),
        b'{"status":{"authenticated":false,"audiences":["scaivault"],%s}}' % user: "token_invalid",
        b'{"status":{"authenticated":true,"audiences":["scaivault"],"error":"x",%s}}' % user: (
            "token_invalid"
        ),
        b'{"status":{"authenticated":true,"user":{"username":"\xff"}}}': "upstream_error",
        b'{"status":{"authenticated":true,"user":{"username":"\\ud800"}}}': "upstream_error",
        b'{"status":{}}': "token_invalid",
        b'{"status":{"authenticated":"true"}}': "upstream_error",
        b"{}": "upstream_error",
        b"[": "upstream_error",
        b"[" * 100_000: "upstream_error",
        b" " * 300_000: "upstream_error",
    }
    for raw, wanted in answers.items():
        cluster.answer = 201, raw
        assert await code(house, token) == wanted, raw[:100]
    for status in (302, 401, 403, 404, 500):
        cluster.answer = status, b'{"status":{"authenticated":true}}'
        assert await code(house, token) == "upstream_error", status


async def test_a_cluster_that_cannot_be_asked(
    house: House, provider: Provider, cluster: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lent(house, provider, cluster)
    token = pod(provider)
    monkeypatch.setattr("scaivault.identity.trusts.token_review.SECONDS", 0.05)
    cluster.hangs = True
    slow = await exchange(house, token)
    assert (slow.status, slow.code) == (502, "upstream_error")
    assert slow.details == {"backend": "kubernetes", "reason": "timeout"}
    cluster.stop()
    monkeypatch.setattr("scaivault.identity.trusts.token_review.SECONDS", 5.0)
    gone = await exchange(house, token)
    assert gone.details == {"backend": "kubernetes", "reason": "connection"}
    row = (await house.rows(request_id=gone.headers["x-request-id"], action="auth_failed"))[0]
    assert row["extra_data"]["error_code"] == "upstream_error"


@pytest.mark.parametrize(
    ("path", "data"),
    [
        (CREDENTIALS, {"token": "wrong"}),
        (CREDENTIALS, {"token": 1}),
        (CREDENTIALS, {}),
        (CREDENTIALS, {"token": "a\r\nx: y"}),
        (ROOTS, {"cert_pem": "no certificate"}),
        (ROOTS, {"cert_pem": " "}),
        (ROOTS, {}),
    ],
)
async def test_secrets_that_do_not_fit(
    house: House, provider: Provider, cluster: ApiServer, path: str, data: dict[str, Any]
) -> None:
    await lent(house, provider, cluster)
    await house.put(path, data)
    refused = await exchange(house, pod(provider))
    assert (refused.status, refused.code) == (502, "upstream_error")


async def test_without_its_authority_the_cluster_is_not_believed(
    house: House, provider: Provider, cluster: ApiServer
) -> None:
    await lent(house, provider, cluster, token_review=review(cluster, ca_cert_path=None))
    assert await code(house, pod(provider)) == "upstream_error"
    assert cluster.asked == []


async def test_secrets_that_are_gone_tell_nothing(
    house: House, provider: Provider, cluster: ApiServer
) -> None:
    await lent(house, provider, cluster)
    await house.delete(CREDENTIALS, permanent="true")
    refused = await exchange(house, pod(provider))
    assert (refused.code, refused.details["reason"]) == ("upstream_error", "credentials")
    assert CREDENTIALS.encode() not in refused.body


async def test_only_what_one_may_read_is_lent_to_a_cluster(
    house: House, provider: Provider, cluster: ApiServer
) -> None:
    """Else a trust would carry any secret of the tenant to a server of one's own."""
    admin = await house.client("admin", ["admin"], ["tenant_admin"])
    narrowed = await given(
        house, admin, subject_token_type="urn:ietf:params:oauth:token-type:access_token",
        allowed_paths=["app/**"],
    )  # fmt: skip
    asked = {"subject": POD, "token_review": review(cluster)}
    refused = await sent(house, provider, token=narrowed, **asked)
    assert (refused.status, refused.code) == (403, "access_denied")
    made = await trust(house, provider, subject=POD)
    refused = await patch(house, made, token_review=review(cluster), token=narrowed)
    assert (refused.status, refused.code) == (403, "access_denied")
    lent_to = await lent(house, provider, cluster, name="lent")
    refused = await patch(house, lent_to, subject="*x", token=narrowed)
    assert (refused.status, refused.code) == (403, "access_denied")


async def test_a_strange_cluster_gets_to_see_no_token_of_others(
    house: House, provider: Provider, cluster: ApiServer
) -> None:
    """It could be quicker than we are with a token that was sent to it."""
    second = (await found_tenant(house, "second")).id
    await runner(house, tenant_id=second)
    for path, name in ((ROOTS, "cert_pem"), (CREDENTIALS, "token")):
        kept = (await house.read(path)).json["data"][name]
        await house.put(path, {name: kept}, headers={"x-tenant-id": second})
    await lent(house, provider, cluster, tenant_id=second, jwks_url=provider.url + "/none")
    await lent(house, provider, cluster, tenant_id=second, name="other")
    await trust(house, provider, subject="system:serviceaccount:shop:*")
    token = pod(provider)
    assert await code(house, token) == "invalid_request"
    assert await code(house, token, tenant_id=house.made["tenant_id"]) == "ok"
    assert await code(house, token, role="sa:nobody") == "access_denied"
    head, payload, _ = token.split(".")
    forged = f"{head}.{payload}.{'A' * 86}"
    assert await code(house, forged, tenant_id=house.made["tenant_id"]) == "token_invalid"
    assert cluster.asked == []


async def test_at_the_token_endpoint_a_silent_cluster_is_no_fault_of_the_client(
    house: House, provider: Provider, cluster: ApiServer
) -> None:
    await lent(house, provider, cluster)
    cluster.answer = 500, b""
    answer = await form(house, "/oauth/token", grant_type=GRANT, subject_token=pod(provider))
    assert (answer.status, answer.json["error"]) == (503, "temporarily_unavailable")


async def test_an_inline_key_set_for_a_cluster_that_is_not_reached(
    house: House, provider: Provider, cluster: ApiServer
) -> None:
    keys = json.loads(provider.answers[KEYS][2])
    await bound(house, await policy(house, rule("shop/**")), "sa:ci")
    await house.put("shop/db", {"n": 1})
    issuer = "https://kubernetes.default.svc.cluster.local"
    await trust(house, provider, issuer=issuer, jwks=keys, subject=POD)
    token = await given(house, pod(provider, iss=issuer))
    assert (await house.read("shop/db", token=token)).status == 200
    assert provider.calls == []
