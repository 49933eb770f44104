"""SIGKILL at any moment: what was answered is there, what was not is whole or not at all."""

from __future__ import annotations

import http.client
import json
import random  # noqa: TID251 - a seed makes a failing run repeatable; nothing here is secret
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.house import PASSPHRASE
from tests.support.keys import keys_of, opened
from tests.support.process import PATIENCE, Server, ask, until

WORKERS = 16


@dataclass
class Worker:
    """One client: writes its own path again and again, and reads what others wrote."""

    number: int
    port: int
    token: str
    acknowledged: int = 0  # the newest value that was answered
    sent: int = 0  # the newest value that was sent
    versions: int = 0
    answered: dict[str, int] = field(default_factory=dict)  # request id -> status
    wrong: list[str] = field(default_factory=list)

    @property
    def path(self) -> str:
        return f"kill/worker-{self.number}"

    def run(self, start: int) -> None:
        """Until the server is gone."""
        self.sent = max(start, self.sent)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            while True:
                self._write(connection)
                self._read(connection)
        except (OSError, http.client.HTTPException):
            return
        finally:
            connection.close()

    def _write(self, connection: http.client.HTTPConnection) -> None:
        self.sent += 1
        body = {"data": value(self.number, self.sent)}
        answer = ask(connection, "PUT", f"/v1/secrets/{self.path}", body, token=self.token)
        self.answered[answer.headers["x-request-id"]] = answer.status
        if answer.status in (200, 201):
            self.acknowledged = self.sent
            self.versions = answer.json["version"]
        else:
            self.wrong.append(f"write {answer.status} {answer.body!r}")

    def _read(self, connection: http.client.HTTPConnection) -> None:
        other = (self.number + self.sent) % WORKERS
        answer = ask(connection, "GET", f"/v1/secrets/kill/worker-{other}", token=self.token)
        self.answered[answer.headers["x-request-id"]] = answer.status
        if answer.status not in (200, 404):
            self.wrong.append(f"read {answer.status} {answer.body!r}")


def value(worker: int, number: int) -> dict[str, object]:
    """Long enough for several pages, and torn if any part is of another write."""
    return {"worker": worker, "number": number, "filling": [number] * 700}


def torn(data: dict[str, object], worker: int) -> bool:
    number = data["number"]
    assert isinstance(number, int)
    return data != value(worker, number)


def kill_amid(server: Server, workers: list[Worker], turn: int, pause: float) -> None:
    """Let all of them loose, and kill the server some time after it answered them."""
    start = sum(len(worker.answered) for worker in workers)
    threads = [
        threading.Thread(target=worker.run, args=(turn * 1_000_000,), daemon=True)
        for worker in workers
    ]
    for thread in threads:
        thread.start()
    until(
        lambda: sum(len(worker.answered) for worker in workers) > start + WORKERS,
        "the first answers",
    )
    threading.Event().wait(pause)  # any moment is as good: this is what is tried out
    server.kill()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()


def check(server: Server, workers: list[Worker]) -> None:
    """All that was told is true."""
    for worker in workers:
        assert not worker.wrong, worker.wrong[:3]
        if not worker.sent:
            continue
        answer = server.read(worker.path)
        if not worker.acknowledged and answer.status == 404:
            continue
        assert answer.status == 200, answer.body
        data = answer.json["data"]
        assert not torn(data, worker.number)
        assert worker.acknowledged <= data["number"] <= worker.sent
        assert answer.json["version"] - worker.versions in (0, 1)
        worker.acknowledged, worker.versions = data["number"], answer.json["version"]
    report = server.call("GET", "/v1/audit/verify").json
    assert report["valid"], report
    assert report["complete"]


def audited(server: Server) -> dict[str, bool]:
    """Request id -> success, of every row; read out of the file."""
    keys = keys_of(server.data, PASSPHRASE, server.folder / "copy")
    with opened(server.data, keys, server.folder / "copy") as rows:
        found = [json.loads(row) for (row,) in rows.execute("SELECT record FROM ledger")]
    return {row["request_id"]: row["success"] for row in found}


def killed_often(folder: Path, times: int, seed: int) -> None:
    chance = random.Random(seed)
    server = Server(folder, {"secrets.soft_delete_retention": "30d"})
    try:
        server.founded()
        workers = [Worker(number, server.port, server.token) for number in range(WORKERS)]
        for turn in range(times):
            kill_amid(server, workers, turn, chance.random() * 0.4)
            server.reopened()
            for worker in workers:
                worker.port = server.port
            check(server, workers)
        assert server.stop() == 0
        rows = audited(server)
        for worker in workers:
            missing = worker.answered.keys() - rows.keys()
            assert not missing, f"answered without a row: {sorted(missing)[:3]}"
            for request_id, status in worker.answered.items():
                assert rows[request_id] is (status < 400)
    finally:
        server.end()


def test_nothing_that_was_answered_is_lost(tmp_path: Path) -> None:
    killed_often(tmp_path / "house", 10, seed=1)


@pytest.mark.long
@pytest.mark.parametrize("seed", [2, 3])
def test_nothing_that_was_answered_is_ever_lost(tmp_path: Path, seed: int) -> None:
    killed_often(tmp_path / "house", 50, seed)


def test_a_stop_while_the_vault_is_made_leaves_none(tmp_path: Path) -> None:
    server = Server(tmp_path / "house")
    try:
        server.start()
        made = threading.Thread(target=_try_init, args=(server,), daemon=True)
        made.start()
        until((server.data / "unfinished.init").exists, "init begins")
        server.kill()
        made.join(PATIENCE)
        server.start()
        status = server.status()
        assert status["initialized"] is (server.data / "vault.seal").exists()
        if not status["initialized"]:
            assert server.init().status == 201
            assert server.put("a/b", {"x": 1}).status == 201
    finally:
        server.end()


def _try_init(server: Server) -> None:
    try:
        server.init()
    except (OSError, http.client.HTTPException):
        return
