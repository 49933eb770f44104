"""People, tenants, trusts and tokens, through both clients, in a real vault."""

from __future__ import annotations

import base64
import dataclasses
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from scaivault.clock import SECOND, FakeClock
from scaivault.crypto import totp
from scaivault_sdk._local import BASE_URL, LocalTransport, LocalVault
from scaivault_sdk.errors import (
    AccessDeniedError,
    AuthenticationError,
    ConfigurationError,
    InUseError,
    MfaRequiredError,
    NotFoundError,
    PermissionDeniedError,
    TokenRevokedError,
    ValidationError,
)
from tests.support.clients import URL, Clients, Script
from tests.support.issuing import jwk, sealed

NOW = FakeClock().now() // SECOND
ISSUER = "https://builds.example.org"


@pytest.fixture
def enter(clients: Clients, vault: LocalVault) -> Any:
    """A further client of the vault."""
    return lambda **settings: clients.made(BASE_URL, transport=LocalTransport(vault), **settings)


def person(client: Any, name: str, *scopes: str, **more: Any) -> Any:
    """A new user, and a token of his."""
    user = client.identity.create_user(f"{name}@harbor.example", **more)
    return user, client.auth.create_token("laptop", list(scopes), identity_id=user.id)


def test_an_id_that_leads_elsewhere_is_refused_by_its_name(client: Any) -> None:
    identity = client.identity
    for name, call, ids in (
        ("group_id", identity.get_group, [""]),
        ("account_id", identity.get_service_account, [".."]),
        ("credential_id", identity.delete_credentials, ["sa:job", ""]),
        ("identity_id", identity.revoke_access, ["user", "."]),
    ):
        with pytest.raises(ConfigurationError, match=f"^{name} must not"):
            call(*ids)


# -- people -------------------------------------------------------------------------------------


def test_a_user_from_first_to_last(client: Any, fresh: str) -> None:
    group = client.identity.create_group(fresh)
    made = client.identity.create_user(
        f"{fresh}@harbor.example", display_name="Mira Quist", groups=[f"group:{fresh}"]
    )
    assert (made.identity_id, made.groups) == (f"user:{fresh}@harbor.example", [group.id])
    assert (made.mfa_enabled, made.issuer, made.extra) == (False, "local", {})
    assert client.identity.get_user(made.identity_id) == made
    assert client.identity.users(q="mira QUIST").data[-1] == made
    changed = client.identity.update_user(made.id, display_name="M. Quist", groups=[])
    assert (changed.display_name, changed.groups) == ("M. Quist", [])
    assert client.identity.set_user_roles(made.id, ["tenant_admin"]).roles == ["tenant_admin"]
    assert client.identity.user_roles(made.id).user_id == made.id
    suspended = client.identity.update_user(made.id, status="SUSPENDED")
    assert suspended.status == "SUSPENDED"
    assert suspended in client.identity.users(status="SUSPENDED").data
    client.identity.delete_user(made.id)
    with pytest.raises(NotFoundError):
        client.identity.get_user(made.id)


def test_access_ends_at_one_blow(client: Any, enter: Any, fresh: str) -> None:
    user, token = person(client, fresh, "secrets:read")
    assert enter(token=token.token).auth.whoami().identity_id == user.identity_id
    ended = client.identity.revoke_access("user", user.identity_id, reason="left")
    assert (ended.identity_id, ended.tokens_revoked, ended.extra) == (user.identity_id, 1, {})
    with pytest.raises(TokenRevokedError):
        enter(token=token.token).auth.whoami()
    assert client.identity.revoke_access("user", user.id).tokens_revoked == 0
    assert client.identity.get_user(user.id).status == "ACTIVE"


# -- partners and tenants -----------------------------------------------------------------------


