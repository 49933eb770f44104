"""Making, changing and ending trusts: what may stand in one, and who may."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scaivault.clock import SECOND
from tests.support.house import House
from tests.support.issuing import RSA, Provider, jwk
from tests.support.tenants import found_partner, found_tenant
from tests.support.trusting import TRUSTS, build, code, patch, runner, sent, trust
from tests.tenancy.asking import delete, tenant


async def test_what_is_made_is_shown(house: House, provider: Provider) -> None:
    account = await runner(house)
    made = await sent(house, provider)
    assert made.status == 201, made.body
    trust_id = made.json["id"]
    assert trust_id.startswith("trust_")
    assert made.json == {
        "id": trust_id, "name": "builds", "issuer": provider.url, "jwks_url": None, "jwks": None,
        "algorithms": ["RS256", "ES256"], "audience": ["scaivault"],
        "subject": "repo:harbor/shop:*", "claims_equal": {}, "identity": "sa:ci",
        "max_scopes": ["secrets:list", "secrets:read"], "max_ttl": "1h", "allowed_paths": None,
        "single_use": None, "token_review": None, "is_active": True,
        "created_at": "2031-05-09T06:30:00.000000Z", "updated_at": "2031-05-09T06:30:00.000000Z",
        "last_used_at": None,
    }  # fmt: skip
    assert (await house.get(f"{TRUSTS}/{trust_id}")).json == made.json
    assert (await house.get(TRUSTS)).json == {
        "trusts": [made.json], "cursor": None, "has_more": False,
    }  # fmt: skip
    row = (await house.rows(action="trust_create"))[0]
    assert row["extra_data"] == {"trust_id": trust_id}
    everything = {
        "name": "all of it", "identity": account, "jwks_url": provider.url + "/keys",
        "algorithms": ["EdDSA"], "audience": ["a", "b"], "subject": "*",
        "claims_equal": {"a": 1, "b": [True, "x", 1.5]}, "max_ttl": "1h30m",
        "max_scopes": ["secrets:read"], "allowed_paths": ["app/**"], "single_use": False,
        "is_active": False,
    }  # fmt: skip
    other = await sent(house, provider, **everything)
    assert other.status == 201, other.body
    assert {name: other.json[name] for name in everything} == {**everything, "identity": "sa:ci"}
    keys = {"keys": [jwk(RSA, "k")]}
    inline = await sent(house, provider, name="inline", jwks=keys)
    assert inline.json["jwks"] == keys


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"name": " x"}, "name"),
    ({"name": ""}, "name"),
    ({"name": "x" * 129}, "name"),
    ({"issuer": "ftp://x.example"}, "issuer"),
    ({"issuer": "x"}, "issuer"),
    ({"issuer": "https://u@x.example"}, "issuer"),
    ({"issuer": "https://x.example/#a"}, "issuer"),
    ({"issuer": "https://10.0.0.1"}, "issuer"),
    ({"issuer": "https://169.254.169.254"}, "issuer"),
    ({"issuer": "https://[::ffff:10.0.0.1]"}, "issuer"),
    ({"issuer": "https://2130706433"}, "issuer"),
    ({"issuer": "https://[fd00:ec2::254]"}, "issuer"),
    ({"issuer": "http://93.184.216.34"}, "issuer"),
    ({"jwks_url": "https://192.168.1.1/keys"}, "jwks_url"),
    ({"jwks_url": "http://8.8.8.8/k"}, "jwks_url"),
    ({"jwks_url": "https://x.example", "jwks": {"keys": [jwk(RSA, "k")]}}, "jwks_url"),
    ({"jwks": {}}, "jwks"),
    ({"jwks": {"keys": []}}, "jwks"),
    ({"jwks": {"keys": [1]}}, "jwks"),
    ({"jwks": {"keys": [{**jwk(RSA, "k"), "d": "AQAB"}]}}, "jwks"),
    ({"jwks": {"keys": [{"kty": "oct", "kid": "k", "k": "c2VjcmV0"}]}}, "jwks"),
    ({"jwks": {"keys": [jwk(RSA, str(n)) for n in range(101)]}}, "jwks"),
    ({"jwks": {"keys": [jwk(RSA, "k")], "x": "x" * 65536}}, "jwks"),
    ({"algorithms": []}, "algorithms"),
    ({"algorithms": ["HS256"]}, "algorithms[0]"),
    ({"algorithms": ["none"]}, "algorithms[0]"),
    ({"audience": []}, "audience"),
    ({"audience": "scaivault"}, "audience"),
    ({"audience": [""]}, "audience[0]"),
    ({"subject": ""}, "subject"),
    ({"subject": "*"}, "subject"),
    ({"subject": "**"}, "subject"),
    ({"subject": "?*"}, "subject"),
    ({"claims_equal": {"a": None}}, "claims_equal.a"),
    ({"claims_equal": {"a": {}}}, "claims_equal.a"),
    ({"claims_equal": {"a": []}}, "claims_equal.a"),
    ({"claims_equal": {"a": [[1]]}}, "claims_equal.a"),
    ({"claims_equal": {"": 1}}, "claims_equal"),
    ({"claims_equal": {str(n): n for n in range(21)}}, "claims_equal"),
    ({"identity": "user:a@b.example"}, "identity"),
    ({"identity": "group:x"}, "identity"),
    ({"max_scopes": []}, "max_scopes"),
    ({"max_scopes": ["openid"]}, "max_scopes"),
    ({"max_scopes": ["secrets:write"]}, "max_scopes"),
    ({"allowed_paths": []}, "allowed_paths"),
    ({"allowed_paths": ["a"] * 51}, "allowed_paths"),
    ({"single_use": "once"}, "single_use"),
    ({"token_review": {}}, "token_review.url"),
    ({"token_review": {"url": "https://10.0.0.1", "credentials_path": "a"}}, "token_review.url"),
    ({"other": 1}, "other"),
]  # fmt: skip


async def test_what_may_not_stand_in_a_trust(house: House, provider: Provider) -> None:
    await runner(house)
    for fields, field in FAULTS:
        answer = await sent(house, provider, **fields)
        assert answer.status == 422, (fields, answer.body)
        assert field in answer.details["fields"], (fields, answer.body)
    for fields, wanted in (
        ({"max_ttl": "59s"}, "invalid_duration"),
        ({"max_ttl": "12h1s"}, "invalid_duration"),
        ({"max_ttl": "soon"}, "invalid_duration"),
        ({"allowed_paths": ["/x"]}, "invalid_glob"),
        ({"identity": "sa:nobody"}, "identity_not_found"),
        ({"token_review": {"url": "https://k.example", "credentials_path": "A"}}, "invalid_path"),
    ):
        assert (await sent(house, provider, **fields)).code == wanted, fields
    for ttl in ("1m", "12h"):
        made = await sent(house, provider, name=ttl, max_ttl=ttl)
        assert (made.status, made.json["max_ttl"]) == (201, ttl)


@pytest.mark.parametrize(
    "issuer",
    [
        "https://token.actions.githubusercontent.com",
        "https://token.actions.githubusercontent.com/harbor",
        "https://gitlab.com",
        "https://GitLab.com",
        "https://accounts.google.com",
        "https://sts.amazonaws.com",
        "https://oidc.eks.eu-west-1.amazonaws.com/id/ABC",
    ],
)
async def test_all_of_a_public_issuer_is_never_trusted(
    house: House, provider: Provider, issuer: str
) -> None:
    await runner(house)
    claims = {"repository_owner": "harbor"}
    for subject in ("*", "**", "?*"):
        answer = await sent(house, provider, issuer=issuer, subject=subject, claims_equal=claims)
        assert list(answer.details["fields"]) == ["subject"]
    named = await sent(house, provider, issuer=issuer, claims_equal=claims)
    assert named.status == 201


@pytest.mark.parametrize(
    ("issuer", "subjects"),
    [
        (
            "https://token.actions.githubusercontent.com",
            ("repo:*", "repo:*/*:*", "rep*", "?epo:harbor/*", "*:ref:refs/heads/main",
             "repo:*/shop:*", "repository_owner:?*"),
        ),
        ("https://gitlab.com", ("project_path:*", "project_path:*:ref_type:branch:ref:main")),
        ("https://sts.amazonaws.com", ("arn:aws:iam::*:role/deploy", "arn:*")),
    ],
)  # fmt: skip
async def test_an_owner_left_open_is_anybody(
    house: House, provider: Provider, issuer: str, subjects: tuple[str, ...]
) -> None:
    """Whoever likes has a repository of that name there, or a role."""
    await runner(house)
    for number, subject in enumerate(subjects):
        fields = {"name": f"t{number}", "issuer": issuer, "subject": subject}
        refused = await sent(house, provider, **fields)
        assert refused.status == 422, subject
        assert list(refused.details["fields"]) == ["subject"]
        named = await sent(house, provider, **fields, claims_equal={"owner": "harbor"})
        assert named.status == 201, subject
        where = named.json["id"]
        assert (await patch(house, where, claims_equal=None)).status == 422
        own = await sent(
            house, provider, **{**fields, "name": f"o{number}", "issuer": provider.url}
        )
        assert own.status == 201, subject


async def test_anybody_of_an_own_issuer_with_claims(house: House, provider: Provider) -> None:
    await runner(house)
    await trust(house, provider, subject="*", claims_equal={"repository": "harbor/shop"})
    assert await code(house, build(provider, sub="whoever")) == "ok"


async def test_the_vault_itself_is_no_foreign_issuer(house: House, provider: Provider) -> None:
    await runner(house)
    issuer = (await house.get("/v1/auth/config", token=None)).json["issuer"]
    answer = await sent(house, provider, issuer=issuer)
    assert list(answer.details["fields"]) == ["issuer"]


async def test_names_are_unique_in_a_tenant(house: House, provider: Provider) -> None:
    await runner(house)
    first = await trust(house, provider)
    again = await sent(house, provider)
    assert (again.status, again.code, again.details) == (409, "already_exists", {"field": "name"})
    second = await trust(house, provider, name="second")
    assert (await patch(house, second, name="builds")).code == "already_exists"
    assert (await patch(house, first, name="builds")).status == 200
    other = (await found_tenant(house, "second")).id
    await runner(house, tenant_id=other)
    assert (await sent(house, provider, tenant_id=other)).status == 201


async def test_pages_newest_first(house: House, provider: Provider) -> None:
    await runner(house)
    for name in "abcde":
        await trust(house, provider, name=name)
        house.clock.advance(SECOND)
    found, cursor = [], ""
    while True:
        page = (await house.get(f"{TRUSTS}?limit=2{cursor}")).json
        found += [one["name"] for one in page["trusts"]]
        if not page["has_more"]:
            break
        cursor = f"&cursor={page['cursor']}"
    assert found == list("edcba")
    assert (await house.get(f"{TRUSTS}?cursor=x")).code == "invalid_cursor"
    assert (await house.get(f"{TRUSTS}?limit=201")).status == 422


async def test_a_change_changes_what_is_sent(house: House, provider: Provider) -> None:
    await runner(house)
    keys = {"keys": [jwk(RSA, "k")]}
    made = await sent(house, provider, jwks=keys, allowed_paths=["a/**"], single_use=True)
    trust_id = made.json["id"]
    house.clock.advance(SECOND)
    changed = await patch(house, trust_id, jwks=None, allowed_paths=None, single_use=None)
    assert changed.status == 200, changed.body
    assert changed.json == {
        **made.json, "jwks": None, "allowed_paths": None, "single_use": None,
        "updated_at": "2031-05-09T06:30:01.000000Z",
    }  # fmt: skip
    assert (await house.get(f"{TRUSTS}/{trust_id}")).json == changed.json
    claims = await patch(house, trust_id, claims_equal={"a": 1})
    assert claims.json["claims_equal"] == {"a": 1}
    assert (await patch(house, trust_id, claims_equal=None)).json["claims_equal"] == {}
    bad: list[dict[str, Any]] = [
        {"name": None}, {"subject": None}, {"is_active": None}, {"max_ttl": None},
        {"id": "x"}, {"tenant_id": "x"}, {"subject": "*"}, {"jwks": {"keys": []}},
    ]  # fmt: skip
    for fields in bad:
        assert (await patch(house, trust_id, **fields)).status == 422, fields
    row = (await house.rows(action="trust_update"))[0]
    assert row["extra_data"] == {"trust_id": trust_id}


async def test_whoever_changes_one_must_be_able_to_give_all_of_it(
    house: House, provider: Provider
) -> None:
    """Else the subject of a trust with wide scopes could be turned to one's own builds."""
    await runner(house, scopes=["secrets:read", "secrets:write"])
    wide = await trust(house, provider, max_scopes=["secrets:read", "secrets:write"])
    admin = await house.client("admin", ["identity:admin", "secrets:read"], ["tenant_admin"])
    for fields in ({"subject": "repo:mine/*"}, {"is_active": False}, {"name": "x"}):
        refused = await patch(house, wide, token=admin, **fields)
        assert (refused.status, refused.details) == (403, {"reason": "scope_not_held"}), fields
    refused = await sent(house, provider, name="x", max_scopes=["secrets:write"], token=admin)
    assert (refused.status, refused.details) == (403, {"reason": "scope_not_held"})
    made = await sent(house, provider, name="x", max_scopes=["secrets:read"], token=admin)
    assert made.status == 201


