"""Numbers that stand in the file, for monitoring: asked from a reader, and kept for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from scaivault.clock import DAY, SECOND, Clock
from scaivault.errors import Refusal
from scaivault.identity.model import TOKEN_KINDS
from scaivault.storage.failures import StorageFailed
from scaivault.storage.file import Connection

if TYPE_CHECKING:
    from scaivault.system.room import System

KEPT: Final = 15  # seconds
WITHIN: Final = (7, 30, 90)  # days
# Counting a million secrets takes a reader a second: at most this part of its time goes there.
_SHARE: Final = 20

_SECRETS: Final = """
SELECT owner_id, count(*),
    sum(expires_at > :now AND expires_at <= :now + :first),
    sum(expires_at > :now AND expires_at <= :now + :second),
    sum(expires_at > :now AND expires_at <= :now + :third)
FROM secret WHERE deleted_at IS NULL GROUP BY owner_id
"""
_TOKENS: Final = """
SELECT kind, count(*) FROM token WHERE revoked_at IS NULL AND expires_at > :now GROUP BY kind
"""
_SLOTS: Final = (
    "SELECT id, max(ifnull(last_used_at, 0), ifnull(last_verified_at, 0)) FROM slot_state"
)


class Stock(NamedTuple):
    """Secrets by tenant (or partner); secrets that expire, by days; live tokens by kind; events
    that wait; versions set aside; slot id -> when it last opened something."""

    secrets: dict[str, int]
    expiring: dict[int, int]
    tokens: dict[str, int]
    outbox: int
    quarantined: int
    slots: dict[str, int]


def take(db: Connection, now: int) -> Stock:
    """Count, on one snapshot."""
    first, second, third = (days * DAY for days in WITHIN)
    rows = db.execute(
        _SECRETS, {"now": now, "first": first, "second": second, "third": third}
    ).fetchall()
    sums = [sum(row[2 + n] or 0 for row in rows) for n in range(len(WITHIN))]
    return Stock(
        secrets={row[0]: row[1] for row in rows},
        expiring=dict(zip(WITHIN, sums, strict=True)),
        tokens=dict.fromkeys(TOKEN_KINDS, 0) | dict(db.execute(_TOKENS, {"now": now}).fetchall()),
        outbox=_number(db, "SELECT count(*) FROM outbox"),
        quarantined=_number(
            db, "SELECT count(*) FROM secret_version WHERE quarantined_at IS NOT NULL"
        ),
        slots=dict(db.execute(_SLOTS).fetchall()),
    )


def _number(db: Connection, question: str) -> int:
    row: Any = db.execute(question).fetchone()
    return int(row[0])


class Counting:
    """The stock of the open vault; None while there is none, or while it does not answer."""

    def __init__(self, system: System, clock: Clock) -> None:
        self._system: Final = system
        self._clock: Final = clock
        self.last: Stock | None = None
        self._of: object = None
        self._next = 0

    async def stock(self) -> Stock | None:
        """At most ``KEPT`` seconds old, older only where counting takes long."""
        vault = self._system.vault
        start = self._clock.monotonic()
        if vault is not self._of:
            self.last, self._of, self._next = None, vault, start
        if vault is None or start < self._next:
            return self.last
        self._next = start + KEPT * SECOND * 1000
        try:
            now = self._clock.now()
            stock = await vault.gate.ask(lambda db: take(db, now))
        except (StorageFailed, Refusal):
            return self.last
        if vault is self._of:
            self.last = stock
        done = self._clock.monotonic()
        self._next = max(self._next, done + _SHARE * (done - start))
        return self.last
