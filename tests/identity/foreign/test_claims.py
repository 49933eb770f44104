"""What the claims of a proven token say: times, audience, tenant, identity, rights."""

from __future__ import annotations

from typing import Any

from scaivault.clock import SECOND, instant
from tests.identity.foreign.asking import code, codes, reopened, whoami
from tests.identity.foreign.conftest import Open
from tests.support.house import House
from tests.support.issuing import Provider
from tests.support.policies import bound, policy, rule
from tests.support.tenants import found_tenant

DAY = 86_400


# -- times and audience ------------------------------------------------------------------------


async def test_times_to_the_second(house: House, provider: Provider) -> None:
    now = provider.clock.now() // SECOND
    wanted: dict[str, tuple[str, dict[str, Any]]] = {
        "no exp": ("token_invalid", {"exp": None}),
        "exp is text": ("token_invalid", {"exp": str(now + 600)}),
        "exp is true": ("token_invalid", {"exp": True}),
        "exp is a list": ("token_invalid", {"exp": [now + 600]}),
        "exp beyond the calendar": ("token_invalid", {"exp": 10**30}),
        "exp before 1970": ("token_invalid", {"exp": -1}),
        "exp with a fraction": ("ok", {"exp": now + 600.5}),
        "a second before the end": ("ok", {"exp": now - 59}),
        "the end": ("token_expired", {"exp": now - 60}),
        "long over": ("token_expired", {"exp": 0, "iat": 0}),
        "no iat": ("token_invalid", {"iat": None}),
        "iat is text": ("token_invalid", {"iat": "now"}),
        "iat a minute ahead": ("ok", {"iat": now + 60}),
        "iat further ahead": ("token_invalid", {"iat": now + 61}),
        "nbf a minute ahead": ("ok", {"nbf": now + 60}),
        "nbf further ahead": ("token_invalid", {"nbf": now + 61}),
        "nbf is text": ("token_invalid", {"nbf": "0"}),
        "nbf is null": ("token_invalid", {"nbf": ...}),
        "a day long": ("ok", {"iat": now, "exp": now + DAY}),
        "longer than a day": ("token_invalid", {"iat": now, "exp": now + DAY + 1}),
    }
    tokens = {}
    for name, (_, changed) in wanted.items():
        claims = provider.claims(**changed)
        tokens[name] = provider.sealed({k: None if v is ... else v for k, v in claims.items()})
    assert await codes(house, tokens) == {name: outcome for name, (outcome, _) in wanted.items()}


