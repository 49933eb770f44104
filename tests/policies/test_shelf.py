"""What is remembered of compiled rules: shared, bounded, swept; and rules that no longer read."""

from __future__ import annotations

import msgspec
import pytest

from scaivault.clock import SECOND
from scaivault.gate.caller import Caller, Principal
from scaivault.gate.gate import NO_RULES, Act
from scaivault.gate.transaction import Transaction
from scaivault.policies import shelf as module
from scaivault.policies.model import Binding, Policy, held
from scaivault.policies.shelf import Shelf
from tests.support.house import House
from tests.support.policies import PATH, bound, policy, rule

TTL = 30 * SECOND


def made(name: str, *patterns: str, owner: str = "tnt_a") -> Policy:
    rules = [rule(pattern) for pattern in patterns]
    return Policy(
        owner, f"pol_{name}", name, "", msgspec.json.encode(rules).decode(), True, 0, 0, "sa:root"
    )


def binding(policy: Policy, identity: str, tenant: str = "tnt_a") -> Binding:
    return Binding(
        policy.owner_id, policy.id, f"bind_{policy.name}_{identity}", tenant, "service_account",
        identity, None, 0, "sa:root",
    )  # fmt: skip


def asking(identity: str, now: int = 0, tenant: str = "tnt_a", home: str = "tnt_a") -> Caller:
    principal = Principal(
        identity, "service_account", "", home, "ptn_a", frozenset(), frozenset(), "", "", "", 0, 0
    )
    return Caller("", None, None, 0, now, principal, tenant, "ptn_a")


@pytest.fixture
def shelf() -> Shelf:
    return Shelf(900, TTL)


def test_the_same_rules_until_something_concerned_changes(shelf: Shelf) -> None:
    mine, other = made("mine", "a/**"), made("other", "b/**")
    for one in (mine, other):
        shelf.put(one)
    shelf.bind(binding(mine, "sa:me"))
    shelf.bind(binding(other, "sa:you"))
    rules = shelf.rules_of(asking("sa:me"))
    shelf.put(other._replace(description="x"))
    shelf.unbind(binding(other, "sa:you"))
    shelf.bind(binding(mine, "sa:you"))
    shelf.bind(binding(other, "sa:me", "tnt_b"))
    assert shelf.rules_of(asking("sa:me")) is rules
    shelf.put(mine._replace(is_active=False))
    assert shelf.rules_of(asking("sa:me")) is not rules
    assert shelf.rules_of(asking("sa:me")).rules == ()


def test_only_policies_of_the_tenant_and_its_partner_count(shelf: Shelf) -> None:
    for owner in ("tnt_a", "tnt_b", "ptn_a", "ptn_b"):
        one = made(owner, f"{owner}/**", owner=owner)
        shelf.put(one)
        shelf.bind(binding(one, "sa:me"))
    patterns = {one.pattern for one in shelf.rules_of(asking("sa:me")).rules}
    assert patterns == {"tnt_a/**", "ptn_a/**"}


@pytest.mark.parametrize("tenant", ["tnt_b", None])
def test_outside_ones_own_tenant_no_rule_counts(shelf: Shelf, tenant: str | None) -> None:
    one = made("one", "**")
    shelf.put(one)
    shelf.bind(binding(one, "sa:me"))
    caller = asking("sa:me")
    caller.tenant_id = tenant
    assert shelf.rules_of(caller) is NO_RULES
    caller.principal = None
    assert shelf.rules_of(caller) is NO_RULES


def test_what_nobody_asks_for_is_swept(shelf: Shelf) -> None:
    idle, busy = shelf.rules_of(asking("sa:idle")), shelf.rules_of(asking("sa:busy"))
    shelf.rules_of(asking("sa:busy", now=1))
    assert shelf.sweep(TTL - 1) == 0
    assert shelf.sweep(TTL) == 1
    assert shelf.rules_of(asking("sa:busy", now=TTL)) is busy
    assert shelf.rules_of(asking("sa:idle", now=TTL)) is not idle


def test_room_is_made_where_nobody_asked_for_longest(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RULES_MAX", 40)
    one = made("one", *(f"a{n}/**" for n in range(9)))
    shelf.put(one)
    known = {}
    for n in range(4):
        shelf.bind(binding(one, f"sa:{n}"))
        known[n] = shelf.rules_of(asking(f"sa:{n}", now=n))
    assert shelf.rules_of(asking("sa:0", now=5)) is known[0]
    shelf.bind(binding(one, "sa:new"))
    shelf.rules_of(asking("sa:new", now=6))
    # Those that stayed first: asking for one that went makes room again.
    same = [shelf.rules_of(asking(f"sa:{n}", now=7)) is known[n] for n in (0, 3, 1)]
    assert same == [True, True, False]


async def test_a_rule_that_no_longer_reads_grants_nothing(house: House) -> None:
    """A host may know fewer time zones than the one that took the rule."""
    token = await house.client("app", ["secrets:read"])
    await house.put(PATH, {"n": 1})
    window = {"start": "00:00", "end": "24:00", "timezone": "Europe/Amsterdam"}
    made_here = await policy(house, rule(time_window=window), rule("lab/**"))
    await bound(house, made_here, "sa:app")
    assert (await house.read(PATH, token=token)).status == 200

    def spoil(tx: Transaction) -> None:
        tx.execute("UPDATE policy SET rules = replace(rules, 'Europe/Amsterdam', 'Mars/Base')")

    await house.vault.gate.change(house.vault.internal("test"), Act("policy_update"), spoil)
    await house.restart()
    await house.unseal()
    assert (await house.read(PATH, token=token)).code == "access_denied"
    assert (await house.read("lab/x", token=token)).code == "secret_not_found"


def test_held_rules_keep_their_place() -> None:
    spoiled = made("x", "/", "b")
    assert [(one.index, one.pattern) for one in held(spoiled, 900).rules] == [(1, "b")]


async def test_the_setting_for_a_fresh_mfa_counts(tmp_path_factory: pytest.TempPathFactory) -> None:
    where = tmp_path_factory.mktemp("mfa") / "vault"
    opened = await House.opened(where, policies__mfa_max_age="1h", rate_limits__enabled=False)
    first = await policy(opened, rule(require_mfa=True), rule(require_mfa=True, mfa_max_age="5m"))
    found = opened.vault.policies.shelf.policy(first)
    assert found is not None
    assert [one.conditions.mfa_max_age for one in found.rules] == [3600, 300]
    await opened.close()
