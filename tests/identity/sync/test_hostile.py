"""Directories that answer anything at all: a run fails, and nothing of it stays."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scaivault.identity.sync import scim
from tests.identity.sync.directory import Directory, Reply, listing, person, scim_group
from tests.identity.sync.synced import SECRET, Synced

MIRA = "mira@harbor.example"
Answers = Callable[[str, dict[str, str]], Reply | None]


def raw(body: bytes, status: int = 200, **headers: str) -> Answers:
    return lambda _path, _query: (status, headers, body)


def users(*resources: Any, total: Any = None) -> Answers:
    """These instead of the users."""

    def answer(path: str, _query: dict[str, str]) -> Reply | None:
        count = len(resources) if total is None else total
        return listing(list(resources), count) if path.endswith("/Users") else None

    return answer


def groups(*resources: Any) -> Answers:
    def answer(path: str, _query: dict[str, str]) -> Reply | None:
        return listing(list(resources), len(resources)) if path.endswith("/Groups") else None

    return answer


def fresh(_path: str, query: dict[str, str]) -> Reply:
    """A page that always promises one more."""
    start = int(query["startIndex"])
    shown = [person(f"u{start + n}", f"u{start + n}@harbor.example") for n in range(200)]
    return listing(shown, start + 200)


KNOWN = person("u1", MIRA)
BAD: dict[str, tuple[Answers, str]] = {
    "no JSON": (raw(b"<html>"), "invalid_answer"),
    "nothing": (raw(b""), "invalid_answer"),
    "not UTF-8": (raw(b'{"totalResults":1,"Resources":["\xff"]}'), "invalid_answer"),
    "a list": (raw(b"[]"), "invalid_answer"),
    "deep": (raw(b"[" * 100_000), "invalid_answer"),
    "no total": (raw(b'{"Resources":[]}'), "invalid_answer"),
    "total as text": (raw(b'{"totalResults":"0"}'), "invalid_answer"),
    "a negative total": (raw(b'{"totalResults":-1}'), "invalid_answer"),
    "total true": (raw(b'{"totalResults":true}'), "invalid_answer"),
    "resources as text": (raw(b'{"totalResults":1,"Resources":"x"}'), "invalid_answer"),
    "a number among users": (users(7), "invalid_answer"),
    "no id": (users({"userName": MIRA}), "invalid_answer"),
    "a number as id": (users(person("u1", MIRA, id=7)), "invalid_answer"),
    "an empty id": (users(person("", MIRA)), "invalid_answer"),
    "a long id": (users(person("u" * 257, MIRA)), "invalid_answer"),
    "an id with a line break": (users(person("u\n1", MIRA)), "invalid_answer"),
    "active is a number": (users(person("u1", MIRA, active=0)), "invalid_answer"),
    "emails as text": (users(person("u1", MIRA, emails=MIRA)), "invalid_answer"),
    "members as text": (groups(scim_group("g1", "x") | {"members": "u1"}), "invalid_answer"),
    "members are numbers": (groups(scim_group("g1", "x") | {"members": [1]}), "invalid_answer"),
    "fewer than promised": (users(KNOWN, total=2), "invalid_answer"),
    "the same page for ever": (users(KNOWN, person("u2", "b@x.org"), total=9), "invalid_answer"),
    "no end": (fresh, "too_large"),
    "a redirect": (raw(b"", 302, location="http://169.254.169.254/"), "unexpected_answer"),
    "a moved permanently": (raw(b"", 308, location="/scim/v2/Users"), "unexpected_answer"),
    "not found": (raw(b"{}", 404), "unexpected_answer"),
    "a failure": (raw(b"{}", 500), "unexpected_answer"),
    "forbidden": (raw(b"{}", 403), "permission_denied"),
    "created": (raw(b'{"totalResults":0}', 201), "unexpected_answer"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
async def test_an_answer_that_is_none(
    synced: Synced, directory: Directory, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scim, "RESOURCES_MOST", 2000)
    directory.users = [KNOWN]
    directory.groups = [scim_group("g1", "night", "u1")]
    await synced.run()
    before = await synced.users(), await synced.groups(), await synced.members("night")
    directory.instead, code = BAD[name]
    for _ in range(2):
        done = await synced.run()
        assert (done["status"], done["error"]["code"]) == ("failed", code)
        assert (done["created"], done["updated"], done["suspended"]) == (0, 0, 0)
    directory.instead = lambda _path, _query: None
    assert before == (await synced.users(), await synced.groups(), await synced.members("night"))
    assert not any("169.254" in call for call in directory.calls)
    assert (await synced.run())["status"] == "completed"


async def test_a_gigantic_page(
    synced: Synced, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scim, "_ANSWER_MOST", 1000)
    directory.users = [person(f"u{n}", f"u{n}@harbor.example") for n in range(10)]
    assert (await synced.run())["error"]["code"] == "too_large"


async def test_gigantic_pages_in_all(
    synced: Synced, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few entries on each of very many long pages would fill the memory."""
    directory.page = 1
    directory.users = [person(f"u{n}", f"u{n}@harbor.example") for n in range(10)]
    assert (await synced.run())["status"] == "completed"
    monkeypatch.setattr(scim, "_BYTES_MOST", 1000)
    assert (await synced.run())["error"]["code"] == "too_large"
    assert "/Users?startIndex=" in directory.calls[-1]