async def test_the_first_check_that_fails_decides(house: House, provider: Provider) -> None:
    over = {"exp": provider.clock.now() // SECOND - 600}
    good, other = provider.token(**over), provider.token(sub="u-18", **over)
    forged = f"{good.rpartition('.')[0]}.{other.rpartition('.')[2]}"
    wanted = {
        "over, and forged": ("token_invalid", forged),
        "over, and too long a life": ("token_invalid", provider.token(**over, iat=1)),
        "over, and for others": ("token_expired", provider.token(**over, aud="others")),
        "over, and nobody's": ("token_expired", provider.token(**over, sub=None)),
        "over, and of no tenant": ("token_expired", provider.token(**over, tenant_id="tnt_x")),
    }
    tokens = {name: token for name, (_, token) in wanted.items()}
    assert await codes(house, tokens) == {name: outcome for name, (outcome, _) in wanted.items()}


async def test_the_audience_holds_one_that_is_accepted(opened: Open, provider: Provider) -> None:
    house = await opened(audience=["scaivault", "vault.example"])
    fine: list[Any] = ["scaivault", ["scaivault"], ["x", "vault.example"], ["x", 7, "scaivault"]]
    bad: list[Any] = [
        None,
        "",
        "SCAIVAULT",
        "scaivault ",
        "scaivault x",
        [],
        ["x"],
        {"scaivault": 1},
    ]
    assert set((await codes(house, {str(a): provider.token(aud=a) for a in fine})).values()) == {
        "ok"
    }
    answers = await codes(house, {str(a): provider.token(aud=a) for a in bad})
    assert set(answers.values()) == {"token_invalid"}, answers


# -- tenant and partner ------------------------------------------------------------------------


async def test_a_token_is_for_a_tenant_that_is_known(house: House, provider: Provider) -> None:
    named: list[Any] = [None, "", "tnt_unknown", provider.tenant.upper(), [provider.tenant], 7]
    answers = await codes(house, {str(t): provider.token(tenant_id=t) for t in named})
    assert set(answers.values()) == {"token_invalid"}, answers


async def test_a_fixed_tenant_is_not_the_tokens_to_change(opened: Open, provider: Provider) -> None:
    house = await opened()
    other = (await found_tenant(house, "elsewhere")).id
    mine = provider.tenant
    fixed = await _again(house, provider, tenant=mine)
    assert (await whoami(fixed, provider.token(tenant_id=None)))["tenant_id"] == mine
    assert (await whoami(fixed, provider.token(tenant_id=mine)))["tenant_id"] == mine
    assert await code(fixed, provider.token(tenant_id=other)) == "token_invalid"


async def test_a_partner_is_the_tenants_own(house: House, provider: Provider) -> None:
    partner = house.vault.tenancy.tenants[provider.tenant].partner_id
    old = partner.replace("ptn_", "prt_")
    wanted = {partner: "ok", old: "ok", "ptn_other": "token_invalid", "prt_x": "token_invalid"}
    tokens = {name: provider.token(partner_id=name) for name in wanted}
    assert await codes(house, tokens) == wanted
    assert (await whoami(house, tokens[old]))["partner_id"] == partner


async def test_a_name_with_a_placeholder_is_one_for_each_tenant(
    opened: Open, provider: Provider
) -> None:
    root = provider.url
    house = await opened(issuer=root + "/{tenant_id}")
    tenant, other = provider.tenant, (await found_tenant(house, "elsewhere")).id
    for one in (tenant, other):
        where = f"/{one}/.well-known/openid-configuration"
        provider.answer(where, {"issuer": f"{root}/{one}", "jwks_uri": root + "/keys"})
    fine = provider.token(iss=f"{root}/{tenant}")
    assert await code(house, fine) == "ok"
    assert await code(house, provider.token(iss=f"{root}/{other}", tenant_id=other)) == "ok"
    asked = len(provider.calls)
    bad = {
        "another's name": provider.token(iss=f"{root}/{other}"),
        "a tenant that is not known": provider.token(iss=f"{root}/tnt_x", tenant_id="tnt_x"),
        "no tenant": provider.token(iss=f"{root}/{tenant}", tenant_id=None),
        "an empty one": provider.token(iss=f"{root}/", tenant_id=""),
        "the placeholder": provider.token(iss=root + "/{tenant_id}", tenant_id="{tenant_id}"),
        "more behind it": provider.token(iss=f"{root}/{tenant}/"),
    }
    answers = await codes(house, bad)
    assert set(answers.values()) == {"token_invalid"}, answers
    assert len(provider.calls) == asked


async def test_a_claim_means_what_its_own_issuer_says(opened: Open, provider: Provider) -> None:
    """What one issuer would never write where it has the tenant, the next one may."""
    root = provider.url
    second = {"name": "second", "issuer": root + "/{tenant_id}", "claims": {"tenant": "org"}}
    house = await opened(second, issuer=root + "/first/{tenant_id}")
    iss = f"{root}/{provider.tenant}"
    where = f"/{provider.tenant}/.well-known/openid-configuration"
    provider.answer(where, {"issuer": iss, "jwks_uri": root + "/keys"})
    for other in (None, {"id": 7}, ""):
        token = provider.token(iss=iss, org=provider.tenant, tenant_id=other)
        assert await code(house, token) == "ok"


# -- identity ----------------------------------------------------------------------------------


async def test_whom_the_claims_name(house: House, provider: Provider) -> None:
    wanted: dict[str, dict[str, Any]] = {
        "user:mira@harbor.example": {},
        "user:ada@harbor.example": {"email": " Ada@Harbor.Example ", "sub": "u-1"},
        "user:auth0|17": {"email": None, "sub": "auth0|17"},
        "user:Case-Counts": {"email": None, "sub": "Case-Counts"},
        "user:no-mail": {"email": "no-mail-address", "sub": "no-mail"},
        "user:unproven": {"email_verified": False, "sub": "unproven"},
        "user:proven@harbor.example": {
            "email": "proven@harbor.example", "email_verified": True, "sub": "u-2",
        },
        "user:texts@harbor.example": {
            "email": "texts@harbor.example", "email_verified": "True", "sub": "u-3",
        },
        "sa:ci": {"token_type": "client_credentials", "client_id": "ci", "sub": "service-ci"},
        "sa:deploy": {"client_id": "deploy", "sub": "deploy"},
        "sa:named": {"token_type": "client_credentials", "name": "named", "sub": "x"},
    }  # fmt: skip
    found = {}
    for identity, changed in wanted.items():
        seen = await whoami(house, provider.token(**changed))
        found[seen["identity_id"]] = seen["identity_type"], seen["token_kind"]
        assert seen["identity_id"] == identity
    kinds = {name: (kind, token) for name, (kind, token) in found.items() if name[:3] == "sa:"}
    assert set(kinds.values()) == {("service_account", "client_credentials")}
    users = [found[name] for name in found if name not in kinds]
    assert set(users) == {("user", "user_session")}


async def test_who_cannot_be_named_is_nobody(house: House, provider: Provider) -> None:
    client = {"token_type": "client_credentials"}
    cases: list[dict[str, Any]] = [
        {"sub": None}, {"sub": ""}, {"sub": 17}, {"sub": ["u-17"]},
        {"email": None, "sub": "two words"}, {"email": None, "sub": "x" * 321},
        {"email": None, "sub": "tab\there"}, {"email": "mira@\u212aelvin.example"},
        {"email": "mira@harbor.example\u200b"}, {**client, "name": None},
        {**client, "client_id": "Upper"}, {**client, "client_id": "../x"},
        {**client, "client_id": "a b"}, {**client, "client_id": "root@x"},
        {**client, "client_id": "ci "}, {**client, "client_id": "ci\n"},
        {**client, "client_id": "ci\u2003"}, {**client, "name": "ci\u00a0"},
        {"email": None, "sub": "u-17 "},
    ]  # fmt: skip
    answers = await codes(house, {str(one): provider.token(**one) for one in cases})
    assert set(answers.values()) == {"token_invalid"}, answers


async def test_an_address_that_is_not_called_proven_is_nobodys(
    house: House, provider: Provider
) -> None:
    words: list[object] = [False, "false", "False", "no", "", 0, 1, [], [True], {}]
    for number, told in enumerate(words):
        token = provider.token(sub=f"u-{number}", email_verified=told)
        assert (await whoami(house, token))["identity_id"] == f"user:u-{number}", told


async def test_the_mapping_says_which_claims_count(opened: Open, provider: Provider) -> None:
    mapping = {
        "subject": "oid", "email": "upn", "name": "shown", "tenant": "org", "scope": "scp",
        "client_id": "azp", "partner": None, "role": None,
    }  # fmt: skip
    house = await opened(claims=mapping, trust_roles=True)
    token = provider.token(
        oid="o-1", upn="ada@harbor.example", shown="Ada", org=provider.tenant, tenant_id="tnt_x",
        scp=["secrets:read", "secrets:write", 7], scope="admin", partner_id="ptn_x",
        role="super_admin", azp="web",
    )  # fmt: skip
    seen = await whoami(house, token)
    assert seen["identity_id"] == "user:ada@harbor.example"
    assert seen["display_name"] == "Ada"
    assert seen["tenant_id"] == provider.tenant
    assert seen["scopes"] == ["secrets:read", "secrets:write"]
    assert seen["roles"] == []


# -- rights ------------------------------------------------------------------------------------


async def test_scopes_are_known_words_or_the_default(opened: Open, provider: Provider) -> None:
    house = await opened(default_scopes=["secrets:list", "no:such"])
    wanted: dict[Any, list[str]] = {
        "secrets:read openid x:y": ["secrets:read"],
        "secrets:read x\u00a0admin x\tadmin": ["secrets:read"],  # RFC 6749 section 3.3
        "openid profile": ["secrets:list"],
        "SECRETS:READ": ["secrets:list"],
        "": ["secrets:list"],
        None: ["secrets:list"],
        7: ["secrets:list"],
    }
    for scope, scopes in wanted.items():
        assert (await whoami(house, provider.token(scope=scope)))["scopes"] == scopes


async def test_without_a_default_a_token_without_scopes_may_nothing(
    house: House, provider: Provider
) -> None:
    token = provider.token(scope=None)
    assert (await whoami(house, token))["scopes"] == []
    assert (await house.get("/v1/secrets", token=token)).code == "insufficient_scope"


async def test_the_role_claim_counts_where_it_is_trusted(opened: Open, provider: Provider) -> None:
    house = await opened()
    claimed = ["tenant_admin", "partner_admin", "no_role"]
    assert (await whoami(house, provider.token(role=claimed)))["roles"] == []
    house = await _again(house, provider, trust_roles=True)
    assert (await whoami(house, provider.token(role=claimed)))["roles"] == claimed[:2]
    assert (await whoami(house, provider.token(role="tenant_admin x")))["roles"] == claimed[:1]
    house = await _again(house, provider, type="scaikey")
    assert (await whoami(house, provider.token(role="tenant_admin")))["roles"] == claimed[:1]


async def test_groups_of_the_token_count_only_if_mapped(opened: Open, provider: Provider) -> None:
    house = await opened()
    above = (await _group(house, "above"))["id"]
    inner = (await _group(house, "inner", parent_id=above))["id"]
    gone = (await _group(house, "gone"))["id"]
    assert (await house.call("DELETE", f"/v1/identity/groups/{gone}")).status == 204
    claimed = ["inner", "group:elsewhere", "gone", "Upper", "/path", "", 7]
    claimed += ["above ", "above\n", " above", "group:above\u00a0", "group: above"]
    token = provider.token(groups=claimed)
    assert (await whoami(house, token))["groups"] == []
    house = await _again(house, provider, claims={"groups": "groups"})
    assert (await whoami(house, token))["groups"] == [
        "group:above",
        "group:elsewhere",
        "group:inner",
    ]
    others = provider.token(groups=[one for one in claimed if one != "inner"])
    assert (await whoami(house, others))["groups"] == ["group:elsewhere"]
    assert (await whoami(house, provider.token(groups="inner")))["groups"] == [
        "group:above", "group:inner",
    ]  # fmt: skip
    assert (await house.call("DELETE", f"/v1/identity/groups/{inner}")).status == 204
    assert (await whoami(house, token))["groups"] == ["group:elsewhere"]


async def test_a_binding_of_a_claimed_group_grants(opened: Open, provider: Provider) -> None:
    house = await opened(claims={"groups": "groups"})
    await house.put("shop/key", {"v": 1})
    token, plain = provider.token(groups=["ops"]), provider.token(jti="plain")
    await bound(house, await policy(house, rule("shop/**")), "group:ops")
    assert (await house.read("shop/key", token=token)).status == 200
    assert (await house.read("shop/key", token=plain)).code == "access_denied"


async def test_the_second_factor_is_of_the_time_of_the_login(
    house: House, provider: Provider
) -> None:
    now = provider.clock.now() // SECOND
    wanted: dict[str, tuple[int | None, dict[str, Any]]] = {
        "a code": (now - 5, {"amr": ["pwd", "otp"], "auth_time": now - 5}),
        "a key": (now - 5, {"amr": "hwk", "auth_time": now - 5}),
        "a password": (None, {"amr": ["pwd"], "auth_time": now - 5}),
        "no time": (None, {"amr": ["mfa"]}),
        "no method": (None, {"auth_time": now}),
        "a time ahead, within the skew": (now, {"amr": ["mfa"], "auth_time": now + 60}),
        "a time ahead": (None, {"amr": ["mfa"], "auth_time": now + 61}),
        "a text": (None, {"amr": ["mfa"], "auth_time": str(now)}),
        "true": (None, {"amr": ["mfa"], "auth_time": True}),
        "before 1970": (None, {"amr": ["mfa"], "auth_time": -5}),
        "another letter case": (None, {"amr": ["MFA"], "auth_time": now}),
    }
    for name, (at, changed) in wanted.items():
        seen = await whoami(house, provider.token(**changed))
        assert seen["mfa_verified_at"] == (None if at is None else instant(at * SECOND)), name


async def _group(house: House, name: str, **more: Any) -> dict[str, Any]:
    made = await house.call("POST", "/v1/identity/groups", {"name": name, **more})
    assert made.status == 201, made.body
    return made.json  # type: ignore[no-any-return]


async def _again(house: House, provider: Provider, **fields: Any) -> House:
    """The same vault, configured otherwise."""
    await house.close()
    await reopened(house, {"name": "corp", "issuer": provider.url, **fields})
    return house
