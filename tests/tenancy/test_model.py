"""A partner and its tenants against a plain model: suspended, deleted, brought back, destroyed in
any order, each step and what every token gets behind it is as the model says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaivault.clock import DAY
from tests.support.house import Answer, House
from tests.support.running import EXAMPLES, Running, running_house
from tests.support.users import personal
from tests.tenancy.asking import change, delete, later, partner, tenant

MONTH = 30 * DAY
# What a tenant's own token and the root token get there.
OWN = {"ACTIVE": (200, ""), "SUSPENDED": (403, "forbidden"), "DELETED": (401, "token_revoked")}
ROOT = {"ACTIVE": (200, ""), "SUSPENDED": (403, "forbidden"), "DELETED": (404, "tenant_not_found")}


@dataclass
class Row:
    id: str
    status: str = "ACTIVE"
    deleted_at: int = 0
    destroyed: bool = False
    app: str = ""
    token: str = ""


@dataclass
class World:
    house: House
    partner: Row
    root: str
    tenants: list[Row] = field(default_factory=list)

    def state(self, row: Row) -> str:
        return max((row.status, self.partner.status), key=list(OWN).index)

    async def tokens(self) -> None:
        """They live for a day, so time that goes by takes new ones."""
        self.house.token = await personal(self.house, self.root, ["admin"])
        for row in self.tenants:
            row.token = await personal(self.house, row.app, ["secrets:list"])

    # -- steps -----------------------------------------------------------------------------------

    async def step(self, what: str, which: int) -> None:
        if what == "wait":
            await later(self.house, (1, MONTH - 1, MONTH)[which])
            vault = self.house.vault  # the job itself comes once an hour
            await vault.ending.run(vault.internal("purge"), lambda: False)
            await self.tokens()
            now = self.house.clock.now()
            for row in self.tenants:
                over = row.status == "DELETED" and row.deleted_at + MONTH <= now
                row.destroyed = row.destroyed or over
            return
        row = (self.partner, *self.tenants)[which]
        if what == "delete":
            answer, expected = await delete(self.house, row.id), self.deletes(row)
        else:
            answer = await change(self.house, row.id, {"status": what})
            expected = self.changes(row, what)
        assert told(answer) == expected, (what, which, answer.body)

    def deletes(self, row: Row) -> tuple[int, str]:
        if row is self.partner and any(one.status != "DELETED" for one in self.tenants):
            return 409, "in_use"
        if row.status != "DELETED":
            row.status, row.deleted_at = "DELETED", self.house.clock.now()
        return 204, ""

    def changes(self, row: Row, status: str) -> tuple[int, str]:
        if row.status == "DELETED":
            if status != "ACTIVE":
                return 409, "deleted"
            if row is not self.partner and self.partner.status == "DELETED":
                return 409, "partner_deleted"
            if row.destroyed:
                return 409, "key_destroyed"
        row.status = status
        return 200, ""

    # -- what holds behind each ------------------------------------------------------------------

    async def check(self) -> None:
        for row in self.tenants:
            state = self.state(row)
            own = await self.house.get("/v1/secrets", token=row.token)
            root = await self.house.get(f"/v1/t/{row.id}/secrets/a/b")
            assert coded(own) == OWN[state]
            assert coded(root) == ROOT[state]
            if state == "ACTIVE":
                assert root.json["data"] == {"of": row.id}
            assert bool(self.house.vault.keyring.versions(row.id)) is not row.destroyed
            shown = await self.house.get(f"/v1/identity/tenants/{row.id}")
            assert shown.json["status"] == row.status


def coded(answer: Answer) -> tuple[int, str]:
    return answer.status, "" if answer.status == 200 else answer.code


def told(answer: Answer) -> tuple[int, str]:
    if answer.status < 400:
        return answer.status, ""
    return answer.status, answer.details.get("reason", answer.code)


async def made(house: House, name: str, root: str) -> World:
    house.token = await personal(house, root, ["admin"])
    world = World(house, Row((await partner(house, name))["id"]), root)
    for slug in ("one", "two"):
        row = Row((await tenant(house, slug, partner_id=world.partner.id))["id"])
        body = {"name": "app", "scopes": ["secrets:list"], "tenant_id": row.id}
        made = await house.call("POST", "/v1/identity/service-accounts", body)
        row.app = made.json["id"]
        where = f"/v1/t/{row.id}/secrets/a/b"
        assert (await house.call("PUT", where, {"data": {"of": row.id}})).status == 201
        world.tenants.append(row)
    await world.tokens()
    return world


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    path: Path = tmp_path_factory.mktemp("vaults") / "vault"
    with running_house(path) as running:
        yield running


STEPS = st.lists(
    st.tuples(
        st.sampled_from(("SUSPENDED", "ACTIVE", "delete", "delete", "wait")), st.integers(0, 2)
    ),
    min_size=1,
    max_size=8,
)


@settings(EXAMPLES, max_examples=25)
@given(steps=STEPS)
def test_every_step_is_as_the_model_says(running: Running, steps: list[tuple[str, int]]) -> None:
    async def example() -> None:
        house = running.house
        found = await house.vault.gate.ask(
            lambda db: db.execute(
                "SELECT id FROM service_account WHERE identity_id = 'sa:root' LIMIT 1"
            ).fetchone()
        )
        world = await made(house, running.fresh(), found[0])
        for what, which in steps:
            await world.step(what, which)
            await world.check()

    running.run(example())
