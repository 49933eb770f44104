"""Probes: does the process run, can it serve, what is the state of everything below it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from msgspec import Raw

from scaivault import __version__
from scaivault.clock import MINUTE, SECOND, instant, instant_or_none, parse_instant
from scaivault.gate.caller import Caller
from scaivault.gate.gate import Act
from scaivault.gate.ledger import read_record
from scaivault.storage.failures import StorageFailed
from scaivault.storage.file import Connection
from scaivault.storage.units import Unit
from scaivault.system.build import BUILD
from scaivault.wire import system as wire

if TYPE_CHECKING:  # the vault stands above this room
    from scaivault.system.room import System
    from scaivault.vault import Vault

_CLOCK_BEHIND: Final = 5 * MINUTE
_LAGGING: Final = 300  # seconds a job may be overdue
_CHECKS: Final = ("database", "redis", "encryption")
_PROBE_EVERY: Final = 1_000_000_000  # ns between two attempts to write while writing fails
_WORST: Final = {"ok": "healthy", "not_configured": "healthy", "warn": "degraded"}
_ORDER: Final = ("healthy", "degraded", "unhealthy")


class _Facts(NamedTuple):
    """What the file says: of the newest ledger row, of the newest key."""

    newest_row: str | None
    last_rotation: int | None


class _Probe(Unit):
    """Writes what is there already: whether the file takes it is the question."""

    __slots__ = ()

    def run(self, connection: Connection) -> None:
        connection.execute("UPDATE meta SET value = value WHERE name = 'seal_generation'")


class Health:
    """``document`` makes the description of the API, as JSON."""

    def __init__(self, system: System, document: Callable[[], bytes]) -> None:
        self._system: Final = system
        self._document: Final = document
        self._described: bytes | None = None
        self._started: Final = system.clock.monotonic()
        self._probed = self._started

    # -- for everybody ----------------------------------------------------------------------------

    async def alive(self, _caller: Caller, _request: Any) -> wire.Health:
        """The process runs; sealed too."""
        return wire.Health("healthy", instant(self._system.clock.now()))

    async def version(self, _caller: Caller, _request: Any) -> wire.Version:
        """What runs here."""
        return wire.Version(__version__, "v1", BUILD.commit, BUILD.built_at)

    async def openapi(self, _caller: Caller, _request: Any) -> Raw:
        """The API, described (OpenAPI 3.1)."""
        if self._described is None:
            self._described = self._document()
        return Raw(self._described)

    async def ready(self, _caller: Caller, _request: Any) -> wire.Readiness:
        """Whether requests can be served; 503 when not."""
        errors = self._closed()
        if not errors:
            errors = await self._failing()
        if self._system.draining:
            errors["server"] = "shutting down"
        checks = {name: "error" if name in errors else "ok" for name in _CHECKS}
        if errors:
            return wire.NotReady("not_ready", checks, errors)
        return wire.Readiness("ready", checks)

    def _closed(self) -> dict[str, str]:
        """Everything that a sealed vault cannot do."""
        vault = self._system.vault
        if vault is not None and not vault.closing:
            return {}
        why = "sealed" if self._system.initialized else "not_initialized"
        return {"database": why, "encryption": why}

    async def _failing(self) -> dict[str, str]:
        """Why the file cannot be written, if it cannot."""
        vault, _ = self._system.opened()
        if self._free() < self._system.settings.storage.min_free:
            return {"database": "less disk space is free than storage.min_free"}
        database = vault.gate.database
        now = self._system.clock.monotonic()
        if database.failing is not None and now - self._probed >= _PROBE_EVERY:
            # Nobody sends writes to an instance that is not ready, so it has to try by itself.
            self._probed = now
            try:
                await database.submit(_Probe())
            except StorageFailed as failed:
                return {"database": _unsynced(failed.reason)}
        if database.failing is not None:
            return {"database": _unsynced(database.failing)}
        return {}

    def _free(self) -> int:
        try:
            return shutil.disk_usage(self._system.folder.path).free
        except OSError:
            return 0

    # -- for administrators -----------------------------------------------------------------------

    async def detailed(self, caller: Caller, _request: Any) -> wire.Detailed:
        """The state of everything."""
        vault, _ = self._system.opened()

        async def look() -> wire.Detailed:
            return await self._look(vault)

        return await vault.gate.read(caller, Act("system_read"), look)

    async def _look(self, vault: Vault) -> wire.Detailed:
        clock = self._system.clock
        start = clock.monotonic()
        facts = await vault.gate.ask(_facts)
        latency = round((clock.monotonic() - start) / 1e6, 3)
        checks = wire.Checks(
            database=self._database(vault, latency),
            redis=wire.CacheCheck("ok", 0.0, round(vault.values.shelf.used / 1e6, 3)),
            encryption=_encryption(vault, facts),
            s3=wire.ObjectStorageCheck(
                "not_configured"
                if self._system.settings.object_storage.provider is None
                else "warn",
                None,
            ),
            audit=wire.AuditCheck(vault.ledger.committed_seq, vault.ledger.last_checkpoint_at),
            disk=wire.DiskCheck(self._free()),
            worker=self._worker(vault),
            backup=wire.BackupCheck(None, None),
            clock=self._clock(facts),
            issuers=vault.foreign.health(clock.now()),
            engines=[],
            federation=[],
        )
        uptime = (clock.monotonic() - self._started) // 1_000_000_000
        return wire.Detailed(self._overall(checks), __version__, uptime, checks)

    def _database(self, vault: Vault, latency: float) -> wire.DatabaseCheck:
        database = vault.gate.database
        status = "ok"
        free, least = self._free(), self._system.settings.storage.min_free
        if free < 2 * least:
            status = "warn"
        if free < least or database.failing is not None:
            status = "error"
        return wire.DatabaseCheck(status, latency, database.pool_size, database.pool_available)

    def _worker(self, vault: Vault) -> wire.WorkerCheck:
        now = self._system.clock.now()
        lag = max((now - run.next_at for run in vault.jobs.runs.values()), default=0)
        return wire.WorkerCheck(vault.jobs.paused, max(0, lag) // SECOND)

    def _clock(self, facts: _Facts) -> wire.ClockCheck:
        """A clock that was set back would date rows before those that are there."""
        now = self._system.clock.now()
        behind = 0 if facts.newest_row is None else parse_instant(facts.newest_row) - now
        return wire.ClockCheck("error" if behind > _CLOCK_BEHIND else "ok")

    @staticmethod
    def _overall(checks: wire.Checks) -> str:
        statuses = [
            checks.database.status,
            checks.redis.status,
            checks.encryption.status,
            checks.s3.status,
            checks.clock.status,
            *("ok" if issuer.status == "ok" else "warn" for issuer in checks.issuers),
            "warn" if checks.worker.paused or checks.worker.lag_seconds > _LAGGING else "ok",
        ]
        return max((_WORST.get(status, "unhealthy") for status in statuses), key=_ORDER.index)


def _unsynced(reason: str) -> str:
    return f"the last commit failed: {reason}"


def _facts(db: Connection) -> _Facts:
    row = db.execute("SELECT record FROM ledger ORDER BY seq DESC LIMIT 1").fetchone()
    rotated = db.execute("SELECT max(created_at) FROM wrapped_key WHERE version > 1").fetchone()
    return _Facts(None if row is None else read_record(row[0]).timestamp, rotated[0])


def _encryption(vault: Vault, facts: _Facts) -> wire.EncryptionCheck:
    """Rotating as long as any owner has more than one version of its key."""
    owners = (*vault.tenancy.tenants, *vault.tenancy.partners)
    rotating = any(len(vault.keyring.versions(owner)) > 1 for owner in owners)
    state = "rotating" if rotating else "active"
    return wire.EncryptionCheck("ok", state, instant_or_none(facts.last_rotation))
