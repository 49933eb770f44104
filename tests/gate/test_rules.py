"""The decision: each step, their order, and the compiled rules against a plain model."""

import gc
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaivault.clock import DAY, MINUTE, parse_instant
from scaivault.errors import CODES
from scaivault.gate import globs
from scaivault.gate.rules import (
    PERMISSIONS,
    Compiled,
    Conditions,
    Context,
    Decision,
    Rule,
    decide,
    deciding,
    parse_conditions,
    refusal,
)
from tests.gate.test_globs import paths, patterns

NOW = parse_instant("2031-05-09T06:30:00Z")
NOWHERE = Context(None, None, NOW)
OFFICE = parse_conditions({"ip_ranges": ["198.51.100.0/24"]})
MFA = parse_conditions({"require_mfa": True})
HOURS = parse_conditions({"time_window": {"start": "08:00", "end": "17:00"}})


def rule(
    pattern: str = "retail/**",
    permissions: Sequence[str] = ("read",),
    *,
    policy: str = "pol_a",
    created: int = 0,
    index: int = 0,
    conditions: Conditions = Conditions(),
) -> Rule:
    return Rule(policy, created, index, pattern, frozenset(permissions), conditions)


def ask(
    *rules: Rule,
    path: str = "retail/live/card",
    permission: str = "read",
    context: Context = NOWHERE,
    allowed_paths: Sequence[Sequence[str]] = (),
    covered_by_role: bool = False,
) -> Decision:
    return decide(
        allowed_paths=allowed_paths,
        covered_by_role=covered_by_role,
        rules=Compiled(rules),
        permission=permission,
        path=path,
        context=context,
    )


class TestSteps:
    def test_nothing_bound_grants_nothing(self) -> None:
        assert ask() == Decision(False, "access_denied", "no_policy_bound")

    def test_a_rule_grants(self) -> None:
        granting = rule()
        assert ask(granting) == Decision(True, None, "granted", None, "pol_a", granting)

    def test_another_path(self) -> None:
        assert ask(rule(), path="retail") == Decision(False, "access_denied", "no_path_match")

    def test_another_permission(self) -> None:
        decision = ask(rule(permissions=["list"]))
        assert decision == Decision(False, "access_denied", "permission_not_granted")

    @pytest.mark.parametrize("permission", PERMISSIONS)
    def test_admin_is_every_permission(self, permission: str) -> None:
        assert ask(rule(permissions=["admin"]), permission=permission).allowed

    @pytest.mark.parametrize("held", PERMISSIONS[:-1])
    @pytest.mark.parametrize("wanted", PERMISSIONS)
    def test_no_other_permission_implies_another(self, held: str, wanted: str) -> None:
        assert ask(rule(permissions=[held]), permission=wanted).allowed is (held == wanted)

    @pytest.mark.parametrize("permission", ["", "own", "READ", "*", "admin "])
    def test_an_unknown_permission_is_never_held(self, permission: str) -> None:
        for listed in (["admin"], ["read", permission]):
            every = rule("**", listed)
            assert not ask(every, permission=permission).allowed
            assert not every.grants(permission)

    def test_no_rule_without_permissions_grants(self) -> None:
        assert ask(rule(permissions=[])).reason == "permission_not_granted"

    def test_an_admin_role_needs_no_rule_and_no_condition(self) -> None:
        assert ask(covered_by_role=True) == Decision(True, None, "granted_by_role")
        assert ask(rule(conditions=MFA), covered_by_role=True).reason == "granted_by_role"

    @pytest.mark.parametrize("covered_by_role", [True, False])
    @pytest.mark.parametrize(
        "allowed_paths",
        [[[]], [["lab/**"]], [["retail/**"], ["lab/**"]], [["retail/**"], []], [["retail"]]],
    )
    def test_the_tokens_paths_bind_everybody(
        self, allowed_paths: list[list[str]], covered_by_role: bool
    ) -> None:
        decision = ask(rule(), allowed_paths=allowed_paths, covered_by_role=covered_by_role)
        assert decision == Decision(False, "access_denied", "token_paths")

    def test_the_tokens_paths_add_nothing(self) -> None:
        inside = [["lab/**", "retail/live/*"], ["retail/**"]]
        assert ask(rule(), allowed_paths=inside).allowed
        assert ask(allowed_paths=inside).reason == "no_policy_bound"

    def test_one_rule_whose_conditions_hold_is_enough(self) -> None:
        open_rule = rule("**/card", created=9, policy="pol_z")
        assert ask(rule(conditions=MFA), rule(conditions=OFFICE), open_rule).rule == open_rule

    def test_a_condition_that_holds_grants(self) -> None:
        decision = ask(rule(conditions=OFFICE), context=Context("198.51.100.9", None, NOW))
        assert decision.reason == "granted"


