"""Tables and documents on stdout, errors on stderr."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaivault.cli import output
from scaivault.cli.failure import Failure
from scaivault.cli.output import Table, aligned, cell, clean, tabbed


@given(st.text(st.characters()))
def test_nothing_that_steers_a_terminal_gets_through(text: str) -> None:
    shown = clean(text)
    assert not {unicodedata.category(each) for each in shown} & {"Cc", "Cf", "Zl", "Zp", "Cs"}
    shown.encode()


@pytest.mark.parametrize(
    ("text", "shown"),
    [("\x1b[2J", "\\x1b[2J"), ("a\tb\nc", "a\\tb\\nc"), ("\u202eabc", "\\u202eabc"), ("é", "é")],
)
def test_what_escapes_look_like(text: str, shown: str) -> None:
    assert clean(text) == shown


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), ("", "-"), (True, "yes"), (False, "no"), (0, "0"), ([1, 3], "1,3"), ([], "-")],
)
def test_cells(value: Any, text: str) -> None:
    assert cell(value) == text


def test_a_terminal_gets_columns_under_a_header() -> None:
    table = Table(("ID", "TYPE"), [("slot_1", "shamir"), ("s", None)])
    assert aligned(table) == "ID      TYPE\nslot_1  shamir\ns       -"


@given(st.lists(st.tuples(st.text(st.characters()), st.text(st.characters())), min_size=1))
def test_a_pipe_gets_one_line_a_row_and_one_tab_a_border(rows: list[tuple[str, str]]) -> None:
    lines = tabbed(Table(("A", "B"), rows)).split("\n")
    assert len(lines) == len(rows)
    assert all(line.count("\t") == 1 for line in lines)


def test_tables_without_rows_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    output.show(Table(("A",), []), Table(("B",), [("x",)]))
    assert capsys.readouterr().out == "x\n"


def test_a_document_stays_as_it_came(capsys: pytest.CaptureFixture[str]) -> None:
    output.document('{"a":  1}')
    output.document("")
    assert capsys.readouterr().out == '{"a":  1}\n'


@given(st.recursive(st.text(st.characters()), st.lists, max_leaves=5), st.booleans())
def test_json_at_a_terminal_is_the_same_document_and_steers_nothing(
    value: Any, plain: bool
) -> None:
    text = json.dumps(value, ensure_ascii=plain, indent=1)
    shown = output.escaped(text)
    assert json.loads(shown) == value
    steering = {unicodedata.category(each) for each in shown if each != "\n"}
    assert not steering & {"Cc", "Cf", "Zl", "Zp", "Cs"}


def test_an_error_cannot_forge_a_second_line(capsys: pytest.CaptureFixture[str]) -> None:
    output.complain(Failure("a", "x\nerror: b: y"), envelope=False)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "error: a: x\\nerror: b: y\n"
