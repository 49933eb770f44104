"""Where a permission can be held: no less than the decision says, and whole only where it is."""

from __future__ import annotations

from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from scaivault.gate import globs
from scaivault.gate.caller import Caller, Principal
from scaivault.gate.conditions import NONE, parse_conditions
from scaivault.gate.gate import Gate
from scaivault.gate.rules import Compiled, Rule
from scaivault.gate.sight import Span, Spans, below, common, matched
from tests.gate.test_globs import paths, patterns

OFFICE = parse_conditions({"ip_ranges": ["198.51.100.0/24"]})
rules = st.builds(
    lambda pattern, permissions, conditions: Rule(
        "pol_a", 0, 0, pattern, frozenset(permissions), conditions
    ),
    patterns,
    st.sets(st.sampled_from(["read", "list", "admin"]), min_size=1),
    st.sampled_from([NONE, OFFICE]),
)


def caller(allowed: list[list[str]], source_ip: str, *, by_role: bool) -> Caller:
    principal = Principal(
        identity_id="sa:app", identity_type="service_account", display_name="app",
        tenant_id="tnt_a", partner_id="ptn_a", scopes=frozenset(), roles=frozenset(),
        token_id="tok_a", token_kind="access", issuer="local", issued_at=0, expires_at=1,
        allowed_paths=tuple(map(tuple, allowed)),
    )  # fmt: skip
    return Caller("req_a", source_ip, None, 0, 0, principal, "tnt_a", "ptn_a", by_role)


def gate(*known: Rule) -> Gate:
    nothing = cast(Any, None)
    made = Gate(nothing, nothing, nothing, nothing)
    compiled = Compiled(known)
    made.rules_of = lambda _caller: compiled
    return made


def holding(spans: Spans, path: str) -> list[Span]:
    return [span for span in spans if span.first <= path < span.beyond]


@given(
    st.lists(rules, max_size=6),
    st.lists(st.lists(patterns, max_size=3), max_size=2),
    st.sampled_from(["198.51.100.7", "203.0.113.7"]),
    st.booleans(),
    st.lists(paths, min_size=1, max_size=12),
)
def test_sight_and_decision_agree(
    known: list[Rule], allowed: list[list[str]], source_ip: str, by_role: bool, asked: list[str]
) -> None:
    who = caller(allowed, source_ip, by_role=by_role)
    decider = gate(*known)
    sight = decider.sight(who, "list")
    firsts = [span.first for span in sight.spans]
    assert firsts == sorted(firsts)
    assert all(span.first < span.beyond for span in sight.spans)
    for path in asked:
        decision = decider.decide(who, "list", path).allowed
        assert sight.allows(path) is sight.fits(path) is decision
        around = holding(sight.spans, path)
        assert len(around) <= 1
        assert around or not decision
        assert decision or not any(span.whole for span in around)


@given(st.lists(patterns, max_size=6), st.lists(paths, min_size=1, max_size=12))
def test_what_patterns_fit(known: list[str], asked: list[str]) -> None:
    spans = matched(frozenset(known))
    for path in asked:
        fits = any(globs.matches(pattern, path) for pattern in known)
        assert fits <= bool(holding(spans, path))
        assert not any(span.whole for span in holding(spans, path)) or fits


def test_literals_and_folders_are_whole() -> None:
    assert matched(frozenset(("**", "a/b", "a/*"))) == (below(""),)
    assert matched(frozenset(("a/**", "b"))) == (below("a/"), Span("b", "b\x00", whole=True))
    assert [span.whole for span in matched(frozenset(("a/*", "a/x-*")))] == [False]
    parts = matched(frozenset(("a/*", "a/b/**")))
    assert [(span.first, span.whole) for span in parts] == [
        ("a/", False), ("a/b/", True), ("a/b/\x7f", False),
    ]  # fmt: skip


def test_what_two_have_in_common() -> None:
    assert common((), (below(""),)) == ()
    assert common((below(""),), (below("a", whole=False),)) == (below("a", whole=False),)
    assert common((below("a"), below("c")), (below("b"),)) == ()
    assert common((below("a/"),), (below("a/b"),)) == (below("a/b"),)


def test_two_see_the_same_where_the_same_rules_hold() -> None:
    rule = Rule("pol_a", 0, 0, "a/**", frozenset(("list",)), OFFICE)
    other = Rule("pol_b", 5, 1, "a/**", frozenset(("admin",)))
    inside, outside = (caller([], ip, by_role=False) for ip in ("198.51.100.7", "203.0.113.7"))
    assert gate(rule).sight(inside, "list").key == gate(other).sight(outside, "list").key
    assert gate(rule).sight(outside, "list").spans == ()
    assert gate(rule).sight(outside, "list").key != gate(rule).sight(inside, "list").key
    narrowed = caller([["a/b"]], "198.51.100.7", by_role=False)
    assert gate(rule).sight(narrowed, "list").key != gate(rule).sight(inside, "list").key
