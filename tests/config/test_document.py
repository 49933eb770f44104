"""The narrow YAML of configuration files."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from scaivault.config import ConfigError
from scaivault.config.document import LARGEST, read_yaml


def test_only_null_truth_and_whole_numbers_are_not_text() -> None:
    text = "[off, no, 1.2, 02:30, 12:30, 010, 2031-01-01, 1e3, <<, true, null, ~, -7, 0]"
    assert read_yaml(text, "f").data == [
        *("off", "no", "1.2", "02:30", "12:30", "010", "2031-01-01", "1e3", "<<"),
        *(True, None, None, -7, 0),
    ]


def test_every_key_and_entry_has_its_line() -> None:
    document = read_yaml("a:\n  b: 1\n\n  c:\n    - x\n    - {d: 2}\n", "f")
    assert document.lines == {
        (): 1,
        ("a",): 1,
        ("a", "b"): 2,
        ("a", "c"): 4,
        ("a", "c", 0): 5,
        ("a", "c", 1): 6,
        ("a", "c", 1, "d"): 6,
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3\n", "f, line 3: a is given twice"),
        ("a:\n  b: {c: 1, c: 2}\n", "f, line 2: a.b.c is given twice"),
        ("a: 1\nb: [", "f, line 2: not valid YAML"),
        ("a: &x 1\n", "f, line 1: not valid YAML: anchors"),
        ("a: *x\n", "f, line 1: not valid YAML: anchors"),
        ("a: !!python/name:os.system\n", "f, line 1: not valid YAML: anchors"),
        ("a: !!set {b}\n", "f, line 1: not valid YAML: anchors"),
        ("a: !!int x\n", "f, line 1: not valid YAML: anchors"),
        ("[a]: 2\n", "f, line 1: a key must be plain text"),
        ("a: 1\n---\nb: 1\n", "f, line 2: not valid YAML"),
        ("\x01", "f: not valid YAML"),
        ("[" * 5000, "f: nested too deeply"),
        ("#" * (LARGEST + 1), "f is larger than"),
    ],
)
def test_what_is_refused(text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_yaml(text, "f")
    assert str(refused.value).startswith(expected)
    assert refused.value.exit_status == 5


def test_other_users_of_yaml_keep_its_usual_kinds() -> None:
    read_yaml("a: off", "f")
    assert yaml.safe_load("off") is False


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        message = f"f: {read_yaml(text, 'f')}"
    except ConfigError as refused:
        message = str(refused)
    assert message.startswith("f")
