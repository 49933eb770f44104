"""The whole room against a plain model: policies and bindings come, change and go over HTTP, and
after each step the gate decides, and ``test`` answers, as the model does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaivault.clock import MINUTE, instant, parse_instant
from scaivault.gate import globs
from scaivault.gate.caller import Caller, Principal
from scaivault.gate.conditions import Context, parse_conditions
from scaivault.gate.rules import PERMISSIONS
from tests.gate.test_globs import paths, patterns
from tests.support import reference
from tests.support.house import PASSPHRASE, House
from tests.support.policies import POLICIES
from tests.support.reference import ModelPolicy, Request
from tests.support.running import EXAMPLES, Running, running_house

WHO = {"sa:a": ("group:g", "group:h"), "sa:b": ("group:g",), "sa:c": ()}
ADDRESSES = [None, "198.51.100.9", "203.0.113.1", "2001:db8::1"]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_house(Path(tmp_path_factory.mktemp("model")) / "vault") as found:
        yield found


some_patterns = st.sampled_from(["**", "a/**", "a/b", "a/*", "**/b", "*/b/**", "a/**/c", "a?/b"])
some_paths = st.sampled_from(["a", "a/b", "a/b/c", "a/c", "ab/b", "b/b/b", "b"])
conditions = st.fixed_dictionaries(
    {},
    optional={
        "ip_ranges": st.sampled_from([["198.51.100.0/24"], ["2001:db8::/32", "203.0.113.1"]]),
        "require_mfa": st.booleans(),
        "time_window": st.sampled_from(
            [
                {"start": "06:00", "end": "07:00"},
                {"start": "23:00", "end": "08:00", "days": ["thu"], "timezone": "Asia/Tokyo"},
                {"start": "08:00", "end": "09:00", "timezone": "Europe/Amsterdam"},
            ]
        ),
    },
)
permissions = st.lists(st.sampled_from(PERMISSIONS), min_size=1, max_size=3, unique=True)
rules = st.lists(
    st.fixed_dictionaries(
        {"path_pattern": some_patterns | some_patterns | patterns, "permissions": permissions},
        optional={"conditions": conditions},
    ),
    min_size=1,
    max_size=3,
)
bindable = st.sampled_from([*WHO, "group:g", "group:h"])
slots = st.integers(0, 2)
binds = st.tuples(st.just("bind"), slots, bindable, st.sampled_from([None, MINUTE, MINUTE]))
steps = st.lists(
    st.one_of(
        binds,
        binds,
        st.tuples(st.just("rules"), slots, rules),
        st.tuples(st.just("active"), slots, st.booleans()),
        st.tuples(st.just("unbind"), slots, bindable),
        st.tuples(st.just("delete"), slots),
        st.tuples(st.just("wait"), st.sampled_from([1, MINUTE - 1, MINUTE])),
    ),
    min_size=1,
    max_size=15,
)
# Each example ends with rights that end.
LAST: list[tuple[Any, ...]] = [
    ("bind", 0, "sa:c", MINUTE), ("bind", 1, "group:h", MINUTE), ("wait", MINUTE - 1), ("wait", 1),
]  # fmt: skip
questions = st.lists(
    st.tuples(
        st.sampled_from(sorted(WHO)),
        some_paths | paths,
        st.sampled_from(PERMISSIONS),
        st.sampled_from(ADDRESSES),
        st.booleans(),
    ),
    max_size=1,
)


class Play:
    """One example: policies of the vault and of the model, side by side."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.house = running.house
        self.ids: list[str | None] = [None, None, None]
        self.bindings: dict[tuple[int, str], str] = {}
        self.model: dict[int, ModelPolicy] = {}

    def call(self, method: str, target: str, body: Any = None) -> Any:
        answer = self.running.run(self.house.call(method, f"{POLICIES}{target}", body))
        assert answer.status < 300, (method, target, body, answer.body)
        return answer.json if answer.body else None

    def step(self, kind: str, *more: Any) -> None:
        if kind == "wait":
            self.house.clock.advance(more[0])
            self.running.run(_renewed(self.house))
            return
        slot, *rest = more
        if kind == "rules":
            self.rules(slot, rest[0])
        elif slot in self.model:
            getattr(self, kind)(slot, *rest)

    def rules(self, slot: int, given: list[dict[str, Any]]) -> None:
        if slot in self.model:
            self.call("PATCH", f"/{self.ids[slot]}", {"rules": given})
            self.model[slot].rules = given
            return
        self.house.clock.advance(1)  # creation decides the order
        made = self.call("POST", "", {"name": self.running.fresh(), "rules": given})
        self.ids[slot] = made["id"]
        self.model[slot] = ModelPolicy(given)

    def active(self, slot: int, is_active: bool) -> None:
        self.call("PATCH", f"/{self.ids[slot]}", {"is_active": is_active})
        self.model[slot].is_active = is_active

    def bind(self, slot: int, identity: str, life: int | None) -> None:
        bound, now = self.model[slot].bound, self.house.clock.now()
        if identity in bound and (bound[identity] is None or now < (bound[identity] or 0)):
            return
        ends = None if life is None else now + life
        kind = "group" if identity.startswith("group:") else "service_account"
        body = {
            "identity_type": kind,
            "identity_id": identity,
            "expires_at": None if ends is None else instant(ends),
        }
        made = self.call("POST", f"/{self.ids[slot]}/bindings", body)
        self.bindings[slot, identity] = made["id"]
        bound[identity] = ends

    def unbind(self, slot: int, identity: str) -> None:
        if self.model[slot].bound.pop(identity, 0) != 0:
            binding = self.bindings[slot, identity]
            self.call("DELETE", f"/{self.ids[slot]}/bindings/{binding}")

    def delete(self, slot: int) -> None:
        self.call("DELETE", f"/{self.ids[slot]}?force=true")
        del self.model[slot]

    def ordered(self) -> list[ModelPolicy]:
        """By creation: ids in the order in which they were given out are not sorted, so ask."""
        held = [self.house.vault.policies.shelf.policy(self.ids[slot] or "") for slot in self.model]
        created = {one.policy.id: one.policy.created_at for one in held if one is not None}
        slots = sorted(self.model, key=lambda slot: created[self.ids[slot] or ""])
        return [self.model[slot] for slot in slots]

    def check_all(self) -> None:
        """Everybody, over and over on the same paths: what is remembered of them must be right."""
        policies = self.ordered()
        for who, groups in WHO.items():
            for path, permission in (("a/b", "read"), ("b", "list"), ("a/b/c", "write")):
                request = Request(
                    [who, *groups], path, permission, self.house.clock.now(), "198.51.100.9"
                )
                decided = self.house.vault.gate.decide(self.caller(request), permission, path)
                expected = reference.decision(policies, request)
                assert (decided.allowed, decided.reason, decided.failed_condition) == expected

    def check(self, who: str, path: str, permission: str, address: Any, mfa: bool) -> None:
        now = self.house.clock.now()
        request = Request(
            [who, *WHO[who]], path, permission, now, address, now - MINUTE if mfa else None
        )
        expected = reference.decision(self.ordered(), request)
        decided = self.house.vault.gate.decide(self.caller(request), permission, path)
        assert (decided.allowed, decided.reason, decided.failed_condition) == expected
        # The identity room knows of none of these groups: ``test`` sees what is bound directly.
        alone = replace(request, subjects=[who])
        context = {"mfa_verified": mfa, **({"source_ip": address} if address else {})}
        body = {"identity_id": who, "path": path, "permission": permission, "context": context}
        told = self.call("POST", "/test", body)
        allowed, reason, failed = reference.decision(self.ordered(), alone)
        assert (told["allowed"], told["reason"]) == (allowed, reason)
        failures = [one["failed_condition"] for one in told["evaluated"]]
        assert next(filter(None, failures), None) == failed or allowed

    def caller(self, request: Request) -> Caller:
        made = self.house.made
        principal = Principal(
            identity_id=request.subjects[0], identity_type="service_account", display_name="",
            tenant_id=made["tenant_id"], partner_id=made["partner_id"], scopes=frozenset(),
            roles=frozenset(), token_id="", token_kind="", issuer="local", issued_at=0,
            expires_at=0, mfa_verified_at=request.mfa_verified_at,
            groups=tuple(request.subjects[1:]),
        )  # fmt: skip
        return Caller(
            request_id="", source_ip=request.source_ip, user_agent=None, started=0,
            now=request.now, principal=principal, tenant_id=made["tenant_id"],
            partner_id=made["partner_id"],
        )  # fmt: skip


