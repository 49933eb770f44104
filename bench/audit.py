"""An audit log of ten million rows beside one of a hundredth of them: nothing may feel its length.

``bench.filling`` makes both logs; rows lie equally far apart in both, ten million make 90 days. Two
vaults take turns at each question, over HTTP, one caller at a time; reads and writes of secrets
with 16. Then the chain is verified: its newest part in turns, and all of the long one once.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

import httpx

from bench import load
from bench.filling import ADDRESSES, BUSY, PROGRAMS, RARE, fill
from bench.process import BenchmarkError, Folder
from bench.row import Figure, Goal, Row
from bench.script import main
from bench.settings import Settings
from bench.stage import stage
from bench.target import Target, call, path
from bench.turns import Ask, alternate, rates, times
from bench.vault import Vault, granted
from scaivault.clock import DAY, HOUR, SystemClock, instant

DAYS = 90  # that ten million rows take
STEP = DAYS * DAY // 10_000_000  # microseconds between two rows
CONNECTIONS = 16
CALL = 1_000_000  # rows that one call verifies at most
PART = 100_000
MIB = 1 << 20

WORK: dict[str, Ask] = {
    "reads of secrets": lambda target, n: target.read(n),
    "writes of secrets": lambda target, n: target.write(n),
}


class Logged(Vault):
    """A vault with a long audit log; ``home``: where it is kept."""

    def __init__(self, folder: Path, home: Path, rows: int) -> None:
        self.rows = rows
        self._home = home
        super().__init__(folder, home / "data")

    def initialise(self) -> None:
        """Fill the log, if the vault is not there yet; open it."""
        noted = self._home / "credential.json"
        if not noted.exists():
            self.stop()
            noted.write_text(json.dumps(fill(self.data, self.rows, STEP)))
            self.start()
        with self.client() as client:
            self.unseal(client)
            self._token = granted(client, json.loads(noted.read_text()))

    def asking(self) -> httpx.Client:
        """A client with a token."""
        client = self.client()
        client.headers.update(self.headers)
        return client

    def ask(self, what: str, **query: object) -> bytes:
        """The request for something below ``/v1/audit``."""
        asked = f"?{urlencode(query)}" if query else ""
        return self.render("GET", f"/v1/audit/{what}{asked}", self.headers)


Question = Callable[[Logged], bytes]


def _ago(duration: int) -> str:
    return instant(SystemClock().now() - duration)


def _deep(vault: Logged) -> bytes:
    """A page behind a cursor, from the middle of the log."""
    with vault.asking() as client:
        middle = _ago(vault.rows * STEP // 2)
        page = call(client, "GET", f"/v1/audit/logs?to={middle}")
    return vault.ask("logs", cursor=page["cursor"])


def _request_id(vault: Logged) -> bytes:
    """All rows of one request, far back."""
    with vault.asking() as client:
        early = _ago(vault.rows * STEP * 9 // 10)
        page = call(client, "GET", f"/v1/audit/logs?to={early}&limit=1")
    (row,) = page["logs"]  # type: ignore[misc]
    return vault.ask("logs", request_id=row["request_id"])


def _hour(vault: Logged) -> bytes:
    middle = vault.rows * STEP // 2
    return vault.ask("logs", **{"from": _ago(middle), "to": _ago(middle - HOUR)})


PAGES: dict[str, Question] = {
    "newest page": lambda vault: vault.ask("logs"),
    "by identity": lambda vault: vault.ask("logs", identity_id=PROGRAMS[3]),
    # As many as the short log has, too.
    "by path": lambda vault: vault.ask("logs", path_prefix=path(107), limit=10),
    "by folder": lambda vault: vault.ask("logs", path_prefix="bench/app-7/"),
    "by a wide folder": lambda vault: vault.ask("logs", path_prefix="bench/"),
    "by a rare action": lambda vault: vault.ask("logs", action=RARE, limit=1),
    "by address, refused": lambda vault: vault.ask(
        "logs", source_ip=ADDRESSES[3], success="false", limit=10
    ),
    "by request": _request_id,
    "an hour far back": _hour,
    "deep cursor": _deep,
}
SUMS: dict[str, Question] = {
    "sums of 12 hours": lambda vault: vault.ask("summary", **{"from": _ago(DAY // 2)}),
    "sums of 30 days": lambda vault: vault.ask("summary"),
    "trail of a secret": lambda vault: vault.ask(f"secrets/{path(107)}"),
    "trail of a busy one": lambda vault: vault.ask(f"secrets/{BUSY}"),
    "trail of an identity": lambda vault: vault.ask(
        f"identities/{PROGRAMS[3]}", **{"from": _ago(30 * DAY)}
    ),
}

# Milliseconds: sums cost by the rows that they are over, and 30 days are 3,300,000 of them.
LONGEST = {
    "sums of 30 days": 2000,
    "trail of a secret": 500,
    "trail of a busy one": 500,
    "trail of an identity": 1000,
}


def run(settings: Settings) -> Row:
    """The long log first: it takes a quarter of an hour to make."""
    many = settings.audit_rows
    few = max(many // 100, 10_000)
    row = Row(f"audit log of {many:,} rows")
    starters = [partial(_logged, rows=rows, kept=settings.filled) for rows in (many, few)]
    with stage(starters, settings.folder, row.notes) as targets:
        vaults = [each for each in targets if isinstance(each, Logged)]
        for name, question in PAGES.items():
            plans = [(each, [question(each)]) for each in vaults]
            for vault, turns in zip(vaults, alternate(plans, 1, settings), strict=True):
                row.figures.append(times(_case(name, vault.rows), vault.name, turns))
        for name, question in SUMS.items():
            _sum(row, name, [(each, question(each)) for each in vaults], settings.turns)
        _work(row, vaults, settings)
        _verify(row, vaults, settings)
    row.goals = [*_pages(row, many, few), *_sums(row, many), *_rates(row, many, few)]
    return row


def _case(name: str, rows: int) -> str:
    return f"{name}, {rows:,}"


def _sum(row: Row, name: str, asked: Sequence[tuple[Logged, bytes]], turns: int) -> None:
    """A few at a time: one may take longer than a whole turn of the load generator."""
    taken: dict[int, list[load.Load]] = {vault.rows: [] for vault, _ in asked}
    for turn in range(turns + 1):
        for vault, question in asked:
            answered = load.send(vault.url, [question] * 3, 1)
            if turn:  # the first does not count
                taken[vault.rows].append(answered)
    for rows, found in taken.items():
        row.figures.append(times(_case(name, rows), Vault.name, found))


def _work(row: Row, vaults: Sequence[Logged], settings: Settings) -> None:
    for vault in vaults:
        load.fill(vault, range(settings.paths))
    for name, ask in WORK.items():
        plans = [(each, [ask(each, n) for n in range(settings.paths)]) for each in vaults]
        for vault, turns in zip(vaults, alternate(plans, CONNECTIONS, settings), strict=True):
            row.figures.append(rates(_case(name, vault.rows), vault.name, turns))


def _verify(row: Row, vaults: Sequence[Logged], settings: Settings) -> None:
    newest: dict[int, list[float]] = {vault.rows: [] for vault in vaults}
    for _ in range(settings.turns):
        for vault in vaults:
            first = max(1, vault.rows - PART + 1)
            newest[vault.rows] += list(_verified(vault, first, vault.rows))
    with _weighed(vaults[0]) as memory:
        whole = list(_verified(vaults[0], 1, vaults[0].rows))
    for rows, taken in newest.items():
        row.figures.append(_figure(_case("verify the newest", rows), "rows/s", taken))
    many = vaults[0].rows
    row.figures.append(_figure(_case("verify all", many), "rows/s", whole))
    row.figures.append(_figure(_case("memory meanwhile", many), "MiB", memory))


@contextmanager
def _weighed(vault: Logged) -> Iterator[list[float]]:
    """MiB that are resident, every second from before on until the block is left."""
    found, over = [vault.resident() / MIB], threading.Event()

    def weigh() -> None:
        while not over.wait(1):
            found.append(vault.resident() / MIB)

    weighing = threading.Thread(target=weigh)
    weighing.start()
    try:
        yield found
    finally:
        over.set()
        weighing.join()


def _figure(name: str, unit: str, turns: Sequence[float]) -> Figure:
    return Figure(name, Vault.name, unit, tuple(round(each, 1) for each in turns))


def _verified(vault: Logged, first: int, last: int) -> Iterator[float]:
    """Rows a second of each call until row ``last`` is reached."""
    with vault.asking() as client:
        while first <= last:
            began = time.perf_counter()
            query = urlencode({"from_seq": first, "to_seq": min(last, first + CALL - 1)})
            report = call(client, "GET", f"/v1/audit/verify?{query}")
            checked = int(str(report["rows_checked"]))
            if not (report["valid"] and checked):
                raise BenchmarkError(f"the chain of {vault.rows} rows: {report}")
            yield checked / (time.perf_counter() - began)
            first += checked


def _pages(row: Row, many: int, few: int) -> Iterator[Goal]:
    for name in (*PAGES, "sums of 12 hours"):
        ratio = _ratio(row, name, many, few)
        yield Goal(f"{name}, {many:,} over {few:,}", ratio, "at most", 2)


def _sums(row: Row, many: int) -> Iterator[Goal]:
    for name, most in LONGEST.items():
        found = row.find(_case(name, many), Vault.name)
        yield Goal(f"{name}, milliseconds", found and found.median, "at most", most)


def _rates(row: Row, many: int, few: int) -> Iterator[Goal]:
    for name in (*WORK, "verify the newest"):
        ratio = _ratio(row, name, many, few)
        yield Goal(f"{name}, {many:,} over {few:,}", ratio, "at least", 0.8)
    memory = row.find(_case("memory meanwhile", many), Vault.name)
    added = max(memory.turns) - memory.turns[0] if memory else None
    yield Goal("MiB more memory while all is verified", added, "at most", 16)


def _ratio(row: Row, name: str, many: int, few: int) -> float | None:
    over, under = (row.find(_case(name, rows), Vault.name) for rows in (many, few))
    return over.median / under.median if over and under else None


@contextmanager
def _logged(parent: Path | None, rows: int, kept: Path | None) -> Iterator[Target]:
    """A vault with so many rows; gone afterwards, but where it is kept."""
    with Folder(parent, "audit") as folder:
        home = folder.path if kept is None else kept / str(rows)
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        server = Logged(folder.path, home, rows)
        try:
            server.initialise()
            yield server
        finally:
            server.process.stop()


if __name__ == "__main__":
    main(__doc__, run)
