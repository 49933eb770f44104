"""How long rows are kept: the verbs, and what holds at an instant."""

from __future__ import annotations

from typing import Final, NamedTuple

from scaivault.clock import DAY, SECOND, instant
from scaivault.errors import Refusal
from scaivault.gate.caller import Caller
from scaivault.gate.gate import Act, Gate
from scaivault.gate.transaction import Transaction
from scaivault.storage.file import Connection
from scaivault.wire import audit_jobs as wire
from scaivault.wire.values import duration_field, parse_duration

SHORTEST: Final = 30 * DAY
GRACE: Final = 7 * DAY
"""Between the shortening of a retention and its effect."""

_OWN: Final = (
    "SELECT retention, pending, pending_from FROM audit_retention WHERE tenant_id = :tenant"
)


class Kept(NamedTuple):
    """``retention``: what holds now; ``pending``: what holds from ``since`` on. Texts as sent."""

    retention: str
    pending: str | None
    since: int | None


def kept(db: Connection, tenant_id: str, now: int) -> Kept | None:
    """A tenant's own retention; None where the vault's holds."""
    row = db.execute(_OWN, {"tenant": tenant_id}).fetchone()
    return None if row is None else _at(Kept(*row), now)


def own(db: Connection, now: int) -> dict[str, int]:
    """Tenant -> microseconds that its rows are kept, of those with a retention of their own."""
    rows = db.execute("SELECT tenant_id, retention, pending, pending_from FROM audit_retention")
    return {
        tenant: parse_duration(_at(Kept(*row), now).retention) * SECOND for tenant, *row in rows
    }


def _at(stored: Kept, now: int) -> Kept:
    if stored.pending is not None and stored.since is not None and stored.since <= now:
        return Kept(stored.pending, None, None)
    return stored


def text(seconds: int) -> str:
    """A duration of the configuration, in days where it is whole ones."""
    days, rest = divmod(seconds, 86_400)
    return f"{seconds}s" if rest else f"{days}d"


class Retention:
    """One per open vault. ``default``: seconds that rows are kept unless their tenant says
    otherwise; ``archive``: whether they are shipped first."""

    def __init__(self, gate: Gate, default: int, *, archive: bool) -> None:
        self._gate: Final = gate
        self.default: Final = default
        self._archive: Final = archive

    async def get(self, caller: Caller, _request: wire.GetRetention) -> wire.Retention:
        """What holds for the tenant, and what will."""

        async def look() -> wire.Retention:
            return self._shown(await self._gate.ask(lambda db: kept(db, caller.tenant, caller.now)))

        return await self._gate.read(caller, Act("audit_read"), look)

    async def replace(self, caller: Caller, request: wire.SetRetention) -> wire.Retention:
        """Longer at once; shorter in a week, unless it is set again before."""
        wanted = request.body.retention
        length = duration_field("retention", wanted) * SECOND
        if length < SHORTEST:
            raise Refusal(
                "invalid_duration", "retention: rows are kept for at least 30d", field="retention"
            )

        def put(tx: Transaction) -> wire.Retention:
            now = kept(tx.connection, caller.tenant, tx.now)
            present = text(self.default) if now is None else now.retention
            if length >= parse_duration(present) * SECOND:
                new = Kept(wanted, None, None)
            else:
                new = Kept(present, wanted, tx.now + GRACE)
            _store(tx, caller.tenant, new)
            shown = self._shown(new)
            tx.note(
                retention=shown.retention,
                pending_retention=shown.pending_retention,
                pending_from=shown.pending_from,
            )
            return shown

        return await self._gate.change(caller, Act("audit_retention"), put)

    def _shown(self, found: Kept | None) -> wire.Retention:
        held = found or Kept(text(self.default), None, None)
        since = None if held.since is None else instant(held.since)
        return wire.Retention(held.retention, held.pending, since, self._archive)


def _store(tx: Transaction, tenant_id: str, new: Kept) -> None:
    tx.execute(
        "INSERT INTO audit_retention (tenant_id, retention, pending, pending_from)"
        " VALUES (:tenant, :retention, :pending, :since) ON CONFLICT (tenant_id) DO UPDATE SET"
        " retention = excluded.retention, pending = excluded.pending,"
        " pending_from = excluded.pending_from",
        {"tenant": tenant_id, **new._asdict()},
    )
