"""``scaivault secrets edit``: a value in an editor, and what is left of it afterwards."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scaivault.cli import ram
from scaivault.cli.failure import Failure
from tests.support.process import until

CANARY = "canary7secret7canary"
WHEN = "2031-05-09T06:30:00.000000Z"
READ = "GET /v1/secrets/app/db"
WRITE = "PUT /v1/secrets/app/db"
VALUE = {
    "path": "app/db",
    "secret_type": "json",
    "version": 4,
    "data": {"pass": CANARY, "n": 1},
    "metadata": {},
    "created_at": WHEN,
    "updated_at": WHEN,
    "expires_at": None,
}
WRITTEN = {"path": "app/db", "version": 5, "created": False, "previous_version": 4}

Editor = Callable[[str], str]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of the test's own that counts as memory; with another one, nothing else does."""
    path = tmp_path / "memory"
    path.mkdir(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(path))
    monkeypatch.setattr("scaivault.storage.mounts.file_system", lambda _: "tmpfs")
    return path


@pytest.fixture
def editor(tmp_path: Path) -> Editor:
    """A program that does something with the file it is given (``path``)."""

    def make(body: str) -> str:
        script = tmp_path / "editor.py"
        imports = "import json, os, pathlib, signal, sys, time"
        script.write_text(f"{imports}\npath = pathlib.Path(sys.argv[1])\n{body}\n")
        return f"{sys.executable} {script}"

    return make


def change(what: str) -> str:
    return f"value = json.loads(path.read_text())\n{what}\npath.write_text(json.dumps(value))"


def test_what_the_editor_left_is_written_over_the_version_it_saw(
    run: Any, server: Any, editor: Editor, place: Path
) -> None:
    server.answer(READ, VALUE)
    server.answer(WRITE, WRITTEN)
    program = editor(change("value['pass'] = 'new'"))
    result = run("secrets", "edit", "app/db", EDITOR="false", VISUAL=program)
    assert (result.exit_code, result.stdout) == (0, "app/db\t5\tno\n")
    assert server.sent(WRITE) == [{"data": {"pass": "new", "n": 1}, "options": {"cas": 4}}]
    assert list(place.iterdir()) == []


def test_the_file_is_private_and_in_memory(
    run: Any, server: Any, editor: Editor, tmp_path: Path, place: Path
) -> None:
    server.answer(READ, VALUE)
    notes = tmp_path / "notes.json"
    facts = "[str(path), path.stat().st_mode, path.parent.stat().st_mode, sys.argv]"
    program = editor(f"pathlib.Path({str(notes)!r}).write_text(json.dumps({facts}))")
    result = run("secrets", "edit", "app/db", VISUAL=None, EDITOR=program)
    path, file, folder, words = json.loads(notes.read_text())
    assert Path(path).is_relative_to(place)
    assert (stat.S_IMODE(file), stat.S_IMODE(folder)) == (0o600, 0o700)
    assert CANARY not in " ".join(words)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "nothing changed" in result.stderr
    assert server.sent(WRITE) == []


@pytest.mark.parametrize(
    "body",
    [
        "sys.exit(3)",
        "path.unlink()",
        "path.write_text('{\"pass\": canary7secret7canary')",
        "path.write_text('[\"canary7secret7canary\"]')",
        'path.write_bytes(b\'{"a": "\\xff"}\')',
        "path.write_bytes(b'x' * 2_000_000)",
        "path.unlink(); path.symlink_to('/etc/hostname')",
        "(path.parent / '.swap').write_bytes(path.read_bytes()); sys.exit(1)",
        "d = path.parent / 'backup'; d.mkdir(); path.rename(d / 'x'); sys.exit(1)",
    ],
)
def test_whatever_goes_wrong_nothing_is_left_or_shown(
    run: Any, server: Any, editor: Editor, place: Path, body: str
) -> None:
    server.answer(READ, VALUE)
    result = run("secrets", "edit", "app/db", VISUAL=None, EDITOR=editor(body))
    assert result.exit_code in (1, 5)
    assert CANARY not in result.output + result.stderr
    assert server.sent(WRITE) == []
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("program", ["/nonexistent/editor", " ", "'"])
def test_an_editor_that_is_none(run: Any, server: Any, place: Path, program: str) -> None:
    server.answer(READ, VALUE)
    result = run("secrets", "edit", "app/db", VISUAL=None, EDITOR=program)
    assert result.exit_code == 5
    assert list(place.iterdir()) == []


