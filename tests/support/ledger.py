"""A ledger of many rows of all kinds, and what a query over it has to answer, said plainly."""

from __future__ import annotations

import random  # noqa: TID251 - the same rows in each run, nothing secret
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any, Final
from weakref import WeakKeyDictionary

import msgspec

from scaivault.audit import index
from scaivault.clock import DAY, SECOND, instant
from scaivault.gate.caller import background
from scaivault.gate.ledger import LedgerUnit, Record, record
from scaivault.ids import timed_id
from scaivault.storage.file import Connection
from tests.support.house import Answer, House

Row = dict[str, Any]
_CALLS: Final = count(1)

# Rows that were read once: an example would else decode thousands of them again.
_READ: Final[WeakKeyDictionary[House, list[Row]]] = WeakKeyDictionary()

PATHS: Final = (
    None, "app/db", "app/db-2", "app", "app/", "app/db/replica", "shop/prod/mailer", "shop", "z",
)  # fmt: skip
IDENTITIES: Final = (
    ("user", "user:mira@harbor.example"), ("service_account", "sa:ledger-sync"),
    ("service_account", "sa:ci"), ("system", "system:audit"), (None, None),
)  # fmt: skip
ACTIONS: Final = ("read", "read", "read", "write", "list", "rotate", "delete", "auth_failed")
CODES: Final = ("access_denied", "secret_not_found", "ip_not_allowed")
ADDRESSES: Final = ("192.0.2.14", "2001:db8::7", None)


def entry(house: House, chance: random.Random, tenants: list[str], at: int) -> Record:
    """A row that somebody could have left, at an instant."""
    clock = house.clock
    caller = background("test", timed_id("req_", at), clock.now(), clock.monotonic())
    made = record(caller, chance.choice(ACTIONS), chance.choice(PATHS), at)
    made.identity_type, made.identity_id = chance.choice(IDENTITIES)
    made.source_ip = chance.choice(ADDRESSES)
    made.tenant_id = chance.choice([*tenants, None])
    made.actor_tenant_id = chance.choice([made.tenant_id, made.tenant_id, *tenants, None])
    made.partner_id = house.made["partner_id"] if made.tenant_id or chance.random() < 0.5 else None
    if chance.random() < 0.2:
        made.success = False
        made.extra_data["error_code"] = chance.choice(CODES)
    return made


