"""A directory's graph of groups as a forest: whoever belonged to a group belongs to it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaivault.identity.groups.room import DEEPEST
from scaivault.identity.sync import nesting
from scaivault.identity.sync.facts import ToldGroup
from scaivault.identity.sync.nesting import Arranged, arrange
from scaivault.identity.sync.scim import SyncFailed

NAMES = tuple("abcdefgh")
graphs = st.dictionaries(
    st.sampled_from(NAMES),
    st.tuples(
        st.lists(st.sampled_from(("u1", "u2", "u3", "u4")), max_size=3, unique=True),
        st.lists(st.sampled_from((*NAMES, "unknown")), max_size=4),
    ),
).map(
    lambda graph: {
        name: ToldGroup(name, name, tuple(users), tuple(groups))
        for name, (users, groups) in graph.items()
    }
)


def belonging(groups: dict[str, ToldGroup], start: str) -> set[str]:
    """Who belongs to a group as the directory means it."""
    found, waiting = {start}, [start]
    while waiting:
        below = {one for one in groups[waiting.pop()].groups if one in groups} - found
        found |= below
        waiting += below
    return {user for one in found for user in groups[one].users}


def effective(arranged: Arranged, start: str) -> set[str]:
    """Who belongs to a group as it is kept here."""
    found = set(arranged.users[start])
    for below, above in arranged.parents.items():
        if above == start:
            found |= effective(arranged, below)
    return found


@given(graphs)
def test_nobody_is_lost_and_nobody_gained(groups: dict[str, ToldGroup]) -> None:
    arranged = arrange(groups)
    for name in groups:
        assert effective(arranged, name) == belonging(groups, name)
        depth, above = 1, name
        while above in arranged.parents:
            above = arranged.parents[above]
            depth += 1
        assert depth <= DEEPEST


@given(graphs)
def test_the_order_of_the_groups_says_nothing(groups: dict[str, ToldGroup]) -> None:
    backwards = dict(reversed(groups.items()))
    assert arrange(groups) == arrange(backwards)


def test_a_chain_deeper_than_five() -> None:
    groups = {
        str(n): ToldGroup(str(n), str(n), (f"u{n}",), (str(n + 1),) if n < 8 else ())
        for n in range(1, 9)
    }
    arranged = arrange(groups)
    assert effective(arranged, "1") == {f"u{n}" for n in range(1, 9)}
    assert len(arranged.parents) < 7


def test_a_graph_made_to_be_costly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nesting, "_STEPS_MOST", 1000)
    names = [str(n) for n in range(30)]
    groups = {name: ToldGroup(name, name, ("u",), tuple(names)) for name in names}
    with pytest.raises(SyncFailed) as failed:
        arrange(groups)
    assert failed.value.code == "too_large"
