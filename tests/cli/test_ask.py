"""Secrets on their way in."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest

from scaivault.cli import ask
from scaivault.cli.failure import Failure


class _Stdin(io.TextIOWrapper):
    """Stdin that is a pipe with this content."""

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content))


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        (b"hunter22", "hunter22"),
        (b"hunter22\n", "hunter22"),
        (b"hunter22\r\n", "hunter22"),
        (b" hunter 22 \n\n", " hunter 22 \n"),
        ("pässword\n".encode(), "pässword"),
        (b"hunter22\r", "hunter22\r"),
    ],
)
def test_a_file_is_taken_exactly_but_for_one_line_end(
    tmp_path: Path, content: bytes, secret: str
) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    assert ask.from_file(str(file)) == secret


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n", b"hunter\xff22", b"x" * 65537])
def test_what_is_no_secret_is_refused_without_being_shown(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    with pytest.raises(Failure) as caught:
        ask.from_file(str(file))
    assert caught.value.exit_code == 5
    assert str(file) in caught.value.message
    assert "hunter" not in caught.value.message


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="No such file") as caught:
        ask.from_file(str(tmp_path / "none"))
    assert caught.value.exit_code == 5


def test_a_dash_is_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", _Stdin(b"hunter22\n"))
    assert ask.from_file("-") == "hunter22"


def test_lines(tmp_path: Path) -> None:
    file = tmp_path / "shares"
    file.write_text("one\n\n  two \r\n")
    assert ask.lines_from_file(str(file)) == ["one", "two"]
    file.write_text("  \n\n")
    with pytest.raises(Failure, match="is empty"):
        ask.lines_from_file(str(file))


def test_without_a_terminal_a_prompt_names_the_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", _Stdin(b"hunter22\n"))
    with pytest.raises(Failure, match="--passphrase-file") as caught:
        ask.hidden("Passphrase", instead="--passphrase-file")
    assert caught.value.exit_code == 5


@pytest.mark.parametrize(("words", "code"), [([], 5), (["--yes"], 0)])
def test_without_a_terminal_destruction_needs_yes(
    run: Any, server: Any, words: list[str], code: int
) -> None:
    server.answer("DELETE /v1/system/slots/slot_1", status=204)
    assert run("operator", "slots", "remove", "slot_1", *words).exit_code == code
    assert len(server.requests) == (1 if words else 0)


@pytest.mark.parametrize(("typed", "code"), [("y", 0), ("n", 1), ("", 1)])
def test_at_a_terminal_destruction_asks(terminal: Any, server: Any, typed: str, code: int) -> None:
    server.answer("DELETE /v1/system/slots/slot_1", status=204)
    done, screen = terminal(
        ["operator", "slots", "remove", "slot_1"], [("Remove slot slot_1?", typed)]
    )
    assert (done, len(server.requests)) == (code, 1 - code)
    assert ("nothing was changed" in screen) == bool(code)