class TestFailedConditions:
    @pytest.mark.parametrize(
        ("conditions", "code", "name"),
        [
            (OFFICE, "ip_not_allowed", "ip_ranges"),
            (MFA, "mfa_required", "require_mfa"),
            (HOURS, "time_window_violation", "time_window"),
        ],
    )
    def test_each_has_its_code(self, conditions: Conditions, code: str, name: str) -> None:
        failing = rule(conditions=conditions)
        assert ask(failing) == Decision(False, code, "condition_failed", name, "pol_a", failing)

    def test_the_oldest_policy_speaks(self) -> None:
        older = rule("retail/live/*", policy="pol_z", created=1, conditions=HOURS)
        newer = rule("retail/**", policy="pol_a", created=2, conditions=MFA)
        assert ask(newer, older).rule == older

    def test_within_a_policy_the_first_rule_speaks(self) -> None:
        first = rule("**", index=0, conditions=HOURS)
        second = rule("retail/**", index=1, conditions=MFA)
        third = rule("**", index=2, conditions=OFFICE)
        assert ask(third, second, first).rule == first

    def test_policies_of_one_instant_go_by_id(self) -> None:
        a, b = rule(policy="pol_a", conditions=MFA), rule(policy="pol_b", conditions=HOURS)
        assert ask(b, a).policy_id == "pol_a"

    def test_a_rule_that_does_not_fit_is_silent(self) -> None:
        silent = rule("lab/**", created=0, conditions=MFA)
        unlisted = rule("retail/**", ["write"], created=1, conditions=OFFICE)
        speaking = rule("retail/**", created=2, conditions=HOURS)
        assert ask(silent, unlisted, speaking).rule == speaking


class TestRefusal:
    def test_of_a_plain_no(self) -> None:
        fault = refusal(ask(rule(), path="lab/x"), "read", "lab/x")
        assert (fault.code, fault.status) == ("access_denied", 403)
        assert fault.details == {"path": "lab/x", "permission": "read"}

    def test_no_reason_tells_what_is_bound(self) -> None:
        texts = {
            (str(fault), str(fault.details))
            for rules in ([], [rule("lab/**")], [rule(permissions=["list"])])
            for fault in [refusal(ask(*rules), "read", "retail/live/card")]
        }
        assert len(texts) == 1

    def test_of_a_narrowed_token(self) -> None:
        fault = refusal(ask(rule(), allowed_paths=[["lab/**"]]), "read", "retail/live/card")
        assert fault.code == "access_denied"
        assert fault.details["reason"] == "token_paths"

    def test_of_a_failed_condition(self) -> None:
        fault = refusal(ask(rule(conditions=MFA)), "read", "retail/live/card")
        assert fault.code == "mfa_required"
        assert fault.details == {"failed_condition": "require_mfa", "policy_id": "pol_a"}

    def test_a_yes_has_none(self) -> None:
        with pytest.raises(ValueError, match="no refusal"):
            refusal(ask(rule()), "read", "retail/live/card")


def model(
    rules: Sequence[Rule],
    *,
    allowed_paths: Sequence[Sequence[str]],
    covered_by_role: bool,
    permission: str,
    path: str,
    context: Context,
) -> tuple[Any, ...]:
    """The six steps, one after the other, over every rule."""
    for allowed in allowed_paths:
        if not any(globs.matches(pattern, path) for pattern in allowed):
            return False, "access_denied", "token_paths", None, None
    if covered_by_role:
        return True, None, "granted_by_role", None, None
    ordered = sorted(rules, key=lambda each: (each.policy_created, each.policy_id, each.index))
    matching = [each for each in ordered if globs.matches(each.pattern, path)]
    fitting = [each for each in matching if {permission, "admin"} & each.permissions]
    for each in fitting:
        if each.conditions.failure(context) is None:
            return True, None, "granted", None, each
    for each in fitting:
        failed = each.conditions.failure(context)
        code = {
            "ip_ranges": "ip_not_allowed",
            "require_mfa": "mfa_required",
            "time_window": "time_window_violation",
        }[str(failed)]
        return False, code, "condition_failed", failed, each
    reason = "permission_not_granted" if matching else "no_path_match"
    return False, "access_denied", reason if rules else "no_policy_bound", None, None


conditions = st.builds(
    lambda parts: parse_conditions({name: value for part in parts for name, value in part}),
    st.lists(
        st.sampled_from(
            [
                (("ip_ranges", ("198.51.100.0/24",)),),
                (("ip_ranges", ("2001:db8::/32", "203.0.113.1")),),
                (("require_mfa", True),),
                (("require_mfa", True), ("mfa_max_age", "1h")),
                (("time_window", (("start", "06:00"), ("end", "07:00"))),),
            ]
        ),
        max_size=2,
    ).map(lambda parts: [[(name, thaw(value)) for name, value in part] for part in parts]),
)


def thaw(value: object) -> object:
    """Lists and objects out of the tuples that strategies share."""
    if not isinstance(value, tuple):
        return value
    return dict(value) if isinstance(value[0], tuple) else list(value)