@settings(EXAMPLES, max_examples=30)
@given(st.lists(rules, min_size=2, max_size=3), steps, questions)
def test_decided_as_the_model_decides_after_every_step(
    running: Running,
    first: list[list[dict[str, Any]]],
    some: list[tuple[Any, ...]],
    asked: list[tuple[Any, ...]],
) -> None:
    play = Play(running)
    try:
        for slot, given_ in enumerate(first):
            play.rules(slot, given_)
        for step in [*some, *LAST]:
            play.step(*step)
            play.check_all()
            for question in asked:
                play.check(*question)
    finally:
        for slot in list(play.model):
            play.delete(slot)


async def _renewed(house: House) -> None:
    """A root token lives for an hour only."""
    body = {"passphrase": PASSPHRASE}
    answer = await house.call("POST", "/v1/system/root-token", body, token=None)
    house.token = answer.json["token"]


@settings(max_examples=500)
@given(patterns, paths)
def test_globs_match_as_the_model_says(pattern: str, path: str) -> None:
    assert globs.matches(pattern, path) is reference.glob_matches(pattern, path)


@settings(max_examples=500)
@given(
    conditions,
    st.sampled_from(ADDRESSES),
    st.sampled_from([None, 0, 14 * MINUTE, 15 * MINUTE, 15 * MINUTE + 1, -1]),
    st.integers(0, 14 * 24 * 60),
)
def test_conditions_hold_as_the_model_says(
    given_: dict[str, Any], address: str | None, age: int | None, minutes: int
) -> None:
    # Two weeks around the change to summer time in Amsterdam.
    now = parse_instant("2031-03-23T00:00:00Z") + minutes * MINUTE
    verified = None if age is None else now - age
    request = Request([], "", "", now, address, verified)
    failed = parse_conditions(given_).failure(Context(address, verified, now))
    assert failed == reference.failed_condition(given_, request)
