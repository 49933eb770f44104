"""Durations: the grammar, its borders, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaivault.errors import Refusal
from scaivault.wire.values import LONGEST, duration_field, duration_text, parse_duration

UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1),
        ("36h", 129_600),
        ("7d", 604_800),
        ("1h30m", 5_400),
        ("1w2d3h4m5s", 604_800 + 2 * 86_400 + 3 * 3_600 + 4 * 60 + 5),
        ("90m", 5_400),
        ("007d", 604_800),
        ("0h1s", 1),
        ("36500d", LONGEST),
        ("3153600000s", LONGEST),
    ],
)
def test_seconds(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "s", "1", "1 h", " 1h", "1h ", "1h\n", "-1h", "+1h", "1.5h", "1,5h", "1H"),
        *("1M", "1ms", "1y", "30m1h", "1h1h", "1h2h", "1h30", "h1", "1h 30m", "P1D", "1_0s"),
        *("1" * 65 + "s", "1h\x00", "\u0661h", "\uff11h", "1\u00b5s", "0x1s", "1e3s"),
    ],
)
def test_another_shape_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="whole numbers with units"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["0s", "0w0d0h0m0s", "36501d", "36500d1s", "9" * 60 + "w"])
def test_a_length_outside_the_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="longer than zero and at most 36500d"):
        parse_duration(text)


@given(st.dictionaries(st.sampled_from("wdhms"), st.integers(0, 10**10), min_size=1))
def test_every_joining_in_falling_order_is_its_sum(counts: dict[str, int]) -> None:
    text = "".join(f"{counts[unit]}{unit}" for unit in UNITS if unit in counts)
    seconds = sum(count * UNITS[unit] for unit, count in counts.items())
    if 0 < seconds <= LONGEST:
        assert parse_duration(text) == seconds
    else:
        with pytest.raises(ValueError, match="longer than zero"):
            parse_duration(text)


@given(st.lists(st.sampled_from("wdhms"), min_size=2, max_size=5))
def test_only_the_falling_order_without_repetition_is_accepted(units: list[str]) -> None:
    text = "".join(f"1{unit}" for unit in units)
    if units == [unit for unit in UNITS if unit in units]:
        assert parse_duration(text) == sum(UNITS[unit] for unit in units)
    else:
        with pytest.raises(ValueError, match="in this order"):
            parse_duration(text)


@given(st.text(alphabet="0123456789wdhmsHMy +-.", max_size=12))
def test_text_is_a_duration_or_a_value_error(text: str) -> None:
    try:
        seconds = parse_duration(text)
    except ValueError:
        return
    assert 0 < seconds <= LONGEST


def test_a_field_names_itself() -> None:
    assert duration_field("options.expires_in", "2h") == 7_200
    with pytest.raises(Refusal) as caught:
        duration_field("options.expires_in", "2 h")
    assert caught.value.code == "invalid_duration"
    assert caught.value.details == {"field": "options.expires_in"}
    assert "options.expires_in" in caught.value.message


@pytest.mark.parametrize(
    ("seconds", "text"), [(1, "1s"), (365 * 86_400, "365d"), (131_400, "1d12h30m"), (61, "1m1s")]
)
def test_durations_in_words(seconds: int, text: str) -> None:
    assert duration_text(seconds) == text
    assert parse_duration(text) == seconds
