"""What policies mean, written as plainly as it can be said: slow, without a cache, an index or a
compiled pattern. Properties hold the real thing against it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Any
from zoneinfo import ZoneInfo

DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def glob_matches(pattern: str, path: str) -> bool:
    """Whether a whole path fits a legal pattern."""
    if pattern == "**":
        return True
    return segments_match(pattern.split("/"), path.split("/"), first=True)


def segments_match(pattern: list[str], path: list[str], first: bool = False) -> bool:
    if not pattern:
        return not path
    if pattern[0] == "**":
        # At either end of a pattern one segment or more, between others any number.
        least = 1 if first or len(pattern) == 1 else 0
        return any(
            segments_match(pattern[1:], path[taken:]) for taken in range(least, len(path) + 1)
        )
    return (
        bool(path)
        and segment_matches(pattern[0], path[0])
        and segments_match(pattern[1:], path[1:])
    )


def segment_matches(pattern: str, segment: str) -> bool:
    if not pattern:
        return not segment
    if pattern[0] == "*":
        return any(
            segment_matches(pattern[1:], segment[taken:]) for taken in range(1, len(segment) + 1)
        )
    return (
        bool(segment)
        and pattern[0] in ("?", segment[0])
        and segment_matches(pattern[1:], segment[1:])
    )


@dataclass
class Request:
    """Who asks for what, and under which circumstances. Instants in microseconds."""

    subjects: list[str]  # the identity and its groups
    path: str
    permission: str
    now: int
    source_ip: str | None = None
    mfa_verified_at: int | None = None


@dataclass
class ModelPolicy:
    """A policy and whom it is bound to: identity -> the end of the binding, or None."""

    rules: list[dict[str, Any]]
    is_active: bool = True
    bound: dict[str, int | None] = field(default_factory=dict)

    def counts(self, request: Request) -> bool:
        ends = [self.bound[one] for one in request.subjects if one in self.bound]
        return self.is_active and any(end is None or request.now < end for end in ends)


def decision(policies: list[ModelPolicy], request: Request) -> tuple[bool, str, str | None]:
    """(allowed, reason, failed condition); policies stand by creation."""
    rules = [rule for policy in policies if policy.counts(request) for rule in policy.rules]
    if not rules:
        return False, "no_policy_bound", None
    rules = [rule for rule in rules if glob_matches(rule["path_pattern"], request.path)]
    if not rules:
        return False, "no_path_match", None
    rules = [rule for rule in rules if {request.permission, "admin"} & set(rule["permissions"])]
    if not rules:
        return False, "permission_not_granted", None
    failures = [failed_condition(rule.get("conditions") or {}, request) for rule in rules]
    if None in failures:
        return True, "granted", None
    return False, "condition_failed", failures[0]


def failed_condition(conditions: dict[str, Any], request: Request) -> str | None:
    """The first condition that does not hold."""
    if "ip_ranges" in conditions and not in_one_of(conditions["ip_ranges"], request.source_ip):
        return "ip_ranges"
    if conditions.get("require_mfa"):
        seconds = {"1h": 3600, "15m": 900}[conditions.get("mfa_max_age", "15m")]
        verified = request.mfa_verified_at
        if verified is None or not 0 <= request.now - verified <= seconds * 1_000_000:
            return "require_mfa"
    if "time_window" in conditions and not in_window(conditions["time_window"], request.now):
        return "time_window"
    return None


def in_one_of(ranges: list[str], address: str | None) -> bool:
    if address is None:
        return False
    return any(ip_address(address) in ip_network(block) for block in ranges)


def in_window(window: dict[str, Any], now: int) -> bool:
    """Look for a start of the window, today or yesterday, behind which the local time lies."""
    zone = ZoneInfo(window.get("timezone", "UTC"))
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=now)).astimezone(zone)
    wall = local.replace(tzinfo=None)
    for days_back in (0, 1):
        day = wall.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days_back)
        start, end = day + clock(window["start"]), day + clock(window["end"])
        if end < start:
            end += timedelta(days=1)
        begins_on = DAYS[day.weekday()] in window.get("days", DAYS)
        if begins_on and start <= wall < end:
            return True
    return False


def clock(text: str) -> timedelta:
    hours, minutes = text.split(":")
    return timedelta(hours=int(hours), minutes=int(minutes))
