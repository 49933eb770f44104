"""The data folder shows nothing: after a workload full of marked words, none of them is in any
file, while the server runs, after it was killed and after it stopped."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path
from urllib.parse import urlencode

import pytest

from scaivault.clock import FakeClock
from scaivault.crypto.memory import Guarded
from scaivault.gate.ledger import Ledger
from scaivault.storage.database import Database
from tests.support.house import PASSPHRASE
from tests.support.keys import keys_of
from tests.support.process import Server

# Each where a caller can put it; in the folder nobody may find it again.
PATH = "qxcanarypath"
TAG = "qxcanarytag"
FIELD = "qxcanaryfield"
VALUE = "qxcanaryvalue"
DESCRIPTION = "qxcanarydescription"
OWNER = "qxcanaryowner"
ACCOUNT = "qxcanaryaccount"
AGENT = "qxcanaryagent"
REQUEST = "qxcanaryrequest"
ONCE = "qxcanaryonce"
TENANT = "qxcanarytenant"
PARTNER = "qxcanarypartner"
CANARIES = {
    PATH, TAG, FIELD, VALUE, DESCRIPTION, OWNER, ACCOUNT, AGENT, REQUEST, ONCE, TENANT, PARTNER,
}  # fmt: skip
HEADERS = {"User-Agent": AGENT, "X-Request-ID": REQUEST}


def work(server: Server) -> set[str]:
    """Put every canary somewhere; the secrets that the server made up meanwhile."""
    metadata = {"description": DESCRIPTION, "tags": [TAG], "owner": OWNER}
    for number in range(20):
        body = {"data": {FIELD: f"{VALUE}-{number}"}, "metadata": metadata}
        where = f"/v1/secrets/{PATH}/{number}"
        once = {**HEADERS, "Idempotency-Key": f"{ONCE}-{number}"}
        answer = server.call("PUT", where, body, headers=once)
        assert answer.status == 201, answer.body
        assert server.call("GET", where, headers=HEADERS).status == 200
    assert server.call("GET", f"/v1/secrets?prefix={PATH}/", headers=HEADERS).status == 200
    assert server.call("DELETE", f"/v1/secrets/{PATH}/1", headers=HEADERS).status == 200
    permanent = f"/v1/secrets/{PATH}/2?permanent=true"
    assert server.call("DELETE", permanent, headers=HEADERS).status == 200
    assert server.call("GET", f"/v1/secrets/{PATH}/none", headers=HEADERS).status == 404
    assert server.call("GET", "/v1/secrets/a", token=f"skt_{VALUE}", headers=HEADERS).status == 401
    return {server.token, *identities(server)}


def identities(server: Server) -> set[str]:
    """An account with a credential and an access token; the texts that only its owner has."""
    body = {"name": ACCOUNT, "scopes": ["secrets:read"]}
    made = server.call("POST", "/v1/identity/service-accounts", body, headers=HEADERS)
    assert made.status == 201, made.body
    account = made.json["id"]
    where = f"/v1/identity/service-accounts/{account}/credentials"
    credential = server.call("POST", where, {}, headers=HEADERS).json
    grant = {
        "grant_type": "client_credentials",
        "client_id": credential["client_id"],
        "client_secret": credential["client_secret"],
    }
    form = urlencode(grant)
    token = server.call("POST", "/oauth/token", form, token=None, headers=HEADERS).json
    assert "access_token" in token, token
    text = token["access_token"]
    assert server.call("GET", "/v1/secrets/a", token=text, headers=HEADERS).status in (403, 404)
    return {account, credential["client_id"], credential["client_secret"], text}


def files(folder: Path) -> dict[str, bytes]:
    """Every file below, by name."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def shown(folder: Path, words: set[str]) -> list[str]:
    """Where a word stands, also as UTF-16 or in capitals."""
    hits = []
    for name, content in files(folder).items():
        lower = content.lower()
        hits += [
            f"{word} in {name}"
            for word in words
            if word.lower().encode() in lower or word.encode("utf-16-le") in content
        ]
    return hits