def test_partners_and_tenants(client: Any, fresh: str) -> None:
    partner = client.identity.create_partner("North", fresh, region="eu")
    assert client.identity.get_partner(partner.id) == partner
    assert client.identity.update_partner(partner.id, name="South").name == "South"
    assert partner.id in [each.id for each in client.identity.partners().items()]
    tenant = client.identity.create_tenant("Shop", fresh, partner_id=partner.id)
    assert client.identity.get_tenant(tenant.id) == tenant
    assert client.identity.tenants(partner.id).data == [tenant]
    assert client.identity.update_tenant(tenant.id, status="SUSPENDED").status == "SUSPENDED"
    with pytest.raises(InUseError):
        client.identity.delete_partner(partner.id)
    with pytest.raises(ValidationError):
        client.identity.delete_tenant(tenant.id, confirm="yes")
    client.identity.delete_tenant(tenant.id, confirm=tenant.id)
    assert client.identity.tenants(partner.id).data == []
    client.identity.delete_partner(partner.id)


def test_a_view_lists_its_own_tenant(client: Any, clients: Clients, fresh: str) -> None:
    tenant = client.identity.create_tenant("Shop", fresh)
    view = clients.seen(getattr(client, "inner", client).for_tenant(tenant.id))
    view.identity.create_user(f"{fresh}@shop.example")
    assert [user.email for user in view.identity.users()] == [f"{fresh}@shop.example"]
    view.identity.create_group(fresh)
    assert [group.name for group in view.identity.groups()] == [fresh]
    assert f"{fresh}@shop.example" not in [user.email for user in client.identity.users().items()]


def test_the_pin_looks_the_tenant_up(client: Any, enter: Any, vault: Any, fresh: str) -> None:
    partner = client.identity.create_partner("North", fresh)
    tenant = client.identity.create_tenant("Shop", fresh, partner_id=partner.id)
    own = client.auth.whoami().partner_id
    known = {"token": vault.root_token, "tenant_id": tenant.id}
    assert enter(**known, partner_id=partner.id).secrets.list().data == []
    wrong = enter(**known, partner_id=own)
    with pytest.raises(ConfigurationError, match=f"belongs to {partner.id}"):
        wrong.secrets.list()
    with pytest.raises(ConfigurationError):
        enter(**{**known, "tenant_id": None}, partner_id=partner.id).secrets.list()
    # Calls that take a partner act for the one that is named.
    assert own not in {
        each.partner_id
        for each in enter(token=vault.root_token, partner_id=partner.id).identity.tenants()
    }


# -- trusts and exchange ------------------------------------------------------------------------


def build_token(key: Any, **changed: Any) -> str:
    claims = {"iss": ISSUER, "aud": "scaivault", "sub": "repo:a/b", "iat": NOW, "exp": NOW + 600}
    return sealed({"alg": "ES256", "typ": "JWT", "kid": "k"}, {**claims, **changed}, key)