async def test_a_directory_that_hangs(
    synced: Synced, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scim, "SECONDS", 0.05)
    directory.hangs = True
    assert (await synced.run())["error"]["code"] == "timeout"


async def test_a_directory_that_is_away(synced: Synced, directory: Directory) -> None:
    await directory.__aexit__()
    assert (await synced.run())["error"]["code"] == "unreachable"


async def test_whoever_cannot_be_taken_over_is_left_out(
    synced: Synced, directory: Directory
) -> None:
    """And holds up nobody else."""
    directory.users = [
        person("u1", MIRA, emails=[], userName="mira\u200b@harbor.example"),
        person("u2", "x", userName="has a blank", emails=[{"value": 7}, {}], displayName="\x00"),
        person("u3", MIRA, displayName=["Mira"], name="Mira"),
        person("ceo@harbor.example", "", userName="x", emails=[]),
    ]
    directory.groups = [
        scim_group("g1", "\x00", "u3", "nobody", {"value": 7}, {}),
        scim_group("g2", "", {"value": "g1", "type": "Group"}, {"value": "g9", "type": "Group"}),
    ]
    done = await synced.run()
    assert done["status"] == "completed"
    users = await synced.users()
    assert users[MIRA]["display_name"] == MIRA
    assert "ceo@harbor.example" not in users
    assert len(await synced.groups()) == 2


async def test_every_page_is_read(synced: Synced, directory: Directory) -> None:
    directory.users = [person(f"u{n:03}", f"u{n}@harbor.example") for n in range(123)]
    directory.page = 10
    assert (await synced.run())["created"] == 123
    starts = [call for call in directory.calls if "/Users?" in call]
    assert len(starts) == 13
    assert starts[1].endswith("startIndex=11&count=200")


async def test_a_server_without_pages(synced: Synced, directory: Directory) -> None:
    """It shows everything at once, whatever is asked for."""
    found = [person(f"u{n}", f"u{n}@harbor.example") for n in range(30)]
    directory.instead = users(*found)
    assert (await synced.run())["created"] == 30


# -- credentials -------------------------------------------------------------------------------


async def test_a_name_and_a_password(synced: Synced, directory: Directory) -> None:
    await synced.house.put(SECRET, {"username": "scim", "password": "pass:word"})
    directory.token = "Basic c2NpbTpwYXNzOndvcmQ="
    assert (await synced.run())["status"] == "completed"


CREDENTIALS: tuple[Any, ...] = (
    {}, {"token": ""}, {"token": 7}, {"token": "a\r\nx-evil: 1"}, {"token": "a b"},
    {"username": "a:b", "password": "x"}, {"username": "a"},
)  # fmt: skip


@pytest.mark.parametrize("data", CREDENTIALS, ids=json.dumps)
async def test_secrets_that_are_no_credentials(synced: Synced, data: Any) -> None:
    await synced.house.put(SECRET, data)
    done = await synced.run()
    assert (done["status"], done["error"]["code"]) == ("failed", "credentials")
    assert synced.directory.calls == []


async def test_a_secret_that_is_not_there(synced: Synced) -> None:
    await synced.house.delete(SECRET)
    done = await synced.run()
    assert done["error"]["code"] == "credentials"


async def test_the_credentials_are_told_nowhere(synced: Synced, directory: Directory) -> None:
    directory.token = "another"
    await synced.run()
    everything = json.dumps([await synced.house.rows(), await synced.history()])
    assert directory.seen[0]["authorization"].removeprefix("Bearer ") not in everything


# -- shapes of servers -------------------------------------------------------------------------

SHAPES = json.loads((Path(__file__).parent / "shapes.json").read_text())


@pytest.mark.parametrize("server", SHAPES)
async def test_what_servers_really_send(synced: Synced, directory: Directory, server: str) -> None:
    found = SHAPES[server]
    directory.users, directory.groups = found["users"], found["groups"]
    done = await synced.run()
    assert done["status"] == "completed", done
    known = await synced.users()
    assert {name: [one["display_name"], one["status"]] for name, one in known.items()} == (
        found["expected"]["users"]
    )
    members = {name: sorted(await synced.members(name)) for name in await synced.groups()}
    assert members == found["expected"]["groups"]


async def test_who_belongs_to_which_tenant(synced: Synced, directory: Directory) -> None:
    """A resource can name its tenant; of an unknown one nothing is taken over."""
    extension = "urn:scaikey:params:scim:schemas:extension:tenant:2.0:User"
    directory.users = [
        person("u1", MIRA, tenant_id=synced.tenant),
        person("u2", "b@harbor.example", **{extension: {"tenant_id": synced.tenant}}),
        person("u3", "c@harbor.example", tenant_id="tnt_unknown"),
    ]
    done = await synced.run()
    assert (done["status"], done["created"]) == ("completed", 2)
    directory.users = [person("u3", "c@harbor.example", tenant_id="tnt_unknown")]
    assert (await synced.run())["error"]["code"] == "no_tenant"
