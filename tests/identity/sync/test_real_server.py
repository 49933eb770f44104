"""Users and groups of a real SCIM server, which runs as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scaivault.identity.sync import scim
from tests.identity.sync.directory import TOKEN, Directory
from tests.identity.sync.synced import Synced
from tests.support.process import free_port, request, until

TOP = "/Users?count=1"


class Real(Directory):
    """What is asked of a server that is somewhere else."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def call(self, method: str, path: str, body: Any = None) -> Any:
        answer = request(self.port, method, path, body, token=TOKEN)
        assert answer.status < 300, answer.body
        return answer.json if answer.body else None

    def user(self, name: str, **more: Any) -> str:
        body = {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "userName": name,
            "displayName": name.title(),
            "emails": [{"value": f"{name}@harbor.example", "primary": True}],
            "active": True,
        }
        found: str = self.call("POST", "/Users", body | more)["id"]
        return found

    def group(self, name: str, *members: tuple[str, str]) -> str:
        body = {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
            "displayName": name,
            "members": [
                {"value": one, "type": kind, "$ref": f"{self.url}/{kind}s/{one}"}
                for one, kind in members
            ],
        }
        found: str = self.call("POST", "/Groups", body)["id"]
        return found


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Real]:
    port = free_port()
    program = Path(sys.executable).with_name("scim2-server")
    with (tmp_path / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [program, "--port", str(port), "--bearer-token", TOKEN], stdout=log, stderr=log
        )

    def answers() -> bool:
        try:
            return request(port, "GET", TOP, token=TOKEN).status == 200
        except OSError:
            return False

    try:
        until(answers, "the server answers")
        yield Real(port)
    finally:
        process.terminate()
        process.wait()


async def test_a_real_server(server: Real, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scim, "_PAGE", 50)
    synced = await Synced.opened(tmp_path / "vault", server)
    names = [f"user{number:03}" for number in range(120)]
    ids = {name: server.user(name) for name in names}
    inner = server.group("night shift", (ids["user000"], "User"))
    outer = server.group("operations", (inner, "Group"), (ids["user001"], "User"))
    done = await synced.run()
    assert (done["status"], done["created"], done["error"]) == ("completed", 122, None)
    addresses = [f"user{number:03}@harbor.example" for number in range(120)]
    assert sorted(await synced.users()) == addresses
    assert await synced.members("operations") == {
        addresses[0]: "INHERITED", addresses[1]: "DIRECT",
    }  # fmt: skip
    server.call("DELETE", f"/Users/{ids['user002']}")
    server.call("DELETE", f"/Groups/{outer}")
    suspend = {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "path": "active", "value": False}],
    }
    server.call("PATCH", f"/Users/{ids['user003']}", suspend)
    assert (await synced.run())["suspended"] == 1
    assert (await synced.run())["suspended"] == 1
    found = await synced.users()
    ended = {name for name, one in found.items() if one["status"] == "SUSPENDED"}
    assert ended == {addresses[2], addresses[3]}
    assert await synced.members("operations") == {}
    assert await synced.members("night-shift") == {addresses[0]: "DIRECT"}
    await synced.house.close()


async def test_a_real_server_that_knows_another_token(server: Real, tmp_path: Path) -> None:
    synced = await Synced.opened(tmp_path / "vault", server)
    await synced.house.put("ops/scim", {"token": "another"})
    assert (await synced.run())["error"]["code"] == "permission_denied"
    await synced.house.close()
