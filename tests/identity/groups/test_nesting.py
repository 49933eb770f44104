"""Moves of groups in any order, against a model: no cycle, no sixth level, and the groups that
count for a member are always its own and all above."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.house import House
from tests.support.running import EXAMPLES, Running, running_house

GROUPS = "/v1/identity/groups"
NAMES = [f"g{number}" for number in range(7)]
MOVES = st.lists(
    st.tuples(st.sampled_from(NAMES), st.none() | st.sampled_from(NAMES)), min_size=1, max_size=25
)
FEWER = settings(EXAMPLES, max_examples=25)  # each is some thirty requests


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_house(tmp_path_factory.mktemp("nesting") / "vault") as found:
        yield found


@pytest.fixture(scope="module")
def token(running: Running) -> str:
    return running.run(running.house.client("app", ["secrets:read"]))


def above(parents: dict[str, str | None], name: str) -> list[str]:
    """The group and all above it."""
    chain = [name]
    while (parent := parents[chain[-1]]) is not None:
        chain.append(parent)
    return chain


def fits(parents: dict[str, str | None], name: str, parent: str | None) -> bool:
    if parent is not None and name in above(parents, parent):
        return False
    moved = {**parents, name: parent}
    return all(len(above(moved, one)) <= 5 for one in NAMES)


async def _moved(
    house: House, token: str, prefix: str, moves: list[tuple[str, str | None]]
) -> None:
    for name in NAMES:
        await house.call("POST", GROUPS, {"name": f"{prefix}-{name}"})
    member = {"identity_id": "sa:app"}
    await house.call("POST", f"{GROUPS}/group:{prefix}-g0/members", member)
    parents: dict[str, str | None] = dict.fromkeys(NAMES)
    for name, parent in moves:
        sent = None if parent is None else f"group:{prefix}-{parent}"
        where = f"{GROUPS}/group:{prefix}-{name}"
        answer = await house.call("PATCH", where, {"parent_id": sent})
        expected = fits(parents, name, parent)
        assert answer.status == (200 if expected else 422), (parents, name, parent)
        if expected:
            parents[name] = parent
        found = (await house.get("/v1/auth/whoami", token=token)).json["groups"]
        assert found == sorted(f"group:{prefix}-{one}" for one in above(parents, "g0"))
    await house.call("DELETE", f"{GROUPS}/group:{prefix}-g0/members/sa:app")


@FEWER
@given(moves=MOVES)
def test_any_moves(running: Running, token: str, moves: list[tuple[str, str | None]]) -> None:
    running.run(_moved(running.house, token, running.fresh(), moves))