def test_a_trust_and_what_it_gives(client: Any, enter: Any, fresh: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    client.identity.create_service_account(fresh, ["secrets:read", "secrets:list"])
    trust = client.identity.create_trust(
        *(fresh, ISSUER, "repo:a/*", f"sa:{fresh}", ["secrets:read"]),
        jwks={"keys": [jwk(key, "k")]},
        claims_equal={"env": ["live", "next"]},
        max_ttl="10m",
    )
    assert trust.claims_equal == {"env": ["live", "next"]}
    assert client.identity.get_trust(trust.id) == trust
    assert trust in client.identity.trusts().data
    nobody = enter()
    got = nobody.auth.exchange(build_token(key, env="live"), role=f"sa:{fresh}", ttl="5m")
    assert (got.expires_in, got.scope, got.token_type) == (300, "secrets:read", "Bearer")
    assert got.access_token not in repr(got)
    build = enter(token=got.access_token)
    assert build.auth.whoami().identity_id == f"sa:{fresh}"
    with pytest.raises(AccessDeniedError):
        nobody.auth.exchange(build_token(key, env="test"), role=f"sa:{fresh}")
    assert client.identity.update_trust(trust.id, is_active=False).is_active is False
    with pytest.raises(AuthenticationError):
        build.auth.whoami()
    client.identity.delete_trust(trust.id)
    with pytest.raises(NotFoundError):
        client.identity.get_trust(trust.id)


def test_a_token_is_narrowed(client: Any, enter: Any, fresh: str) -> None:
    _, token = person(client, fresh, "secrets:read", "secrets:list")
    got = enter().auth.exchange(
        token.token,
        subject_token_type="access_token",
        scope=["secrets:read"],
        allowed_paths=["shop/**"],
    )
    who = enter(token=got.access_token).auth.whoami()
    assert (who.scopes, who.allowed_paths) == (["secrets:read"], ["shop/**"])
    assert who.token_kind == "user_session"


# -- tokens -------------------------------------------------------------------------------------


def test_tokens(client: Any, enter: Any, fresh: str) -> None:
    user, token = person(client, fresh, "secrets:read")
    assert token.token.startswith("skt_")
    assert token.token not in repr(token)
    own = enter(token=token.token)
    child = own.auth.create_token(
        "job", ["secrets:read"], expires_in="1h", allowed_paths=["a/*"], ip_ranges=["127.0.0.0/8"]
    )
    assert (child.parent_id, child.allowed_paths) == (token.id, ["a/*"])
    page = own.auth.list_tokens(limit=1)
    assert (len(page), page.has_more) == (1, True)
    assert {each.id for each in page.items()} == {child.id, token.id}
    assert "token" not in {field.name for field in dataclasses.fields(page.data[0])}
    assert client.auth.list_tokens(user.identity_id, "personal_access_token").data
    with pytest.raises(PermissionDeniedError):
        own.auth.create_token("more", ["admin"])
    live = client.auth.introspect(child.token)
    assert (live.active, live.identity_id, live.scopes) == (
        True,
        user.identity_id,
        ["secrets:read"],
    )
    own.auth.revoke_token(child.id)
    dead = client.auth.introspect(child.token)
    assert (dead.active, dead.identity_id) == (False, None)
    assert [each.id for each in own.auth.list_tokens(status="revoked")] == [child.id]


def test_a_second_factor(client: Any, enter: Any, fresh: str) -> None:
    user, token = person(client, fresh, "secrets:read")
    own = enter(token=token.token)
    enrolled = own.auth.enrol_mfa()
    assert enrolled.confirmed is False
    assert enrolled.secret not in repr(enrolled)
    step = totp.step_at(NOW)
    secret = base64.b32decode(enrolled.secret)
    with pytest.raises(MfaRequiredError):
        own.auth.verify_mfa(totp.code(secret, step + 9))
    verified = own.auth.verify_mfa(totp.code(secret, step))
    assert own.auth.whoami().mfa_verified_at == verified.mfa_verified_at
    assert client.identity.get_user(user.id).mfa_enabled
    own.auth.remove_mfa()
    own.auth.enrol_mfa()
    client.identity.delete_user_mfa(user.id)
    assert not client.identity.get_user(user.id).mfa_enabled


# -- sync ---------------------------------------------------------------------------------------


def test_identities_are_fetched_anew(client: Any) -> None:
    run = client.identity.sync(tenant_id=client.auth.whoami().tenant_id)
    assert run.sync_id
    runs = client.identity.sync_history(page_size=1)
    assert (runs.data[0].sync_id, runs.data[0].trigger) == (run.sync_id, "manual")


def test_a_list_of_a_tenant_needs_a_tenant(clients: Clients) -> None:
    nobody = {"identity_id": "sa:x", "identity_type": "service_account", "tenant_id": None}
    script = Script(httpx.Response(200, json=nobody))
    with pytest.raises(ConfigurationError, match="belongs to no tenant"):
        clients.mocked(script).identity.service_accounts()
    assert [each.url.path for each in script.asked] == ["/v1/auth/whoami"]
    script = Script(httpx.Response(200, json={"service_accounts": [], "total": 0}))
    clients.mocked(script).identity.service_accounts("tnt_1")
    (asked,) = script.asked
    assert asked.url.path == "/v1/identity/tenants/tnt_1/service-accounts"


def test_a_partner_is_named_where_a_call_takes_one(clients: Clients) -> None:
    started = {"sync_id": "syn_1", "status": "running", "started_at": "2031-02-03T09:00:00Z"}
    script = Script(
        *(httpx.Response(200, json=body) for body in (started, {"tenants": [], "total": 0}))
    )
    client = clients.mocked(script, partner_id="ptn_1")
    client.identity.sync()
    client.identity.tenants("ptn_2")
    assert [str(each.url).removeprefix(URL) for each in script.asked] == [
        "/v1/identity/sync?partner_id=ptn_1",
        "/v1/identity/tenants?partner_id=ptn_2",
    ]
