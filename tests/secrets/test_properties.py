"""What holds for values of any shape, and for pages of a list that changes meanwhile."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.running import EXAMPLES, running_house

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NUMBERS = st.one_of(
    st.integers(),
    st.integers(min_value=-(10**40), max_value=10**40),
    st.floats(allow_nan=False, allow_infinity=False),
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXT),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=20,
)


def same(one: Any, other: Any) -> bool:
    """Equal in type, key order and the sign of zero too."""
    return repr(one) == repr(other)


def test_values_of_any_shape_come_back_unchanged(tmp_path: Path) -> None:
    with running_house(tmp_path / "vault") as running:
        house = running.house

        @EXAMPLES
        @given(st.dictionaries(TEXT, VALUES, max_size=6), st.booleans(), st.booleans())
        def check(data: dict[str, Any], ascii_only: bool, blanks: bool) -> None:
            path = running.fresh()
            separators = None if blanks else (",", ":")
            sent = json.dumps({"data": data}, ensure_ascii=ascii_only, separators=separators)
            made = running.run(house.call("PUT", f"/v1/secrets/{path}", raw=sent.encode()))
            assert made.status == 201, made.body
            for _ in ("fetched", "from memory"):
                assert same(running.run(house.read(path)).json["data"], data)

        check()


@pytest.mark.parametrize(
    "text",
    [
        b"{}",
        b'{"n":1' + b"0" * 5000 + b"}",
        b'{"n":-0,"m":-0.0,"e":1E+2,"f":1.10}',
        b'{"b":1,"a":2,"\\u0061a":3}',
        b'{"e\xcc\x81":1,"\xc3\xa9":2}',
        b'{"x":"\\ud83d\\ude00\\u0000\\/\\\\\\""}',
        b'{"__proto__":{"a":1},"":{"":[]}}',
        b'{"n":1e308,"m":5e-324,"k":123456789012345678901234567890.5}',
    ],
)
def test_the_spelling_stays_byte_for_byte(tmp_path: Path, text: bytes) -> None:
    with running_house(tmp_path / "vault") as running:
        house = running.house
        made = running.run(house.call("PUT", "/v1/secrets/a", raw=b'{ "data" : ' + text + b" }"))
        assert made.status == 201, made.body
        assert b'"data":' + text + b',"metadata"' in running.run(house.read("a")).body


@pytest.mark.parametrize(("extra", "status"), [(0, 201), (1, 413)])
def test_the_largest_value(tmp_path: Path, extra: int, status: int) -> None:
    with running_house(tmp_path / "vault") as running:
        house = running.house
        text = b'{"a":"' + b"x" * (512 * 1024 - 8 + extra) + b'"}'
        made = running.run(house.call("PUT", "/v1/secrets/a", raw=b'{"data":' + text + b"}"))
        assert made.status == status
        if status == 413:
            assert made.details == {"limit_bytes": 524288, "field": "data"}
        else:
            assert text in running.run(house.read("a")).body


@pytest.mark.parametrize(("extra", "status"), [(0, 201), (1, 413)])
def test_the_largest_value_with_escapes(tmp_path: Path, extra: int, status: int) -> None:
    """An escape counts as the character that it stands for."""
    with running_house(tmp_path / "vault") as running:
        escapes = rb"\u20ac" * 50_000  # 150 kB, sent as 300 kB
        text = b'{"a":"' + escapes + b"x" * (512 * 1024 - 8 - 150_000 + extra) + b'"}'
        sent = running.house.call("PUT", "/v1/secrets/a", raw=b'{"data":' + text + b"}")
        assert running.run(sent).status == status
        if status == 201:
            assert text in running.run(running.house.read("a")).body


NAMES = [f"p{n:02}" for n in range(24)]
CHANGES = st.lists(st.tuples(st.booleans(), st.sampled_from(NAMES)), max_size=4)


def test_pages_neither_repeat_nor_skip_while_others_write(tmp_path: Path) -> None:
    with running_house(tmp_path / "vault") as running:
        house = running.house

        async def change(prefix: str, present: set[str], what: list[tuple[bool, str]]) -> None:
            for write, name in what:
                if write:
                    await house.put(f"{prefix}/{name}")
                    present.add(name)
                else:
                    await house.delete(f"{prefix}/{name}", permanent="true")
                    present.discard(name)

        async def walk(prefix: str, limit: int, steps: list[list[tuple[bool, str]]]) -> None:
            present: set[str] = set()
            await change(prefix, present, [(True, name) for name in NAMES[::2]])
            throughout, ever = set(present), set(present)
            query: dict[str, Any] = {"prefix": f"{prefix}/", "limit": limit}
            found: list[str] = []
            pending = iter(steps)
            while True:
                page = (await house.call("GET", "/v1/secrets", query=query)).json
                found += [item["path"].removeprefix(f"{prefix}/") for item in page["secrets"]]
                assert page["total_count"] == len(present)
                if not page["has_more"]:
                    break
                query = {"cursor": page["cursor"]}
                changes = next(pending, [])
                await change(prefix, present, changes)
                throughout -= {name for write, name in changes if not write}
                ever |= present
            assert found == sorted(set(found))
            assert throughout <= set(found) <= ever

        @EXAMPLES
        @given(st.integers(1, 5), st.lists(CHANGES, max_size=6))
        def check(limit: int, steps: list[list[tuple[bool, str]]]) -> None:
            running.run(walk(running.fresh(), limit, steps))

        check()
