"""Announcements, written in the transaction of the change and delivered later by the worker."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from scaivault.clock import DAY, instant
from scaivault.ids import digits, timed_id
from scaivault.storage.file import Connection

KEPT_FOR: Final = 7 * DAY
_PREFIX: Final = "evt_"


def _successor(event_id: str) -> str:
    """The next id in text order."""
    number = int(event_id[len(_PREFIX) :], 32) + 1
    return _PREFIX + digits(number, len(event_id) - len(_PREFIX))


class Outbox:
    """Gives out event ids that always rise, so that text order is commit order."""

    def __init__(self, kinds: frozenset[str]) -> None:
        self._kinds: Final = kinds
        self._last = ""

    def load(self, connection: Connection) -> None:
        """Go on behind the newest stored event."""
        row = connection.execute("SELECT max(event_id) FROM outbox").fetchone()
        self._last = row[0] or ""

    def add(
        self,
        connection: Connection,
        now: int,
        kind: str,
        path: str | None,
        data: dict[str, Any],
        *,
        tenant_id: str | None,
        partner_id: str | None,
        identity_id: str | None,
        request_id: str,
    ) -> None:
        """One event of ``kind`` (one of the kinds given), in the open transaction."""
        if kind not in self._kinds:
            raise LookupError(f"{kind} is not announced anywhere")
        event_id = timed_id(_PREFIX, now)
        if event_id <= self._last:
            event_id = _successor(self._last)
        self._last = event_id
        envelope: dict[str, Any] = {
            "event_id": event_id,
            "event_type": kind,
            "timestamp": instant(now),
            "tenant_id": tenant_id,
            "partner_id": partner_id,
            "identity_id": identity_id,
        }
        if path is not None:
            envelope["path"] = path
        envelope |= {"data": data, "request_id": request_id}
        connection.execute(
            "INSERT INTO outbox (event_id, tenant_id, partner_id, event_type, path, created_at,"
            " payload) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                event_id,
                tenant_id,
                partner_id,
                kind,
                path,
                now,
                msgspec.json.encode(envelope).decode(),
            ),
        )


def any_old(connection: Connection, now: int) -> bool:
    """Whether the oldest event was kept for its week."""
    row = connection.execute("SELECT created_at FROM outbox ORDER BY event_id LIMIT 1").fetchone()
    return row is not None and row[0] <= now - KEPT_FOR


def forget(connection: Connection, now: int, most: int) -> int:
    """Drop the events among the ``most`` oldest that were kept for their week; how many."""
    # No index on created_at: ids rise with time, so the old ones are at the front.
    return connection.execute(
        "DELETE FROM outbox WHERE event_id IN (SELECT event_id FROM"
        " (SELECT event_id, created_at FROM outbox ORDER BY event_id LIMIT :most) AS oldest"
        " WHERE created_at <= :old)",
        {"old": now - KEPT_FOR, "most": most},
    ).rowcount
