"""Conditions: what holds when, at the borders, and that nothing is misread."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaivault.clock import MINUTE, SECOND, parse_instant
from scaivault.errors import Refusal
from scaivault.gate.conditions import NONE, Conditions, Context, TimeWindow, parse_conditions

NOW = parse_instant("2031-05-09T06:30:00Z")  # a Friday


def at(text: str) -> Context:
    return Context(None, None, parse_instant(text))


def window(**given: Any) -> Conditions:
    return parse_conditions({"time_window": given})


def holds(conditions: Conditions, text: str) -> bool:
    return conditions.failure(at(text)) is None


@pytest.mark.parametrize("obj", [None, {}, {"require_mfa": False}])
def test_no_demand(obj: object) -> None:
    assert parse_conditions(obj) == NONE
    assert NONE.failure(Context(None, None, NOW)) is None


@pytest.mark.parametrize(
    ("source_ip", "expected"),
    [
        ("198.51.100.0", None),
        ("198.51.100.255", None),
        ("::ffff:198.51.100.7", None),
        ("203.0.113.5", None),
        ("2001:db8::9", None),
        ("198.51.101.0", "ip_ranges"),
        ("203.0.113.6", "ip_ranges"),
        ("2001:db9::9", "ip_ranges"),
        ("::198.51.100.7", "ip_ranges"),
        ("unknown", "ip_ranges"),
        ("", "ip_ranges"),
        (None, "ip_ranges"),
    ],
)
def test_ip_ranges(source_ip: str | None, expected: str | None) -> None:
    ranges = ["198.51.100.0/24", "203.0.113.5", "2001:db8::/32"]
    conditions = parse_conditions({"ip_ranges": ranges})
    assert conditions.failure(Context(source_ip, None, NOW)) == expected


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (0, None),
        (15 * MINUTE, None),
        (15 * MINUTE + 1, "require_mfa"),
        (-1, "require_mfa"),
        (NOW, "require_mfa"),
        (None, "require_mfa"),
    ],
)
def test_mfa_is_fresh(age: int | None, expected: str | None) -> None:
    verified = None if age is None else NOW - age
    conditions = parse_conditions({"require_mfa": True})
    assert conditions.failure(Context(None, verified, NOW)) == expected


def test_the_age_is_the_rules_own_or_the_one_handed_in() -> None:
    verified = Context(None, NOW - 60 * SECOND, NOW)
    assert parse_conditions({"require_mfa": True}, mfa_max_age=59).failure(verified)
    assert parse_conditions({"require_mfa": True}, mfa_max_age=60).failure(verified) is None
    own = {"require_mfa": True, "mfa_max_age": "1m"}
    assert parse_conditions(own, mfa_max_age=5).failure(verified) is None


def test_the_order_of_failures() -> None:
    everything = {
        "ip_ranges": ["198.51.100.0/24"],
        "require_mfa": True,
        "time_window": {"start": "08:00", "end": "09:00"},
    }
    conditions = parse_conditions(everything)
    inside, fresh = "198.51.100.7", NOW
    assert conditions.failure(Context(None, None, NOW)) == "ip_ranges"
    assert conditions.failure(Context(inside, None, NOW)) == "require_mfa"
    assert conditions.failure(Context(inside, fresh, NOW)) == "time_window"
    later = parse_instant("2031-05-09T08:00:00Z")
    assert conditions.failure(Context(inside, later, later)) is None


def test_the_window_that_spans_midnight_belongs_to_the_day_it_starts_on() -> None:
    night = window(days=["mon", "fri"], start="22:00", end="02:00", timezone="Europe/Amsterdam")
    assert holds(night, "2031-05-09T23:00:00+02:00")  # Friday
    assert holds(night, "2031-05-10T01:59:59.999999+02:00")
    assert holds(night, "2031-05-05T22:00:00+02:00")  # Monday
    assert holds(night, "2031-05-06T00:00:00+02:00")
    assert not holds(night, "2031-05-10T02:00:00+02:00")
    assert not holds(night, "2031-05-09T01:00:00+02:00")
    assert not holds(night, "2031-05-10T22:30:00+02:00")
    assert not holds(night, "2031-05-05T21:59:59.999999+02:00")
    assert not holds(night, "2031-05-05T00:30:00+02:00")  # Sunday's window is none


def test_sunday_reaches_into_monday() -> None:
    sunday = window(days=["sun"], start="23:00", end="01:00")
    assert holds(sunday, "2031-05-11T23:30:00Z")
    assert holds(sunday, "2031-05-12T00:30:00Z")
    assert not holds(sunday, "2031-05-11T00:30:00Z")


def test_a_day_window() -> None:
    office = window(start="08:00", end="17:30")
    assert holds(office, "2031-05-10T08:00:00Z")
    assert holds(office, "2031-05-10T17:29:59.999999Z")
    assert not holds(office, "2031-05-10T17:30:00Z")
    assert not holds(office, "2031-05-10T07:59:59.999999Z")


def test_the_whole_day_and_the_end_of_day() -> None:
    friday = window(days=["fri"], start="00:00", end="24:00")
    assert holds(friday, "2031-05-09T00:00:00Z")
    assert holds(friday, "2031-05-09T23:59:59.999999Z")
    assert not holds(friday, "2031-05-10T00:00:00Z")
    evening = window(days=["fri"], start="22:00", end="00:00")
    assert holds(evening, "2031-05-09T23:59:00Z")
    assert not holds(evening, "2031-05-10T00:00:00Z")


def test_hours_are_those_of_the_wall_clock_over_clock_changes() -> None:
    early = window(start="02:00", end="03:00", timezone="Europe/Amsterdam")
    # 2031-03-30: the hour from two to three is left out.
    assert not holds(early, "2031-03-30T00:59:59Z")
    assert not holds(early, "2031-03-30T01:00:00Z")
    # 2031-10-26: it comes twice.
    assert holds(early, "2031-10-26T00:30:00Z")
    assert holds(early, "2031-10-26T01:30:00Z")
    assert not holds(early, "2031-10-26T02:00:00Z")
    morning = window(start="09:00", end="10:00", timezone="Europe/Amsterdam")
    assert holds(morning, "2031-01-09T08:30:00Z")
    assert holds(morning, "2031-07-09T07:30:00Z")
    assert not holds(morning, "2031-07-09T08:30:00Z")


@pytest.mark.parametrize("now", [10**20, -(10**20), parse_instant("9999-12-31T23:30:00Z")])
def test_an_instant_outside_the_calendar_does_not_hold(now: int) -> None:
    always = window(start="00:00", end="24:00", timezone="Pacific/Auckland")
    assert always.failure(Context(None, None, now)) == "time_window"


@given(st.integers(0, 7 * 1440 - 1), st.integers(0, 1439), st.integers(0, 1440), st.data())
def test_a_window_is_the_set_of_its_minutes(
    minute: int, start: int, end: int, data: st.DataObject
) -> None:
    if start == end:
        return
    days = data.draw(st.frozensets(st.integers(0, 6), min_size=1))
    length = end - start if end > start else end - start + 1440
    open_minutes = {(day * 1440 + start + n) % (7 * 1440) for day in days for n in range(length)}
    monday = parse_instant("2031-05-05T00:00:00Z")
    hours = TimeWindow(start, end, days, ZoneInfo("UTC"))
    assert hours.holds(monday + minute * MINUTE) is (minute in open_minutes)


@pytest.mark.parametrize(
    ("obj", "field", "reason"),
    [
        ([], "", "type"),
        ("", "", "type"),
        (False, "", "type"),
        ({"source_ips": []}, ".source_ips", "unknown"),
        ({"IP_RANGES": ["10.0.0.0/8"]}, ".IP_RANGES", "unknown"),
        ({"ip_ranges": []}, ".ip_ranges", "empty"),
        ({"ip_ranges": None}, ".ip_ranges", "type"),
        ({"ip_ranges": "10.0.0.0/8"}, ".ip_ranges", "type"),
        ({"ip_ranges": ["10.0.0.0/8"] * 65}, ".ip_ranges", "value"),
        ({"ip_ranges": ["10.0.0.0/8", 7]}, ".ip_ranges.1", "type"),
        ({"ip_ranges": ["10.0.0.0/8", "10.0.0.1/8"]}, ".ip_ranges.1", "value"),
        ({"ip_ranges": [""]}, ".ip_ranges.0", "value"),
        ({"require_mfa": 1}, ".require_mfa", "type"),
        ({"require_mfa": "true"}, ".require_mfa", "type"),
        ({"require_mfa": None}, ".require_mfa", "type"),
        ({"mfa_max_age": "5m"}, ".mfa_max_age", "unused"),
        ({"require_mfa": False, "mfa_max_age": "5m"}, ".mfa_max_age", "unused"),
        ({"require_mfa": True, "mfa_max_age": 300}, ".mfa_max_age", "type"),
        ({"require_mfa": True, "mfa_max_age": None}, ".mfa_max_age", "type"),
        ({"require_mfa": True, "mfa_max_age": "0s"}, ".mfa_max_age", "value"),
        ({"require_mfa": True, "mfa_max_age": "5 m"}, ".mfa_max_age", "value"),
        ({"time_window": None}, ".time_window", "type"),
        ({"time_window": {}}, ".time_window.start", "missing"),
        ({"time_window": {"start": "08:00"}}, ".time_window.end", "missing"),
    ],
)
def test_what_is_not_as_described_is_refused(obj: object, field: str, reason: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse_conditions(obj, field="rules.0.conditions")
    assert caught.value.code == "invalid_policy"
    assert caught.value.details == {"field": "rules.0.conditions" + field, "reason": reason}


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"start": "8:00"}, "start", "value"),
        ({"start": "08:00\n"}, "start", "value"),
        ({"start": "24:00"}, "start", "value"),
        ({"start": "08:60"}, "start", "value"),
        ({"start": "08:00:00"}, "start", "value"),
        ({"start": 800}, "start", "type"),
        ({"end": "24:01"}, "end", "value"),
        ({"end": "25:00"}, "end", "value"),
        ({"end": "\u0661\u0661:00"}, "end", "value"),
        ({"end": "08:00"}, "end", "value"),
        ({"days": []}, "days", "empty"),
        ({"days": "mon"}, "days", "type"),
        ({"days": None}, "days", "type"),
        ({"days": ["mon", "Tue"]}, "days.1", "value"),
        ({"days": ["mon", 2]}, "days.1", "type"),
        ({"days": ["mon"] * 8}, "days", "value"),
        ({"timezone": None}, "timezone", "type"),
        ({"timezone": ""}, "timezone", "value"),
        ({"timezone": "Europe"}, "timezone", "value"),
        ({"timezone": "Europe/Atlantis"}, "timezone", "value"),
        ({"timezone": "europe/amsterdam"}, "timezone", "value"),
        ({"timezone": "../../etc/passwd"}, "timezone", "value"),
        ({"timezone": "/etc/localtime"}, "timezone", "value"),
        ({"timezone": "localtime"}, "timezone", "value"),
        ({"timezone": "posix/UTC"}, "timezone", "value"),
        ({"timezone": "zone.tab"}, "timezone", "value"),
        ({"zone": "UTC"}, "zone", "unknown"),
    ],
)
def test_a_window_that_is_not_as_described_is_refused(
    change: dict[str, object], field: str, reason: str
) -> None:
    with pytest.raises(Refusal) as caught:
        parse_conditions({"time_window": {"start": "08:00", "end": "17:00"} | change})
    assert caught.value.code == "invalid_policy"
    expected = {"field": f"conditions.time_window.{field}", "reason": reason}
    assert caught.value.details == expected


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.just("08:00"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["ip_ranges", "require_mfa", "mfa_max_age", "time_window", "start", "end", "days"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(json)
def test_anything_is_conditions_or_refused(obj: object) -> None:
    try:
        parse_conditions(obj)
    except Refusal as refusal:
        if refusal.code != "invalid_policy":
            raise