async def test_nobody_lends_out_who_ranks_above(house: House, provider: Provider) -> None:
    account = await runner(house)
    where = f"/v1/identity/service-accounts/{account}/roles"
    assert (await house.call("PUT", where, {"roles": ["partner_admin"]})).status == 200
    above = await trust(house, provider)
    admin = await house.client("admin", ["admin"], ["tenant_admin"])
    for answer in (
        await sent(house, provider, name="x", token=admin),
        await patch(house, above, subject="repo:mine/*", token=admin),
        await house.call("DELETE", f"{TRUSTS}/{above}", token=admin),
    ):
        assert (answer.status, answer.details) == (403, {"required_role": "partner_admin"})


async def test_it_takes_scope_and_role(house: House, provider: Provider, trusted: str) -> None:
    plain = await house.client("plain", ["identity:admin"])
    scopeless = await house.client("scopeless", ["identity:read"], ["tenant_admin"])
    for method, where in (
        ("GET", TRUSTS), ("POST", TRUSTS), ("GET", f"{TRUSTS}/{trusted}"),
        ("PATCH", f"{TRUSTS}/{trusted}"), ("DELETE", f"{TRUSTS}/{trusted}"),
    ):  # fmt: skip
        body: Any = {} if method in ("POST", "PATCH") else None
        refused = await house.call(method, where, body, token=plain)
        assert (refused.code, refused.details) == ("forbidden", {"required_role": "tenant_admin"})
        refused = await house.call(method, where, body, token=scopeless)
        assert refused.code == "insufficient_scope"


