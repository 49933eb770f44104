"""A vault with 300 rows in its chain, written by the ledger itself, and ways into its file."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec import structs

from scaivault.audit import chain
from scaivault.audit.checkpoints import stored_keys
from scaivault.clock import SECOND, FakeClock
from scaivault.crypto.memory import Guarded
from scaivault.gate.caller import background
from scaivault.gate.ledger import LedgerUnit, record
from scaivault.seal.file import Slot, load
from scaivault.seal.slots import kinds
from scaivault.seal.slots.contract import Credential, Host, Wanted
from scaivault.seal.slots.wrapping import unwrap_root, wrap_root
from scaivault.storage.file import Connection, open_file
from scaivault.storage.folder import Folder
from scaivault.system.opening import Leave, Opened, make_vault, open_vault, unwrap_file_key
from scaivault.wire.audit import ChainReport

VAULT = "vlt_" + "5q2m" * 5
SLOT = "slot_" + "0" * 14 + "a1b2c3"
WORDS = "correct horse battery"
ROWS = 300
SIGNED = (100, 200, 290)
_KINDS = kinds(Host(argon2_ops=1, argon2_mem_kib=65536))


@dataclass(frozen=True)
class Made:
    """A data directory and the key of its database."""

    folder: Folder
    key: Guarded

    def connect(self) -> Connection:
        return open_file(self.folder.database, self.key, cache_mib=4)

    def copied(self, path: Path) -> Made:
        shutil.copytree(self.folder.path, path)
        return Made(Folder(path), self.key)


def open_again(folder: Folder, clock: FakeClock) -> Opened:
    """As unsealing does it."""
    file = load(folder.seal.read_bytes())
    kind, slot = _KINDS["passphrase"], file.slots[0]
    with asyncio.run(kind.secret(slot, Credential(passphrase=WORDS), VAULT)) as secret:
        root = unwrap_root(secret, slot, VAULT, 1)
    return open_vault(folder, file, root, clock, Leave())


def _make(folder: Folder, clock: FakeClock) -> Guarded:
    """vault.seal and vault.db; the file key."""
    created = asyncio.run(_KINDS["passphrase"].create(SLOT, VAULT, Wanted(passphrase=WORDS)))
    bare = Slot(
        id=SLOT,
        type="passphrase",
        label="people",
        created_at="2031-02-03T04:05:06.000007Z",
        params=created.params,
        wrapped_root="-",
    )
    with Guarded.random() as root, created.secret as secret:
        slot = structs.replace(bare, wrapped_root=wrap_root(secret, root, bare, VAULT, 1))
        with folder.initializing():
            file = make_vault(folder, VAULT, [slot], root, clock)
        return unwrap_file_key(file, root, file.file_key)


def append(opened: Opened, connection: Connection, clock: FakeClock, rows: int) -> None:
    """Rows of one request each, in one group."""
    units = []
    for _ in range(rows):
        clock.advance(SECOND)
        caller = background("test", "req_" + "0" * 26, clock.now(), clock.monotonic())
        entry = record(caller, "read", "shop/prod/mailer", clock.now())
        entry.extra_data.update(version=4, note='Zoë "q"')
        units.append(LedgerUnit(clock.monotonic(), [entry]))
    connection.execute("BEGIN IMMEDIATE")
    opened.ledger.close_group(connection, units)
    connection.execute("COMMIT")


def sign(opened: Opened, connection: Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    opened.ledger.sign(connection)
    connection.execute("COMMIT")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """300 rows with checkpoints at 100, 200 and 290; nobody changes it."""
    path = tmp_path_factory.mktemp("vault") / "data"
    path.mkdir(mode=0o700)
    folder, clock = Folder(path), FakeClock()
    key = _make(folder, clock)
    opened = open_again(folder, clock)
    made = Made(folder, key)
    with closing(made.connect()) as connection:
        done = 0
        for until in (*SIGNED, ROWS):
            append(opened, connection, clock, until - done)
            done = until
            if until in SIGNED:
                sign(opened, connection)
    opened.wipe()
    return made


@pytest.fixture
def made(template: Made, tmp_path: Path) -> Made:
    """A copy of the vault, to tamper with."""
    return template.copied(tmp_path / "data")


@pytest.fixture
def file(made: Made) -> Iterator[Connection]:
    """The copy's database, open with its key."""
    with closing(made.connect()) as connection:
        yield connection


def verified(connection: Connection, request: chain.Request | None = None) -> ChainReport:
    keys = stored_keys(connection)
    return chain.verify(connection, VAULT, keys, request or chain.Request())


def found(report: ChainReport) -> list[tuple[str, int | None]]:
    """Kind and place of every problem."""
    return [(problem.kind, problem.seq) for problem in report.problems]
