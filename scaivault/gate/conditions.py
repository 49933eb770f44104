"""The further demands of a rule: caller's address, fresh MFA, hours of the day.

All that a rule names must hold. What cannot be decided does not hold: no address, no MFA time,
an instant outside the calendar.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from scaivault.clock import SECOND
from scaivault.errors import Refusal
from scaivault.wire.addresses import Range, in_ranges, parse_address, parse_range
from scaivault.wire.values import parse_duration

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MAX_RANGES: Final = 64
DEFAULT_MFA_MAX_AGE: Final = 900
DAY_MINUTES: Final = 24 * 60

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_hours: Final = re.compile(r"(?:([01][0-9]|2[0-3]):([0-5][0-9])|(24):(00))").fullmatch


class Context(NamedTuple):
    """What conditions are held against: the client's address as text, instants in microseconds."""

    source_ip: str | None
    mfa_verified_at: int | None
    now: int


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """Wall-clock hours, in minutes since midnight: ``start`` included, ``end`` excluded.

    ``end`` before ``start`` reaches into the next day; ``days`` (0 = Monday) are those on which
    the window starts.
    """

    start: int
    end: int
    days: frozenset[int]
    zone: ZoneInfo

    def holds(self, now: int) -> bool:
        """Whether the local time of the instant lies in the window."""
        try:
            local = (_EPOCH + timedelta(microseconds=now)).astimezone(self.zone)
        except OverflowError:
            return False
        minute, day = local.hour * 60 + local.minute, local.weekday()
        if self.start < self.end:
            return self.start <= minute < self.end and day in self.days
        if minute >= self.start:
            return day in self.days
        return minute < self.end and (day - 1) % 7 in self.days


@dataclass(frozen=True, slots=True)
class Conditions:
    """The demands of one rule; the empty one demands nothing. ``mfa_max_age`` in seconds."""

    ip_ranges: tuple[Range, ...] = ()
    require_mfa: bool = False
    mfa_max_age: int = DEFAULT_MFA_MAX_AGE
    time_window: TimeWindow | None = None

    def failure(self, context: Context) -> str | None:
        """The first condition that does not hold, by its name in the rule; ``None``: all hold."""
        if self.ip_ranges and not self._address_holds(context.source_ip):
            return "ip_ranges"
        if self.require_mfa and not self._mfa_holds(context):
            return "require_mfa"
        if self.time_window is not None and not self.time_window.holds(context.now):
            return "time_window"
        return None

    def _address_holds(self, source_ip: str | None) -> bool:
        try:
            return source_ip is not None and in_ranges(parse_address(source_ip), self.ip_ranges)
        except ValueError:
            return False

    def _mfa_holds(self, context: Context) -> bool:
        verified = context.mfa_verified_at
        return verified is not None and 0 <= context.now - verified <= self.mfa_max_age * SECOND


NONE: Final = Conditions()


def parse_conditions(
    obj: object, *, field: str = "conditions", mfa_max_age: int = DEFAULT_MFA_MAX_AGE
) -> Conditions:
    """The conditions in a rule's JSON; ``None`` and ``{}`` are none.

    ``mfa_max_age`` (seconds) holds where the rule names none. ``invalid_policy`` with ``field``
    (``conditions.time_window.start``) and ``reason`` for anything that is not exactly as
    described: a demand that is misread must never become no demand.
    """
    if obj is None or obj == {}:
        return NONE
    given = _mapping(obj, field, ("ip_ranges", "require_mfa", "mfa_max_age", "time_window"))
    require_mfa = given.get("require_mfa", False)
    if not isinstance(require_mfa, bool):
        raise _bad(f"{field}.require_mfa", "type", "is true or false")
    if "mfa_max_age" in given:
        if not require_mfa:
            raise _bad(f"{field}.mfa_max_age", "unused", "stands only beside require_mfa: true")
        mfa_max_age = _duration(given["mfa_max_age"], f"{field}.mfa_max_age")
    return Conditions(
        ip_ranges=(
            _ranges(given["ip_ranges"], f"{field}.ip_ranges") if "ip_ranges" in given else ()
        ),
        require_mfa=require_mfa,
        mfa_max_age=mfa_max_age if require_mfa else DEFAULT_MFA_MAX_AGE,
        time_window=(
            _window(given["time_window"], f"{field}.time_window")
            if "time_window" in given
            else None
        ),
    )


def _ranges(value: object, field: str) -> tuple[Range, ...]:
    ranges = []
    for index, text in enumerate(_texts(value, field, MAX_RANGES)):
        try:
            ranges.append(parse_range(text))
        except ValueError:
            raise _bad(
                f"{field}.{index}", "value", "is an address or a CIDR block without host bits"
            ) from None
    return tuple(ranges)


def _window(value: object, field: str) -> TimeWindow:
    given = _mapping(value, field, ("days", "start", "end", "timezone"))
    start = _minutes(given.get("start"), f"{field}.start")
    end = _minutes(given.get("end"), f"{field}.end")
    if start == DAY_MINUTES:
        raise _bad(f"{field}.start", "value", "is before 24:00")
    if start == end:
        raise _bad(f"{field}.end", "value", "differs from start")
    names = _texts(given["days"], f"{field}.days", len(DAYS)) if "days" in given else DAYS
    for index, name in enumerate(names):
        if name not in DAYS:
            raise _bad(f"{field}.days.{index}", "value", "is one of " + " ".join(DAYS))
    days = frozenset(DAYS.index(name) for name in names)
    return TimeWindow(start, end, days, _zone(given.get("timezone", "UTC"), f"{field}.timezone"))


def _minutes(value: object, field: str) -> int:
    match = _hours(value) if isinstance(value, str) else None
    if match is None:
        reason = "missing" if value is None else "value" if isinstance(value, str) else "type"
        raise _bad(field, reason, "is required as HH:MM, 24-hour")
    hours, minutes = (int(number) for number in match.groups() if number is not None)
    return hours * 60 + minutes


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    """IANA names. A set and not a trial: ``ZoneInfo`` also opens whatever else lies beside the
    zone files, and ``localtime`` is another zone on every host."""
    return frozenset(available_timezones()) - {"localtime", "Factory"}


def _zone(value: object, field: str) -> ZoneInfo:
    if not isinstance(value, str):
        raise _bad(field, "type", "is the IANA name of a time zone")
    if value not in _zones():
        raise _bad(field, "value", "is not the IANA name of a known time zone")
    return ZoneInfo(value)


def _duration(value: object, field: str) -> int:
    if not isinstance(value, str):
        raise _bad(field, "type", "is a duration, such as 15m")
    try:
        return parse_duration(value)
    except ValueError as fault:
        raise _bad(field, "value", f"is not valid: {fault}") from None


def _mapping(value: object, field: str, known: tuple[str, ...]) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise _bad(field, "type", "is an object")
    unknown = next((name for name in value if name not in known), None)
    if unknown is not None:
        raise _bad(
            f"{field}.{unknown[:64]}", "unknown", "is not known; known are " + ", ".join(known)
        )
    return value


def _texts(value: object, field: str, at_most: int) -> list[str]:
    if not isinstance(value, list):
        raise _bad(field, "type", "is a list")
    if not 1 <= len(value) <= at_most:
        raise _bad(field, "value" if value else "empty", f"has 1 to {at_most} entries")
    for index, entry in enumerate(value):
        if not isinstance(entry, str):
            raise _bad(f"{field}.{index}", "type", "is text")
    return value


def _bad(field: str, reason: str, fault: str) -> Refusal:
    return Refusal("invalid_policy", f"{field} {fault}", field=field, reason=reason)
