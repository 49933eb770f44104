"""Who may change whose roles, status and access, against a plain model: people of three tenants act
upon each other over HTTP, and each step ends as the model says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaivault.gate.caller import RANK
from scaivault.gate.gate import Act
from scaivault.gate.transaction import Transaction
from scaivault.identity import subjects
from scaivault.identity.model import Subject
from scaivault.storage.file import Connection
from tests.support.house import House
from tests.support.running import EXAMPLES, Running, running_house
from tests.support.tenants import account, found_partner, found_tenant
from tests.support.users import personal, user

# name: (place, partner of the place)
PLACES: Final = {
    "root": ("home", "ours"), "ann": ("home", "ours"), "app": ("home", "ours"),
    "ben": ("near", "ours"), "cleo": ("far", "theirs"),
}  # fmt: skip
PARTS: Final = {"user": "users", "service_account": "service-accounts"}


@dataclass
class Person:
    name: str
    id: str
    kind: str
    roles: frozenset[str]
    active: bool = True
    token: str = ""  # none: it ended

    @property
    def rank(self) -> int:
        return max((RANK[role] for role in self.roles), default=0)

    def sees(self, other: Person) -> bool:
        (place, partner), (its_place, its_partner) = PLACES[self.name], PLACES[other.name]
        covers = "partner_admin" in self.roles and partner == its_partner
        return place == its_place or covers or "super_admin" in self.roles


class World:
    """Everybody, as they are at the start of an example; ``root`` is super_admin."""

    def __init__(self, house: House, ids: dict[str, str], roles: dict[str, frozenset[str]]) -> None:
        self.house = house
        given = {**roles, "root": frozenset(["super_admin"])}
        self.people = {
            name: Person(
                name,
                found,
                "user" if found.startswith("usr_") else "service_account",
                given.get(name, frozenset()),
            )
            for name, found in ids.items()
        }

    async def rewind(self) -> None:
        """The file as it was at first."""
        vault = self.house.vault

        def write(tx: Transaction) -> None:
            for person in self.people.values():
                who = subjects.subject_by_id(tx.connection, person.id)
                assert who is not None
                subjects.put(tx, who._replace(roles=tuple(person.roles), status="ACTIVE"))
            tx.then(vault.authentication.forget)

        await vault.gate.change(vault.internal("test"), Act("identity_update"), write)

    async def found(self) -> dict[str, Subject]:
        def look(db: Connection) -> dict[str, Subject]:
            rows = {one.name: subjects.subject_by_id(db, one.id) for one in self.people.values()}
            return {name: row for name, row in rows.items() if row is not None}

        return await self.house.vault.gate.ask(look)

    def last(self, who: Person) -> bool:
        """Whether ``who`` is the only active super_admin."""
        able = [one for one in self.people.values() if one.active and "super_admin" in one.roles]
        return able == [who]

    async def token(self, who: Person) -> str:
        if who.active and not who.token:
            who.token = await personal(self.house, who.id, ["identity:read", "identity:admin"])
        return who.token or "skt_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf1eXUNl"

    # -- what ought to come of a step ----------------------------------------------------------

    def _reached(self, caller: Person, target: Person, least: int) -> str | None:
        if not caller.active:
            return "token_invalid"
        if caller.rank < least:
            return "forbidden"
        if not caller.sees(target):
            return "identity_not_found"
        return "forbidden" if target.rank > caller.rank else None

    def roles(self, caller: Person, target: Person, roles: frozenset[str]) -> str:
        if caller.active and caller.rank >= 2 and "super_admin" in roles - caller.roles:
            return "forbidden"
        refused = self._reached(caller, target, 2)
        if refused is not None:
            return refused
        if self.last(target) and "super_admin" not in roles:
            return "invalid_state"
        target.roles = roles
        return "ok"

    def status(self, caller: Person, target: Person, active: bool) -> str:
        refused = self._reached(caller, target, 1)
        if refused is None and not active and self.last(target):
            return "invalid_state"
        if refused is None:
            target.active = active
            target.token = target.token if active else ""
        return refused or "ok"

    def revoke(self, caller: Person, target: Person) -> str:
        refused = self._reached(caller, target, 1)
        if refused is None:
            target.token = ""
        return refused or "ok"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_house(Path(tmp_path_factory.mktemp("climbing")) / "vault") as found:
        found.run(_settle(found.house))
        yield found


IDS: dict[str, str] = {}


async def _settle(house: House) -> None:
    partner = await found_partner(house, "theirs")
    near, far = await found_tenant(house, "near"), await found_tenant(house, "far", partner.id)
    IDS["root"] = (await house.get("/v1/identity/service-accounts/sa:root")).json["id"]
    IDS["ann"] = await user(house, "ann@harbor.example")
    IDS["app"] = await account(house, "app", ["identity:read", "identity:admin"])
    IDS["ben"] = await user(house, "ben@harbor.example", tenant_id=near.id)
    IDS["cleo"] = await user(house, "cleo@harbor.example", tenant_id=far.id)


someone = st.sampled_from(sorted(PLACES))
roles = st.frozensets(st.sampled_from(sorted(RANK)), max_size=2)
few = st.frozensets(st.sampled_from(sorted(RANK)), max_size=1)
step = st.one_of(
    st.tuples(st.just("roles"), st.just("root") | someone, someone, roles),
    st.tuples(st.just("roles"), someone, someone, roles),
    st.tuples(st.just("status"), someone, someone, st.booleans()),
    st.tuples(st.just("revoke"), someone, someone, st.none()),
)


@settings(EXAMPLES, max_examples=60)
@given(st.fixed_dictionaries(dict.fromkeys(PLACES, few)), st.lists(step, min_size=1, max_size=12))
def test_every_step_ends_as_the_model_says(
    running: Running,
    start: dict[str, frozenset[str]],
    steps: list[tuple[str, str, str, frozenset[str] | bool | None]],
) -> None:
    world = World(running.house, IDS, start)
    running.run(world.rewind())
    for verb, caller, target, what in steps:
        running.run(_step(world, verb, world.people[caller], world.people[target], what))
    rows = running.run(world.found())
    for name, person in world.people.items():
        assert frozenset(rows[name].roles) == person.roles
        assert (rows[name].status == "ACTIVE") is person.active
    assert any(one.active and "super_admin" in one.roles for one in world.people.values())


async def _step(
    world: World, verb: str, caller: Person, target: Person, what: frozenset[str] | bool | None
) -> None:
    token = await world.token(caller)
    place = f"/v1/identity/{PARTS[target.kind]}/{target.id}"
    if isinstance(what, frozenset):
        wanted = world.roles(caller, target, what)
        answer = await world.house.call(
            "PUT", f"{place}/roles", {"roles": sorted(what)}, token=token
        )
    elif what is None:
        wanted = world.revoke(caller, target)
        place = f"/v1/identity/{target.kind}/{target.id}/revoke-access"
        answer = await world.house.call("POST", place, {}, token=token)
    else:
        wanted = world.status(caller, target, what)
        body = {"status": "ACTIVE" if what else "SUSPENDED"}
        answer = await world.house.call("PATCH", place, body, token=token)
    got = "ok" if answer.status == 200 else answer.code
    assert got == wanted, (verb, caller, target, what, answer.body)