def copied(server: Server, name: str) -> None:
    """An online copy into backups/, made by another process' own connection."""
    keys = keys_of(server.data, PASSPHRASE, server.folder / "copy")
    with Guarded().load(keys.file) as key:
        database = Database(
            server.data / "vault.db", key, Ledger("vlt_00000000000000000000", FakeClock())
        )
        (server.data / "backups").mkdir(mode=0o700, exist_ok=True)
        database.copy_to(server.data / "backups" / name)


@pytest.fixture
def worked(server: Server) -> tuple[Server, set[str]]:
    server.start()
    named = {"name": f"{PARTNER} Ltd", "slug": PARTNER}, {"name": TENANT, "slug": TENANT}
    assert server.init(partner=named[0], tenant=named[1]).status == 201
    return server, work(server)


def test_the_folder_shows_nothing(worked: tuple[Server, set[str]]) -> None:
    server, made = worked
    words = CANARIES | made | {PASSPHRASE, "sa:root", "CREATE TABLE", "SQLite format"}
    copied(server, "running.db")
    present = files(server.data)
    assert len(present["vault.db-wal"]) > 100_000
    assert len(present["backups/running.db"]) > 100_000
    assert "vault.db-shm" in present
    assert shown(server.data, words) == []
    server.kill()
    assert shown(server.data, words) == []
    server.reopened()
    assert server.read(f"{PATH}/3").json["data"] == {FIELD: f"{VALUE}-3"}
    assert server.stop() == 0
    assert shown(server.data, words) == []
    assert len(files(server.data)["vault.db"]) > 100_000


def test_logs_show_nothing_either(worked: tuple[Server, set[str]]) -> None:
    server, made = worked
    tokens = {word for word in made if word.startswith(("skt_", "sks_", "eyJ"))}
    assert len(tokens) == 3
    words = (CANARIES - {ACCOUNT}) | tokens | {PASSPHRASE}  # who called is no secret there
    server.stop()
    told = server.told
    assert told
    assert [word for word in words if word in told] == []


def test_sealed_audit_holds_callers_and_nothing_else(worked: tuple[Server, set[str]]) -> None:
    """It is not encrypted: what a caller of unseal may leave there is his address, his program's
    name and his own request id (11 section 1)."""
    server, made = worked
    server.stop()
    server.start()
    wrong = {"passphrase": f"{VALUE} {VALUE}"}
    answer = server.call("POST", "/v1/system/unseal", wrong, token=None, headers=HEADERS)
    assert answer.status == 401
    name = server.data / "sealed.audit"
    assert stat.S_IMODE(name.stat().st_mode) == 0o600
    assert shown(server.data, (CANARIES | made | {PASSPHRASE}) - {AGENT, REQUEST}) == []
    assert answer.headers["x-request-id"] in name.read_text()
    assert server.unseal().status == 200
    assert not name.exists()
    assert shown(server.data, CANARIES | {answer.headers["x-request-id"]}) == []


def test_every_file_is_its_owners_alone(worked: tuple[Server, set[str]]) -> None:
    server, _ = worked
    copied(server, "running.db")
    for state in ("running", "stopped"):
        for path in (server.data, *server.data.rglob("*")):
            mode = stat.S_IMODE(path.stat().st_mode)
            wanted = 0o700 if path.is_dir() else 0o600
            assert mode == wanted, f"{path} has mode {mode:03o} while {state}"
            assert path.stat().st_uid == os.geteuid()
        if state == "running":
            server.stop()


def test_the_file_is_no_open_database(worked: tuple[Server, set[str]]) -> None:
    server, _ = worked
    server.stop()
    plain = sqlite3.connect(server.data / "vault.db")
    try:
        with pytest.raises(sqlite3.DatabaseError, match="not a database"):
            plain.execute("SELECT * FROM sqlite_schema").fetchall()
    finally:
        plain.close()
