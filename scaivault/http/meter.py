"""What this process counts.

``answered`` is part of every request, so counting is plain numbers in plain dictionaries; the
text that a monitoring system fetches is made of them only when it asks (``exposition``). Numbers
that stand in the file are asked from a reader, outside of any request, and kept for a while. No
label is a path, a token or anything that a caller can invent.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from scaivault.clock import Clock
from scaivault.errors import Refusal
from scaivault.gate.caller import Caller
from scaivault.gate.limits import Limits
from scaivault.gate.rules import BY_POLICY
from scaivault.http.answers import COMMON, Answer, Reply, Responder, rendered
from scaivault.http.exposition import CONTENT_TYPE, Exposition, text
from scaivault.http.request import Request
from scaivault.http.routes import Route
from scaivault.storage.timing import Timing
from scaivault.system.stock import Counting
from scaivault.wire.identity import Nothing

if TYPE_CHECKING:
    from scaivault.system.room import System
    from scaivault.vault import Vault

_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"))
_TICK: Final = 0.5  # seconds between two looks at the loop's lag
_TICKS_KEPT: Final = 20


class Series:
    """Requests of one method and category: how many of which status, and how long."""

    __slots__ = ("statuses", "timing")

    def __init__(self) -> None:
        self.statuses: dict[int, int] = {}
        self.timing = Timing()


class Meter:
    """One per process. Loop only; ``limits`` and ``system`` are looked at when somebody asks."""

    def __init__(self, system: System, limits: Limits, clock: Clock) -> None:
        self.system: Final = system
        self.limits: Final = limits
        self.clock: Final = clock
        self._monotonic: Final = clock.monotonic
        self.requests: Final[dict[tuple[str, str | None], Series]] = {}
        self.active: Final[dict[str | None, int]] = {}
        self.auth_failures: Final[dict[str, int]] = {}
        self.policy_denials: Final[dict[str, int]] = {}
        self.rate_hits: Final[dict[str, int]] = {}
        # (job, status) -> runs; the worker's own counts, once there is one
        self.job_runs: Mapping[tuple[str, str], int] = {}
        self._lags: Final[deque[float]] = deque(maxlen=_TICKS_KEPT)
        self._counting: Final = Counting(system, clock)
        self._exposition: Final = Exposition(self)

    # -- requests ------------------------------------------------------------------------------

    def started(self, route: Route) -> None:
        """A request found its route."""
        active, category = self.active, route.category
        active[category] = active.get(category, 0) + 1

    def ended(self, route: Route) -> None:
        """It was answered, or its client is gone."""
        self.active[route.category] -= 1

    def answered(
        self, request: Request, route: Route | None, caller: Caller | None, status: int
    ) -> None:
        """A request was answered with ``status``."""
        category = route.category if route is not None else None
        key = request.method, category
        series = self.requests.get(key)
        if series is None:
            series = self._series(key)
        statuses = series.statuses
        statuses[status] = statuses.get(status, 0) + 1
        if caller is not None:
            series.timing.add(self._monotonic() - caller.started)

    def _series(self, key: tuple[str, str | None]) -> Series:
        """A method that no endpoint takes gets no series of its own."""
        if key[0] not in _METHODS:
            key = "other", key[1]
        return self.requests.setdefault(key, Series())

    def refused(self, refusal: Refusal) -> None:
        """A request was refused."""
        code = refusal.code
        if code == "rate_limited":
            _count(self.rate_hits, str(refusal.details["category"]))
        elif refusal.status == 401:
            _count(self.auth_failures, code)
        elif code in BY_POLICY:
            _count(self.policy_denials, code)

    # -- the loop ------------------------------------------------------------------------------

    async def watch_loop(self) -> None:
        """Measure, for ever, how late the event loop is."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _TICK
            await asyncio.sleep(_TICK)
            self._lags.append(max(0.0, loop.time() - due))

    @property
    def loop_lag(self) -> float:
        """The largest lag of the last ten seconds, in seconds."""
        return max(self._lags, default=0.0)

    # -- telling -------------------------------------------------------------------------------

    @property
    def vault(self) -> Vault | None:
        """The vault that is open, with all its rooms."""
        return self.system.vault

    async def fresh(self) -> bytes:
        """``exposition``, after asking the file again if its last numbers are old."""
        families = self._exposition.families(await self._counting.stock())
        return await asyncio.to_thread(text, families)

    def exposition(self) -> bytes:
        """Everything as Prometheus text, with what the file said last."""
        return text(self._exposition.families(self._counting.last))

    async def text(self, _caller: Caller, _request: Any) -> Answer:
        """The numbers of this process, as Prometheus text."""
        return Answer(200, await self.fresh(), (CONTENT_TYPE,))


def metrics_routes(main_port: str) -> tuple[Route, ...]:
    """GET /v1/metrics on the main port by ``metrics.main_port``: none for ``off``; for ``token``
    it takes the scope ``admin``, and so an open vault."""
    if main_port == "off":
        return ()
    token = main_port == "token"
    return (
        Route(
            "GET", "/v1/metrics", "metrics.text", Nothing, str, "system_read",
            scopes=("admin",) if token else (), open=not token, sealed=not token,
        ),
    )  # fmt: skip


def metrics_responder(meter: Meter) -> Responder:
    """Answers GET /v1/metrics (and /metrics) and nothing else, without any authentication: for a
    listener of its own."""

    async def respond(request: Request) -> Reply:
        found = request.path in (b"/v1/metrics", b"/metrics") and request.method in ("GET", "HEAD")
        body = await meter.fresh() if found else b""
        head = rendered((CONTENT_TYPE, *COMMON))
        told = b"" if request.method == "HEAD" else body
        return Reply(200 if found else 404, head, told, len(body))

    return respond


def _count(counts: dict[Any, int], key: Any) -> None:
    counts[key] = counts.get(key, 0) + 1
