"""Policies, audit, identity, tokens and the system, through both clients, in a real vault."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from scaivault_sdk import AsyncTrail, PolicyRule, Trail
from scaivault_sdk._local import BASE_URL, LocalTransport, LocalVault
from scaivault_sdk.errors import (
    AccessDeniedError,
    ConfigurationError,
    InsufficientScopeError,
    NotFoundError,
    PolicyInUseError,
    ValidationError,
)
from tests.support.clients import Clients

READERS = [{"path_pattern": "retail/**", "permissions": ["read", "list"]}]


def program(clients: Clients, client: Any, vault: LocalVault, name: str, *scopes: str) -> Any:
    """A client of a new service account."""
    client.identity.create_service_account(name, scopes)
    made = client.identity.create_credentials(f"sa:{name}")
    return clients.made(
        BASE_URL,
        client_id=made.client_id,
        client_secret=made.client_secret,
        transport=LocalTransport(vault),
    )


# -- policies -----------------------------------------------------------------------------------


def test_a_policy_from_its_making_to_its_end(client: Any, fresh: str) -> None:
    policy = client.policies.create(fresh, READERS, description="night jobs")
    assert policy.rules == [PolicyRule("retail/**", ["read", "list"])]
    assert client.policies.get(policy.id) == policy
    changed = client.policies.update(policy.id, description="", is_active=False)
    assert (changed.description, changed.is_active) == ("", False)
    rule = PolicyRule("lab/*", ["write"], {"ip_ranges": ["198.51.100.0/24"]})
    replaced = client.policies.replace(policy.id, f"{fresh}-2", [rule], is_active=True)
    assert replaced.rules == [rule]
    assert policy.id in [each.id for each in client.policies.iterate(limit=1)]
    client.policies.delete(policy.id)
    with pytest.raises(NotFoundError):
        client.policies.get(policy.id)


def test_what_is_bound_grants(clients: Clients, client: Any, vault: LocalVault, fresh: str) -> None:
    reader = program(clients, client, vault, fresh, "secrets:read")
    client.secrets.write(f"retail/{fresh}", {"n": 1})
    with pytest.raises(AccessDeniedError):
        reader.secrets.read(f"retail/{fresh}")
    policy = client.policies.create(fresh, READERS)
    until = datetime(2031, 6, 1, tzinfo=UTC)
    bound = client.policies.bind(policy.id, "service_account", f"sa:{fresh}", expires_at=until)
    assert (bound.identity_id, bound.expires_at) == (f"sa:{fresh}", until)
    assert reader.secrets.read(f"retail/{fresh}")["n"] == 1
    with pytest.raises(InsufficientScopeError) as caught:
        reader.secrets.list()
    assert caught.value.required_scope == "secrets:list"
    assert client.policies.bindings(policy.id).data == [bound]
    with pytest.raises(PolicyInUseError):
        client.policies.delete(policy.id)
    client.policies.unbind(policy.id, bound.id)
    client.policies.delete(policy.id)


def test_questions_about_policies(client: Any, fresh: str) -> None:
    policy = client.policies.create(
        fresh,
        [{**READERS[0], "path_pattern": f"{fresh}/**", "conditions": {"require_mfa": True}}],
    )
    client.policies.bind(policy.id, "service_account", f"sa:{fresh}")
    denied = client.policies.test(f"sa:{fresh}", f"{fresh}/a", "read")
    assert (denied.allowed, denied.reason) == (False, "condition_failed")
    assert denied.evaluated[0].failed_condition == "require_mfa"
    allowed = client.policies.test(f"sa:{fresh}", f"{fresh}/a", "read", mfa_verified=True)
    assert allowed.allowed
    assert allowed.matched_rule.policy_id == policy.id
    ways = {each.identity_id: each.via for each in client.policies.who_can(f"{fresh}/a", "read")}
    assert ways[f"sa:{fresh}"][0].policy_id == policy.id
    (rule,) = client.policies.effective(f"sa:{fresh}").rules
    assert (rule.path_pattern, rule.conditions) == (f"{fresh}/**", {"require_mfa": True})


def test_policies_for_a_path_are_found_by_the_server_s_globs(client: Any, fresh: str) -> None:
    made = {
        pattern: client.policies.create(
            f"{fresh}-{n}", [{"path_pattern": pattern, "permissions": permissions}]
        ).id
        for n, (pattern, permissions) in enumerate(
            [
                (f"{fresh}/**/card", ["read"]),
                (f"{fresh}/*", ["admin"]),
                (f"{fresh}/card", ["list"]),
                (f"{fresh}/cards", ["read"]),
            ]
        )
    }
    found = {policy.id for policy in client.policies.list_for_path(f"{fresh}/card")}
    assert found == {made[f"{fresh}/**/card"], made[f"{fresh}/*"], made[f"{fresh}/card"]}
    readers = {policy.id for policy in client.policies.list_for_path(f"{fresh}/card", "read")}
    assert readers == {made[f"{fresh}/**/card"], made[f"{fresh}/*"]}
    with pytest.raises(ValidationError):
        client.policies.list_for_path("../card")


def test_an_id_never_leads_elsewhere(client: Any) -> None:
    for bad in ("", ".", ".."):
        with pytest.raises(ConfigurationError):
            client.policies.get(bad)
    for odd in ("../secrets/a", "pol_1/bindings", "pol_1?x=1", "pol_1#x"):
        with pytest.raises((NotFoundError, ValidationError)):
            client.policies.get(odd)


# -- audit --------------------------------------------------------------------------------------


def test_rows_are_listed_and_followed(client: Any, fresh: str) -> None:
    client.secrets.write(fresh, {})
    for _ in range(3):
        client.secrets.read(fresh)
    page = client.audit.logs(action=["read", "write"], path_prefix=fresh, limit=2)
    assert [row.action for row in page] == ["read", "read"]
    assert page.has_more
    rows = list(client.audit.iterate(path_prefix=fresh, order="asc", limit=1))
    assert [row.action for row in rows] == ["write", "read", "read", "read"]
    assert rows[0].timestamp == datetime(2031, 5, 9, 6, 30, tzinfo=UTC)
    assert (rows[0].identity_id, rows[0].success) == ("sa:root", True)
    assert [row.seq for row in rows] == sorted(row.seq for row in rows)
    assert rows[0].extra == {}
    assert client.audit.logs(path_prefix=fresh, success=False).data == []


def test_trails(client: Any, fresh: str) -> None:
    client.secrets.write(fresh, {})
    client.secrets.read(fresh)
    trail = client.audit.secret(fresh, limit=1)
    assert isinstance(getattr(trail, "inner", trail), Trail | AsyncTrail)
    assert (trail.summary.reads, trail.summary.writes) == (1, 1)
    assert trail.data[0].action == "read"
    assert [row.action for row in trail.next_page().data] == ["write"]
    activity = client.audit.identity("sa:root", path_prefix=fresh).summary
    assert fresh in activity.resources_accessed
    assert client.audit.summary().total_events > 2


def test_the_chain_verifies(client: Any) -> None:
    report = client.audit.verify()
    assert (report.valid, report.complete, report.problems) == (True, True, [])
    assert report.rows_checked > 0
    assert client.audit.checkpoints().data is not None
    assert client.audit.keys()[0].algorithm == "Ed25519"


# -- identity and tokens ------------------------------------------------------------------------


def test_service_accounts(client: Any, fresh: str) -> None:
    made = client.identity.create_service_account(fresh, ["secrets:read"], display_name="Gate")
    assert client.identity.get_service_account(made.id) == made
    changed = client.identity.update_service_account(made.id, display_name="Door")
    assert changed.display_name == "Door"
    assert client.identity.service_accounts(q=fresh).data == [changed]
    credential = client.identity.create_credentials(made.id, name="first", expires_in="30d")
    assert credential.client_secret
    (listed,) = client.identity.credentials(made.id)
    assert (listed.id, listed.client_secret) == (credential.id, None)
    client.identity.delete_credentials(made.id, credential.id)
    assert client.identity.set_service_account_roles(made.id, ["tenant_admin"]).roles == [
        "tenant_admin"
    ]
    assert client.identity.service_account_roles(made.id).roles == ["tenant_admin"]
    assert client.identity.resolve("service_account", f"sa:{fresh}").id == made.id
    client.identity.delete_service_account(made.id)
    assert client.identity.service_accounts(q=fresh).data == []


def test_pages_with_numbers(client: Any, fresh: str) -> None:
    names = [f"{fresh}-{n}" for n in range(5)]
    for name in names:
        client.identity.create_group(name)
    page = client.identity.groups(q=fresh, page_size=2)
    assert (page.total, page.has_more) == (5, True)
    assert [group.name for group in page.items()] == names
    assert page.next_page().next_page().next_page() is None


def test_groups(client: Any, fresh: str) -> None:
    above = client.identity.create_group(f"{fresh}-above")
    group = client.identity.create_group(fresh, parent_id=above.id)
    client.identity.create_service_account(fresh, ["secrets:read"])
    assert client.identity.add_member(group.id, f"sa:{fresh}").membership_type == "DIRECT"
    (inherited,) = client.identity.members(above.id).data
    assert (inherited.identity_id, inherited.membership_type) == (f"sa:{fresh}", "INHERITED")
    assert client.identity.update_group(group.id, parent_id=None).parent_id is None
    client.identity.remove_member(group.id, f"sa:{fresh}")
    client.identity.delete_group(group.id)
    with pytest.raises(NotFoundError):
        client.identity.get_group(group.id)


def test_who_is_calling(client: Any) -> None:
    who = client.auth.whoami()
    assert (who.identity_id, who.roles, who.extra) == ("sa:root", ["super_admin"], {})
    assert client.auth.get_token().id == who.token_id
    assert client.auth.config().token_endpoint.endswith("/oauth/token")
    assert "super_admin" in [role.name for role in client.identity.roles()]


# -- system -------------------------------------------------------------------------------------


def test_probes_need_no_token(clients: Clients, vault: LocalVault) -> None:
    nobody = clients.made(BASE_URL, transport=LocalTransport(vault))
    assert nobody.system.health().status == "healthy"
    assert nobody.system.ready().ready
    assert nobody.system.version().api_version == "v1"
    assert nobody.system.seal_status().sealed is False


def test_slots_keys_and_jobs(client: Any) -> None:
    assert client.system.detailed().checks["database"]["status"] == "ok"
    slot = client.system.add_slot("shamir", label="board", shares=3, threshold=2)
    assert len(slot.shares) == 3
    assert slot.shares[0] not in repr(slot)
    part = client.system.verify_slot(slot.id, share=slot.shares[0])
    assert (part.valid, part.complete) == (True, False)
    assert slot.id in [each.id for each in client.system.slots()]
    client.system.remove_slot(slot.id, force=True)
    who = client.auth.whoami()
    assert client.system.rotate_tenant_key(who.tenant_id).key_version >= 2
    assert client.system.tenant_key(who.tenant_id).status in ("rewrapping", "done")
    assert client.system.pause_jobs().paused
    assert not client.system.resume_jobs().paused
    assert "purge" in " ".join(job.name for job in client.system.jobs().jobs)


def test_a_sealed_vault_says_so(clients: Clients) -> None:
    opened = LocalVault()
    try:
        client = clients.made(
            BASE_URL, token=opened.root_token, transport=LocalTransport(opened), max_retries=0
        )
        client.secrets.write("app/db", {"n": 1})
        assert client.system.seal().sealed
        ready = client.system.ready()
        assert (ready.ready, ready.errors["database"]) == (False, "sealed")
        with pytest.raises(Exception, match="sealed"):
            client.secrets.read("app/db")
        assert not client.system.unseal(auto=True).sealed
        assert client.secrets.read("app/db")["n"] == 1
    finally:
        opened.close()
