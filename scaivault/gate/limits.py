"""Rate limits: a bucket of tokens per (identity or address, category).

A bucket holds one minute's worth and refills continuously. Only the monotonic clock counts;
the wall clock merely labels when a bucket is full again. Buckets are for one event loop: they
take no lock, and no method gives way to another task.

A bucket is one number, the monotonic nanosecond at which it is full again (a generic cell rate
algorithm, ITU-T I.371 in its virtual-scheduling form): taking a token moves that moment one
token's time ahead, never further than a minute from now. A bucket that is full is not kept, so
memory holds the keys that took something within the last minute and no others.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv6Address
from itertools import islice
from typing import Final, NamedTuple

from scaivault.clock import Clock
from scaivault.config.limits import RateLimits
from scaivault.errors import Refusal
from scaivault.gate.caller import Caller
from scaivault.wire.addresses import parse_address

CATEGORIES: Final[dict[str, int]] = RateLimits().per_minute()
"""Every category with its default, in tokens per minute."""

FAILED: Final = "auth_failed"
"""The category of failed authentications: of these requests each takes one token, no other does."""

BY_ADDRESS: Final = frozenset(("auth_grant", "unseal", FAILED))
"""Categories that are counted per client address; all others per identity."""

MAX_LIMIT: Final = 1_000_000_000

_MINUTE: Final = 60_000_000_000
_SECOND: Final = 1_000_000_000


@lru_cache(maxsize=4096)
def address_key(source_ip: str | None) -> str:
    """The bucket key of a client address: an IPv6 /64 is one key, a mapped IPv4 is the IPv4.

    Callers without an address (a Unix socket) share one key.
    """
    if source_ip is None:
        return "-"
    address = parse_address(source_ip)
    if isinstance(address, IPv6Address):
        return f"{IPv6Address(int(address) >> 64 << 64)}/64"
    return str(address)


def bucket(caller: Caller, category: str) -> str:
    """Whose calls of a category are counted together: an identity's or an address's."""
    principal = caller.principal
    if category in BY_ADDRESS or principal is None:
        return address_key(caller.source_ip)
    return f"{principal.tenant_id}/{principal.identity_id}"


class Allowance(NamedTuple):
    """The state of one bucket: tokens per minute, tokens left, and when it is full (Unix s)."""

    limit: int
    remaining: int
    reset: int


class RateLimited(Refusal):
    """429 ``rate_limited``; ``allowance`` is for the answer's headers. ``what`` there were too many
    of, if not requests."""

    def __init__(
        self, category: str, allowance: Allowance, retry_after: int, what: str | None = None
    ) -> None:
        super().__init__(
            "rate_limited",
            f"too many {what or f'requests of this kind ({category})'}; retry in {retry_after} s",
            category=category,
            limit=allowance.limit,
            retry_after=retry_after,
        )
        self.allowance: Final = allowance


# Tokens per minute, and nanoseconds per token: rounded up, never too generous.
_Cost = tuple[int, int]


class Limits:
    """The buckets of one process. ``None`` instead of an allowance: the category is unlimited."""

    def __init__(self, clock: Clock, overrides: Mapping[str, int] | None = None) -> None:
        self._wall: Final = clock.now
        self._monotonic: Final = clock.monotonic
        # (category, key) -> when the bucket is full, in the order of the last take
        self._full: Final[OrderedDict[tuple[str, str], int]] = OrderedDict()
        self._costs: dict[str, _Cost | None] = {}
        self.configure(overrides or {})

    def configure(self, overrides: Mapping[str, int]) -> None:
        """Set tokens per minute by category, 0 for unlimited; buckets of changed ones refill.

        ``ValueError`` for an unknown category or a number outside 0 to ``MAX_LIMIT``.
        """
        for category, limit in overrides.items():
            if category not in CATEGORIES:
                raise ValueError(f"{category} is not a rate category")
            if not 0 <= limit <= MAX_LIMIT:
                raise ValueError(f"the limit of {category} is 0 to {MAX_LIMIT} per minute")
        costs = {
            category: (limit, -(-_MINUTE // limit)) if limit else None
            for category, limit in (CATEGORIES | dict(overrides)).items()
        }
        for bucket in [kept for kept in self._full if self._costs[kept[0]] != costs[kept[0]]]:
            del self._full[bucket]
        self._costs = costs

    def take(self, key: str, category: str, n: int = 1) -> Allowance | None:
        """Take ``n`` tokens, or take none and raise ``RateLimited``.

        A batch takes as many as it may need and gives back the rest. More than the bucket can
        ever hold are refused like any others. An unknown category is a ``KeyError``.
        """
        cost = self._costs[category]
        if cost is None:
            return None
        pair = category, key
        now, full = self._demand(pair, cost, n)
        full += n * cost[1]
        self._full[pair] = full
        self._full.move_to_end(pair)
        if next(iter(self._full.values())) <= now:
            self._forget(now)
        return self._allowance(cost, full - now)

    def give_back(self, key: str, category: str, n: int = 1) -> Allowance | None:
        """Return tokens that were taken and not used; a bucket never holds more than full."""
        cost = self._costs[category]
        if cost is None:
            return None
        pair = category, key
        now = self._monotonic()
        full = self._full.get(pair, now) - n * cost[1]
        if full > now:
            self._full[pair] = full
        else:
            self._full.pop(pair, None)
        return self._allowance(cost, max(full - now, 0))

    def fills(self, at_most: int = 1000) -> list[tuple[str, str, float]]:
        """``(category, key, share that is left)`` of the buckets used last, for metrics."""
        now = self._monotonic()
        latest = islice(reversed(self._full.items()), at_most)
        return [
            (category, key, min(1.0, max(0.0, 1 - (full - now) / _MINUTE)))
            for (category, key), full in latest
        ]

    def __len__(self) -> int:
        """How many buckets are kept."""
        return len(self._full)

    def _demand(self, pair: tuple[str, str], cost: _Cost, n: int) -> tuple[int, int]:
        """Now, and when the bucket is full; refuses when ``n`` tokens are not there."""
        limit, each = cost
        now = self._monotonic()
        full = self._full.get(pair, now)
        if full < now:  # noqa: PLR1730 - half the time of max(), on every request
            full = now
        missing = full - now - (limit - n) * each
        if missing > 0:
            retry_after = -(-missing // _SECOND)
            raise RateLimited(pair[0], self._allowance(cost, full - now), retry_after)
        return now, full

    def _forget(self, now: int) -> None:
        """Drop full buckets, oldest take first; those behind one that is not full are at most
        a minute old. A take adds one bucket at most, so this costs each take one drop."""
        while self._full:
            oldest = next(iter(self._full))
            if self._full[oldest] > now:
                return
            del self._full[oldest]

    def _allowance(self, cost: _Cost, debt: int) -> Allowance:
        """``debt``: nanoseconds until the bucket is full."""
        limit, each = cost
        reset = -(-(self._wall() * 1000 + debt) // _SECOND)
        return Allowance(limit, limit - -(-debt // each), reset)


class Quiet:
    """Which 429 answers get a ledger row: one per (key, category) and minute.

    Bounded: beyond ``at_most`` pairs the one whose row is oldest is forgotten, and with it how
    many refusals followed that row.
    """

    def __init__(self, clock: Clock, at_most: int = 10_000) -> None:
        self._clock: Final = clock
        self._at_most: Final = at_most
        # (category, key) -> monotonic time of its last row, refusals since; oldest row first
        self._rows: Final[OrderedDict[tuple[str, str], tuple[int, int]]] = OrderedDict()

    def refused(self, key: str, category: str) -> int | None:
        """Note a refusal. ``None``: no row. A number: write a row, with it as ``suppressed``."""
        now = self._clock.monotonic()
        pair = category, key
        last, suppressed = self._rows.get(pair, (now - _MINUTE, 0))
        if now - last < _MINUTE:
            self._rows[pair] = last, suppressed + 1
            return None
        self._rows[pair] = now, 0
        self._rows.move_to_end(pair)
        if len(self._rows) > self._at_most:
            self._rows.popitem(last=False)
        return suppressed

    def __len__(self) -> int:
        """How many pairs are remembered."""
        return len(self._rows)
