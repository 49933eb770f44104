"""The counts of a ``Meter`` as Prometheus text (exposition format 0.0.4)."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from scaivault import __version__
from scaivault.clock import SECOND, parse_instant
from scaivault.storage.timing import Timing
from scaivault.system.build import BUILD

if TYPE_CHECKING:
    from scaivault.http.meter import Meter
    from scaivault.system.stock import Stock
    from scaivault.vault import Vault

CONTENT_TYPE: Final = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
MOST_FILLS: Final = 1000

Labels = tuple[str, ...]
NO_CATEGORY: Final = "none"


class _Given(Collector):
    """Families that are there already."""

    def __init__(self, families: list[Metric]) -> None:
        self._families: Final = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def text(families: list[Metric]) -> bytes:
    """As Prometheus reads it, with the numbers of the process; touches nothing of the loop's, so
    that it can be made in a thread (10 ms with a thousand rate buckets)."""
    registry = CollectorRegistry()
    registry.register(_Given(families))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


class Exposition:
    """What there is to tell, as families of metrics."""

    def __init__(self, meter: Meter) -> None:
        self._meter: Final = meter

    def families(self, stock: Stock | None) -> list[Metric]:
        """A copy of all counts; ``stock`` is what the file said last. Loop only."""
        return list(self._families(stock))

    def _families(self, stock: Stock | None) -> Iterator[Metric]:
        yield from self._requests()
        yield from self._limits()
        yield from self._state()
        vault = self._meter.vault
        if vault is not None:
            yield from self._open_vault(vault)
            yield from self._jobs(vault)
        if stock is not None:
            yield from self._counted(stock)

    # -- requests ------------------------------------------------------------------------------

    def _requests(self) -> Iterator[Metric]:
        series = self._meter.requests
        yield _counter(
            "requests",
            "Requests answered.",
            ("method", "path_category", "status"),
            {
                (method, _category(category), str(status)): count
                for (method, category), one in series.items()
                for status, count in one.statuses.items()
            },
        )
        yield _histogram(
            "request_duration_seconds",
            "From the head of a request to its answer.",
            ("method", "path_category"),
            {(method, _category(name)): one.timing for (method, name), one in series.items()},
        )
        active = {(_category(name),): count for name, count in self._meter.active.items()}
        yield _gauge("active_requests", "Requests being answered.", ("path_category",), active)

    def _limits(self) -> Iterator[Metric]:
        meter = self._meter
        yield _counter(
            "rate_limit_hits",
            "Requests refused by a rate limit.",
            ("category",),
            _one(meter.rate_hits),
        )
        fills = {(category, key): fill for category, key, fill in meter.limits.fills(MOST_FILLS)}
        yield _gauge(
            "rate_limit_bucket_fill",
            "Share of a rate bucket that is left; of the buckets used last.",
            ("category", "identity"),
            fills,
        )
        yield _counter(
            "auth_failures",
            "Requests whose caller is not known.",
            ("code",),
            _one(meter.auth_failures),
        )
        yield _counter(
            "policy_denials",
            "Requests that no policy allows.",
            ("code",),
            _one(meter.policy_denials),
        )

    # -- the vault -----------------------------------------------------------------------------

    def _state(self) -> Iterator[Metric]:
        system = self._meter.system
        yield _gauge(
            "build_info",
            "What runs here.",
            ("version", "commit"),
            {(__version__, BUILD.commit or ""): 1},
        )
        yield _plain("sealed", "1 while the vault is sealed.", int(system.vault is None))
        yield _counter(
            "unseal_attempts",
            "Calls of unseal.",
            ("slot_type", "result"),
            system.unseal_attempts,
        )
        yield _plain("event_loop_lag_seconds", "The most of ten seconds.", self._meter.loop_lag)
        yield _plain("db_size_bytes", "The file and its log.", _size(system.folder.database))
        with contextlib.suppress(OSError):
            free = shutil.disk_usage(system.folder.path).free
            yield _plain("disk_free_bytes", "Free for the data.", free)
        yield _histogram("redis_latency_seconds", "There is no Redis here.", (), {})
        yield _histogram("kms_latency_seconds", "Calls of a key service.", ("operation",), {})

    def _open_vault(self, vault: Vault) -> Iterator[Metric]:
        database, ledger, shelf = vault.gate.database, vault.ledger, vault.values.shelf
        yield _histogram("db_latency_seconds", "Questions to the file.", (), {(): database.reads})
        yield _plain("db_pool_size", "Readers of the file.", database.pool_size)
        yield _plain("db_pool_available", "Readers that are idle.", database.pool_available)
        yield _histogram(
            "audit_commit_seconds",
            "A group of audit rows until synced.",
            (),
            {(): database.commits},
        )
        yield _counter(
            "audit_rows", "Audit rows since unseal.", ("result",), _one(ledger.rows_by_result())
        )
        yield _counter(
            "cache_hits", "Rows found in memory.", ("cache",), {("secrets",): shelf.hits}
        )
        yield _counter(
            "cache_misses", "Rows not found in memory.", ("cache",), {("secrets",): shelf.misses}
        )
        yield _counter(
            "secret_reads",
            "Values read.",
            ("tenant", "secret_type"),
            vault.values.reads,
        )
        secrets = vault.secrets
        yield _counter("secret_writes", "Versions written.", ("tenant",), _one(secrets.writes))
        yield _counter("secret_rotations", "Rotations.", ("status",), _one(secrets.rotations))
        if ledger.last_checkpoint_at is not None:
            age = (self._meter.clock.now() - parse_instant(ledger.last_checkpoint_at)) / SECOND
            yield _plain("audit_checkpoint_age_seconds", "Since the newest signature.", age)

    def _counted(self, stock: Stock) -> Iterator[Metric]:
        yield _gauge("secrets_total", "Live secrets.", ("tenant",), _one(stock.secrets))
        expiring = {(str(days),): count for days, count in stock.expiring.items()}
        yield _gauge("secrets_expiring", "Secrets about to expire.", ("within_days",), expiring)
        yield _gauge("tokens_active", "Live tokens.", ("kind",), _one(stock.tokens))
        yield _plain("outbox_depth", "Events not delivered yet.", stock.outbox)
        yield _plain("rows_quarantined", "Versions that do not open.", stock.quarantined)
        yield _gauge(
            "slot_verified_timestamp_seconds",
            "When a slot of this type last opened.",
            ("slot_type",),
            self._verified(stock),
        )

    def _verified(self, stock: Stock) -> dict[Labels, float]:
        newest: dict[Labels, float] = {}
        for slot in self._meter.system.file.slots:
            seen = stock.slots.get(slot.id, 0) / SECOND
            newest[slot.type,] = max(seen, newest.get((slot.type,), 0.0))
        return newest

    def _jobs(self, vault: Vault) -> Iterator[Metric]:
        runs, now = vault.jobs.runs, self._meter.clock.now()
        done = self._meter.job_runs
        yield _counter("job_runs", "Runs of background jobs.", ("job", "status"), done)
        lags = {(name,): max(0, now - run.next_at) / SECOND for name, run in runs.items()}
        yield _gauge("job_lag_seconds", "How overdue a job is.", ("job",), lags)
        scrub = runs.get("scrub")
        if scrub is not None and scrub.last_at is not None:
            ended = scrub.last_at / SECOND
            yield _plain("scrub_timestamp_seconds", "When all rows were last opened.", ended)
        failed = {(): done.get(("scrub", "failed"), 0)}
        yield _counter("scrub_errors", "Scrubs that found damage.", (), failed)


# -- families ----------------------------------------------------------------------------------


def _category(name: str | None) -> str:
    return name or NO_CATEGORY


def _one(counts: Mapping[str, float]) -> dict[Labels, float]:
    return {(label,): count for label, count in counts.items()}


def _counter(
    name: str, about: str, labels: Labels, values: Mapping[Any, float]
) -> CounterMetricFamily:
    family = CounterMetricFamily(f"scaivault_{name}", about, labels=labels)
    for label, value in values.items():
        family.add_metric(label, value)
    return family


def _gauge(name: str, about: str, labels: Labels, values: Mapping[Any, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"scaivault_{name}", about, labels=labels)
    for label, value in values.items():
        family.add_metric(label, value)
    return family


def _plain(name: str, about: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"scaivault_{name}", about, value=value)


def _histogram(
    name: str, about: str, labels: Labels, values: Mapping[Labels, Timing]
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(f"scaivault_{name}", about, labels=labels)
    for label, timing in values.items():
        family.add_metric(label, timing.cumulative(), timing.total / 1e9)
    return family


def _size(database: Path) -> int:
    size = 0
    for path in (database, database.with_name(f"{database.name}-wal")):
        with contextlib.suppress(OSError):
            size += path.stat().st_size
    return size