few_patterns = st.sampled_from(["**", "a/**", "a/b", "a/*", "**/b", "*/b/**", "a*/b"]) | patterns
rules = st.lists(
    st.builds(
        Rule,
        st.sampled_from(["pol_a", "pol_b", "pol_c"]),
        st.integers(0, 3),
        st.integers(0, 99),
        few_patterns,
        st.frozensets(st.sampled_from(PERMISSIONS), max_size=3),
        conditions,
    ),
    max_size=12,
    unique_by=lambda each: (each.policy_created, each.policy_id, each.index),
)
contexts = st.builds(
    Context,
    st.sampled_from([None, "198.51.100.9", "::ffff:198.51.100.9", "2001:db8::1", "10.0.0.1"]),
    st.sampled_from([None, NOW - MINUTE, NOW - 30 * MINUTE, NOW + DAY, NOW - DAY]),
    st.sampled_from([NOW, NOW + 30 * MINUTE, NOW - 31 * MINUTE]),
)
lists_of_paths = st.lists(st.lists(few_patterns, max_size=2), max_size=2)


@settings(max_examples=500)
@given(rules, lists_of_paths, st.booleans(), st.sampled_from(PERMISSIONS), paths, contexts)
def test_decided_as_the_model_decides(
    some: list[Rule],
    allowed_paths: list[list[str]],
    covered_by_role: bool,
    permission: str,
    path: str,
    context: Context,
) -> None:
    for allowed, covered in ([], False), (allowed_paths, covered_by_role):
        question: dict[str, Any] = {
            "allowed_paths": allowed,
            "covered_by_role": covered,
            "permission": permission,
            "path": path,
            "context": context,
        }
        decision = decide(rules=Compiled(some), **question)
        expected = model(some, **question)
        assert (*decision[:4], decision.rule) == expected
        assert decision.policy_id == (decision.rule and decision.rule.policy_id)
        assert decision.code is None or CODES[decision.code] == 403


@settings(max_examples=300)
@given(
    rules,
    lists_of_paths,
    st.booleans(),
    st.sampled_from(PERMISSIONS),
    st.lists(paths | st.sampled_from(["a", "a/b", "a/c", "a/b/c", "a/b/b"]), max_size=8),
    contexts,
)
def test_many_paths_are_decided_as_each_is_alone(
    some: list[Rule],
    allowed_paths: list[list[str]],
    covered_by_role: bool,
    permission: str,
    many: list[str],
    context: Context,
) -> None:
    for allowed, covered in ([], False), (allowed_paths, covered_by_role):
        question: dict[str, Any] = {
            "allowed_paths": allowed,
            "covered_by_role": covered,
            "rules": Compiled(some),
            "permission": permission,
            "context": context,
        }
        decision = deciding(**question)
        for path in many:
            assert decision(path) == decide(path=path, **question)


def test_the_folders_of_one_request_are_bounded() -> None:
    decision = Compiled([rule("a/*/c")]).deciding("read", NOWHERE)
    for number in range(3000):
        assert decision(f"a/x{number}/c").allowed
        assert not decision(f"a/x{number}/d").allowed


@given(rules, st.randoms(use_true_random=False), st.sampled_from(PERMISSIONS), paths, contexts)
def test_the_order_in_which_rules_come_in_does_not_count(
    some: list[Rule], shuffler: Any, permission: str, path: str, context: Context
) -> None:
    shuffled = list(some)
    shuffler.shuffle(shuffled)
    assert Compiled(shuffled).rules == Compiled(some).rules
    first, second = Compiled(some), Compiled(shuffled)
    assert first.decide(permission, path, context) == second.decide(permission, path, context)


@given(rules, rules, st.sampled_from(PERMISSIONS), paths, contexts)
def test_more_rules_never_take_a_right_away(
    some: list[Rule], more: list[Rule], permission: str, path: str, context: Context
) -> None:
    if Compiled(some).decide(permission, path, context).allowed:
        assert Compiled(some + more).decide(permission, path, context).allowed


def test_a_thousand_policies_cost_no_more_steps_than_ten() -> None:
    forms = ["team-{}/**", "team-{}/*/card", "team-{}-*/live/**", "*/live/app-{}", "**/app-{}"]
    few, many = (
        Compiled(
            rule(form.format(f"{n:04}"), policy=f"pol_{n}") for n in range(count) for form in forms
        )
        for count in (10, 1000)
    )
    for path in ("team-0007/live/card", "team-0007-a/live/x", "x/live/app-0007", "lab/none"):
        assert visited(many, path) == visited(few, path) < 100


def test_a_thousand_policies_on_one_pattern_are_judged_as_one() -> None:
    same = Compiled(rule(policy=f"pol_{n:04}", conditions=MFA) for n in range(1000))
    single = Compiled([rule(policy="pol_0000", conditions=MFA)])
    assert visited(same, "retail/live/card") == visited(single, "retail/live/card")


def visited(compiled: Compiled, path: str) -> int:
    """How many functions are called for one decision."""
    calls = 0

    def count(_: object, event: str, called: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    gc.disable()  # Hypothesis has it call a function
    sys.setprofile(count)
    try:
        compiled.decide("read", path, NOWHERE)
    finally:
        sys.setprofile(None)
        gc.enable()
    return calls