async def fill(house: House, tenants: list[str], count: int, seed: int = 1) -> None:
    """``count`` rows, about one an hour up to now; a few are late or early."""
    chance = random.Random(seed)
    start, now = house.clock.now() - count * (60 * DAY // count), house.clock.now()
    units = []
    for number in range(count):
        late = chance.choice([0, 0, 0, 0, -3 * DAY, DAY])
        at = start + number * (60 * DAY // count) + late
        made = entry(house, chance, tenants, min(at, now))
        units.append(LedgerUnit(house.clock.monotonic(), [made]))
    futures = [house.vault.database.submit(unit) for unit in units]
    for future in futures:
        await future


async def prune(house: House, seqs: list[int]) -> None:
    """What pruning leaves of rows, and of the index over them."""

    def put(db: Connection) -> None:
        db.execute("BEGIN IMMEDIATE")
        held = "SELECT CAST(record AS BLOB) FROM ledger WHERE seq = ?"
        bodies = [db.execute(held, (seq,)).fetchone()[0] for seq in seqs]
        index.without(db, bodies).put(db)
        for seq in seqs:
            left = {"digest": "00" * 32, "prune_seq": 1, "seq": seq}
            text = msgspec.json.encode(left, order="deterministic").decode()
            db.execute("UPDATE ledger SET record = ? WHERE seq = ?", (text, seq))
        db.execute("COMMIT")

    await house.vault.database.alone(put)
    _READ.pop(house, None)


async def narrowed(house: House, target: str, *globs: str) -> Answer:
    """A call of the root token, as if it were narrowed to paths."""
    authentication = house.vault.authentication
    known = authentication._known
    await house.get("/v1/auth/whoami")
    kept = dict(known)
    for name, each in kept.items():
        principal = replace(each.principal, allowed_paths=(globs,))
        known[name] = each._replace(principal=principal)
    # A kept connection remembers its caller until something changes: now, and afterwards.
    changes = authentication.changes
    authentication.changes = -next(_CALLS)
    answer = await house.get(target)
    authentication.changes = changes
    known.update(kept)
    return answer


async def indexed(house: House) -> int:
    """Index all that is full; how many segments that took."""
    done = 0
    while await house.vault.audit_index.advance():
        done += 1
    return done


async def everything(house: House) -> list[Row]:
    """All rows that are not pruned, in order."""
    known = _READ.setdefault(house, [])
    behind = known[-1]["seq"] if known else 0
    found = await house.vault.gate.ask(
        lambda db: db.execute(
            "SELECT record FROM ledger WHERE seq > ? ORDER BY seq", (behind,)
        ).fetchall()
    )
    known += [row for (text,) in found if "id" in (row := msgspec.json.decode(text))]
    return known


def seen(tenant: str) -> Callable[[Row], bool]:
    """The rows that a tenant sees."""
    return lambda row: (row["tenant_id"] or row["actor_tenant_id"]) == tenant


def asked(**filters: Any) -> Callable[[Row], bool]:
    """The filters of /v1/audit/logs, each said on its own."""
    tests: dict[str, Callable[[Row], bool]] = {
        "from": lambda row: row["timestamp"] >= filters["from"],
        "to": lambda row: row["timestamp"] < filters["to"],
        "action": lambda row: row["action"] in filters["action"].split(","),
        "identity_id": lambda row: (row["identity_id"] or "none") == filters["identity_id"],
        "identity_type": lambda row: row["identity_type"] == filters["identity_type"],
        "path_prefix": lambda row: (
            not filters["path_prefix"]
            or (row["secret_path"] or "").startswith(filters["path_prefix"])
        ),
        "success": lambda row: row["success"] == (filters["success"] == "true"),
        "source_ip": lambda row: row["source_ip"] == filters["source_ip"],
        "request_id": lambda row: row["request_id"] == filters["request_id"],
    }
    return lambda row: all(test(row) for name, test in tests.items() if name in filters)


def sums(rows: list[Row]) -> dict[str, Any]:
    """What /v1/audit/summary says of rows."""
    failed = sum(not row["success"] for row in rows)
    people = Counter(row["identity_id"] for row in rows if row["identity_id"])
    paths = Counter(
        row["secret_path"]
        for row in rows
        if row["secret_path"] and not row["secret_path"].endswith("/")
    )
    return {
        "total_events": len(rows),
        "successful_events": len(rows) - failed,
        "failed_events": failed,
        "unique_identities": len(people),
        "unique_secrets": len(paths),
        "by_action": dict(Counter(row["action"] for row in rows)),
        "by_identity_type": dict(
            Counter(row["identity_type"] for row in rows if row["identity_type"])
        ),
        "by_error_code": dict(
            Counter(row["extra_data"]["error_code"] for row in rows if not row["success"])
        ),
        "top_identities": [{"identity_id": n, "events": c} for n, c in _top(people)],
        "top_secrets": [{"path": name, "events": count} for name, count in _top(paths)],
    }


def _top(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:10]


def of_secret(rows: list[Row]) -> dict[str, Any]:
    """What a trail's summary says of rows of one path."""
    done = Counter(row["action"] for row in rows if row["success"])
    reads = [row for row in rows if row["success"] and row["action"] == "read"]
    denied = ("access_denied", "ip_not_allowed")
    return {
        "period_days": 30,
        "total_events": len(rows),
        "reads": done["read"],
        "writes": done["write"],
        "rotations": done["rotate"],
        "deletes": done["delete"],
        "denied": sum(row["extra_data"].get("error_code") in denied for row in rows),
        "unique_identities": len({row["identity_id"] for row in rows if row["identity_id"]}),
        "last_accessed_at": reads[-1]["timestamp"] if reads else None,
        "last_accessed_by": reads[-1]["identity_id"] if reads else None,
    }


def of_identity(rows: list[Row]) -> dict[str, Any]:
    """What a trail's summary says of rows of one identity, but for the range."""
    failed = sum(not row["success"] for row in rows)
    return {
        "total_events": len(rows),
        "successful_events": len(rows) - failed,
        "failed_events": failed,
        "first_seen": rows[0]["timestamp"] if rows else None,
        "last_seen": rows[-1]["timestamp"] if rows else None,
        "actions": dict(Counter(row["action"] for row in rows)),
        "source_ips": sorted({row["source_ip"] for row in rows if row["source_ip"]}),
        "resources_accessed": sorted(
            {
                row["secret_path"]
                for row in rows
                if row["success"] and row["action"] == "read" and row["secret_path"]
            }
        ),
        "truncated": False,
    }


def days_ago(house: House, days: float) -> str:
    return instant(house.clock.now() - int(days * 86_400) * SECOND)