async def test_each_tenant_has_its_own(house: House, provider: Provider, trusted: str) -> None:
    second = (await found_tenant(house, "second")).id
    admin = await house.client("neighbour", ["admin"], ["tenant_admin"], tenant=second)
    assert (await house.get(TRUSTS, token=admin)).json["trusts"] == []
    for method in ("GET", "PATCH", "DELETE"):
        body: Any = {} if method == "PATCH" else None
        refused = await house.call(method, f"{TRUSTS}/{trusted}", body, token=admin)
        assert (refused.status, refused.code) == (404, "trust_not_found"), method
    account = (await house.get("/v1/identity/service-accounts/sa:ci")).json["id"]
    for identity in ("sa:ci", account):
        refused = await sent(house, provider, identity=identity, token=admin)
        assert refused.code == "identity_not_found"
    refused = await sent(house, provider, tenant_id=house.made["tenant_id"], token=admin)
    assert refused.code == "tenant_access_denied"
    # An administrator of the partner reaches both, but lends no account to the other tenant.
    mixed = await sent(house, provider, identity=account, tenant_id=second)
    assert mixed.status == 422
    stranger = await found_partner(house, "stranger")
    far = (await found_tenant(house, "far", stranger.id)).id
    partner = await house.client("partner", ["admin"], ["partner_admin"], tenant=far)
    assert (await house.get(f"{TRUSTS}/{trusted}", token=partner)).code == "trust_not_found"