def test_a_conflict_leaves_nothing(run: Any, server: Any, editor: Editor, place: Path) -> None:
    server.answer(READ, VALUE)
    server.refuse(WRITE, 409, "version_conflict", "somebody else wrote")
    program = editor(change("value['n'] = 2"))
    result = run("secrets", "edit", "app/db", VISUAL=None, EDITOR=program)
    assert result.exit_code == 1
    assert CANARY not in result.output + result.stderr
    assert list(place.iterdir()) == []


def test_bad_json_can_be_edited_again(
    terminal: Any, server: Any, editor: Editor, tmp_path: Path
) -> None:
    server.answer(READ, VALUE)
    server.answer(WRITE, WRITTEN)
    seen = tmp_path / "seen"
    program = editor(
        f"seen = pathlib.Path({str(seen)!r})\n"
        "path.write_text('{\"a\": 2}' if seen.exists() else '{canary7secret7canary')\n"
        "seen.touch()"
    )
    code, screen = terminal(["secrets", "edit", "app/db"], [("again?", "y")], VISUAL=program)
    assert code == 0
    assert CANARY not in screen
    assert server.sent(WRITE) == [{"data": {"a": 2}, "options": {"cas": 4}}]


def test_without_a_place_in_memory_it_is_refused_before_anything_is_written(
    run: Any, server: Any, editor: Editor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("scaivault.storage.mounts.file_system", lambda _: "ext4")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    server.answer(READ, VALUE)
    server.answer(WRITE, WRITTEN)
    program = editor(change("value['n'] = 2"))
    before = set(tmp_path.iterdir())
    result = run("secrets", "edit", "app/db", VISUAL=None, EDITOR=program)
    assert result.exit_code == 5
    assert "--on-disk" in result.stderr
    assert run("secrets", "edit", "app/db", "--on-disk", EDITOR=program).exit_code == 0
    assert set(tmp_path.iterdir()) == before


def _ended(environment: dict[str, str], program: str, number: int, started: Path) -> int:
    """Exit code of an edit that gets a signal while its editor runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "scaivault.cli.main", "secrets", "edit", "app/db"],
        env={**environment, "EDITOR": program, "VISUAL": ""},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    until(started.exists, "the editor runs")
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as the terminal does
    else:
        process.send_signal(number)
    return process.wait(30)


@pytest.mark.skipif(ram.file_system_of("/dev/shm") != "tmpfs", reason="no /dev/shm here")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGINT])
def test_a_signal_takes_the_file_along(
    server: Any, environment: dict[str, str | None], editor: Editor, tmp_path: Path, number: int
) -> None:
    server.answer(READ, VALUE)
    started, where = tmp_path / "started", tmp_path / "where"
    program = editor(
        f"pathlib.Path({str(where)!r}).write_text(str(path))\n"
        f"pathlib.Path({str(started)!r}).touch()\ntime.sleep(60)"
    )
    variables = {**os.environ, **environment, "XDG_RUNTIME_DIR": ""}
    known = {name: value for name, value in variables.items() if value is not None}
    assert _ended(known, program, number, started) == 1
    assert not Path(where.read_text()).parent.exists()
    assert server.sent(WRITE) == []


def test_wiping_overwrites_before_it_removes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, outside = tmp_path / "wiped", tmp_path / "outside"
    (folder / "deep").mkdir(parents=True)
    outside.write_text("stays")
    (folder / "a").write_text(CANARY)
    (folder / "deep" / "b").write_text(CANARY * 10_000)
    (folder / "link").symlink_to(outside)
    os.mkfifo(folder / "pipe")
    kept = {path: os.open(path, os.O_RDONLY) for path in (folder / "a", folder / "deep" / "b")}
    ram.wipe(folder)
    assert not folder.exists()
    assert outside.read_text() == "stays"
    for descriptor in kept.values():
        assert set(os.read(descriptor, 1 << 20)) == {0}
        os.close(descriptor)


def test_what_cannot_be_removed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.rmtree", lambda *_, **__: None)
    with pytest.raises(Failure, match="could not be removed"):
        ram.wipe(tmp_path)
