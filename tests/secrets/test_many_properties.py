"""Pages while others write, and batches beside single reads: for any mix of paths and rights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.house import House
from tests.support.rights import SCOPES, grant
from tests.support.running import EXAMPLES, Running, running_house

NAMES = ["a", "a-b", "a/b", "a/c", "a0", "b", "b/a", "b/b/c", "c"]
PATTERNS = ["**", "a", "a/*", "a/**", "*/b", "**/c", "b*", "?", "b/**", "*/*"]

names = st.sampled_from(NAMES)
steps = st.lists(st.tuples(st.sampled_from(["put", "delete", "purge"]), names), max_size=3)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, str]]:
    path: Path = tmp_path_factory.mktemp("many")
    with running_house(path) as made:
        yield made, made.run(made.house.client("app", SCOPES))


async def change(house: House, root: str, kind: str, name: str) -> None:
    path = f"{root}/{name}"
    if kind == "put":
        answer = await house.put(path)
        if answer.status == 409:
            await house.call("POST", f"/v1/secrets/{path}/restore")
    else:
        await house.delete(path, **({"permanent": "true"} if kind == "purge" else {}))


@EXAMPLES
@given(
    st.sets(names),
    st.integers(1, 4),
    st.lists(steps, max_size=6),
    st.none() | st.sets(st.sampled_from(PATTERNS), max_size=3),
)
def test_pages_while_others_write(
    running: tuple[Running, str],
    there: set[str],
    limit: int,
    between: list[list[tuple[str, str]]],
    rules: set[str] | None,
) -> None:
    """Nothing twice; nothing missed that was there and to be seen throughout; every count is
    that of its moment. ``rules`` None: an admin role."""
    runner, app = running
    house, root = runner.house, runner.fresh()
    token = "" if rules is None else app
    grant(house, *((f"{root}/{pattern}", {"list"}) for pattern in rules or () if pattern != "**"))
    if rules and "**" in rules:
        grant(house, (f"{root}/**", {"list"}))
    turns = iter(between)

    async def visible(path: str) -> bool:
        return (await house.get(f"/v1/secrets/metadata/{path}", token=token)).status == 200

    async def example() -> None:
        for name in sorted(there):
            await house.put(f"{root}/{name}")
        always = {f"{root}/{name}" for name in there}
        always = {path for path in always if await visible(path)}
        live = {f"{root}/{name}" for name in there}
        found: list[str] = []
        query: dict[str, Any] = {"prefix": f"{root}/", "limit": limit}
        while True:
            answer = await house.call("GET", "/v1/secrets", query=query, token=token)
            assert answer.status == 200, answer.body
            now = {path for path in live if await visible(path)}
            assert answer.json["total_count"] == len(now)
            page = [item["path"] for item in answer.json["secrets"]]
            assert set(page) <= now
            found += page
            if not answer.json["has_more"]:
                break
            query = {"cursor": answer.json["cursor"]}
            for kind, name in next(turns, []):
                await change(house, root, kind, name)
                path = f"{root}/{name}"
                (live.add if kind == "put" else live.discard)(path)
                if kind != "put":
                    always.discard(path)
        assert found == sorted(set(found))
        assert always <= set(found)

    runner.run(example())


@EXAMPLES
@given(
    st.dictionaries(names, st.sampled_from(["live", "two", "late", "gone", "rotated"])),
    st.lists(names | st.sampled_from(["A", "", "a//b", "ghost", "batch/x", "a/rotate"]),
             min_size=1, max_size=8),
    st.sets(st.sampled_from(PATTERNS), max_size=3),
    st.none() | st.integers(1, 3),
    st.booleans(),
)  # fmt: skip
def test_a_batch_is_what_single_reads_are(
    running: tuple[Running, str],
    states: dict[str, str],
    wanted: list[str],
    rules: set[str],
    version: int | None,
    warm: bool,
) -> None:
    """Same values, same codes; with or without rows in memory."""
    runner, token = running
    house, root = runner.house, runner.fresh()
    grant(house, *((f"{root}/{pattern}", {"read"}) for pattern in rules - {"**"}))
    if "**" in rules:
        grant(house, ("**", {"read"}))

    async def alone(path: str) -> tuple[str, Any]:
        query = f"?version={version}" if version else ""
        answer = await house.call("GET", f"/v1/secrets/{path}{query}", token=token)
        if answer.status != 200:
            return answer.code, answer.json["error"]["message"]
        return "", {name: answer.json[name] for name in ("data", "version", "secret_type")}

    async def example() -> None:
        for name, state in states.items():
            await prepare(house, f"{root}/{name}", state)
        house.clock.advance(2_000_000)
        if not warm:
            house.vault.values.shelf.clear()
        paths = [f"{root}/{name}" if name in (*NAMES, "ghost") else name for name in wanted]
        body = {"paths": paths, "options": {"version": version}}
        answer = await house.call("POST", "/v1/secrets/batch", body, token=token)
        assert answer.status == 200, answer.body
        secrets, errors = answer.json["secrets"], answer.json["errors"]
        assert (answer.json["retrieved"], answer.json["failed"]) == (len(secrets), len(errors))
        assert set(secrets) | set(errors) == set(paths)
        assert not set(secrets) & set(errors)
        for path in set(paths) - {""}:
            code, told = await alone(path)
            if code:
                assert (errors[path]["code"], errors[path]["message"]) == (code, told)
            else:
                assert secrets[path] == told

    runner.run(example())


async def prepare(house: House, path: str, state: str) -> None:
    await house.put(path, {"n": 1}, secret_type="json")
    if state == "two":
        await house.put(path, {"n": 2})
    elif state == "late":
        await house.put(path, {"n": 2}, options={"expires_in": "1s"})
    elif state == "gone":
        await house.delete(path)
    elif state == "rotated":
        body = {"new_value": {"n": 2}, "grace_period": "1s"}
        await house.call("POST", f"/v1/secrets/{path}/rotate", body)