async def test_those_of_a_deleted_tenant_stay_as_they_are(house: House, provider: Provider) -> None:
    second = (await tenant(house, "second"))["id"]
    await runner(house, tenant_id=second)
    where = f"{TRUSTS}/{await trust(house, provider, tenant_id=second)}"
    before = (await house.get(where)).json
    await delete(house, second)
    for method, body in (("PATCH", {"is_active": False}), ("DELETE", None)):
        answer = await house.call(method, where, body)
        assert (answer.status, answer.code) == (404, "trust_not_found"), method
    assert (await house.get(where)).json == before


async def test_unknown_ones(house: House, provider: Provider) -> None:
    for method in ("GET", "PATCH", "DELETE"):
        body: Any = {} if method == "PATCH" else None
        answer = await house.call(method, f"{TRUSTS}/trust_nowhere", body)
        assert (answer.status, answer.code) == (404, "trust_not_found")
        assert answer.details == {"id": "trust_nowhere"}


async def test_private_issuers_take_an_entry_in_the_settings(
    tmp_path: Path, provider: Provider
) -> None:
    """The one thing between a tenant's administrator and the vault's own network."""
    house = await House.opened(tmp_path / "other", provider.clock, rate_limits__enabled=False)
    await runner(house)
    refused = await sent(house, provider)
    assert list(refused.details["fields"]) == ["issuer"]
    # A name may lead anywhere by the time that it is looked up; that is checked then.
    port = provider.url.rpartition(":")[2]
    name = f"https://localhost:{port}"
    assert (await sent(house, provider, issuer=name)).status == 201
    assert await code(house, build(provider, iss=name)) == "token_invalid"
    assert provider.calls == []
    await house.close()
