"""``secrets edit``: a value in an editor, on a file that is in memory only."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import click

from scaivault.cli.failure import Failure, usage
from scaivault.cli.ram import kept_in_memory
from scaivault.cli.secrets.shapes import partner_flag, path_argument, row_table
from scaivault.cli.session import client_flags, session
from scaivault.cli.values import Data, parsed

_LIMIT = 1 << 20


@click.command()
@path_argument()
@click.option("--on-disk", is_flag=True, help="A temporary file when there is no place in memory.")
@partner_flag
@client_flags
def edit(path: str, on_disk: bool, partner: bool) -> None:
    """Change a value, as JSON, in $VISUAL, $EDITOR or vi.

    The file is 0600 on tmpfs and gone afterwards, with all that the editor left beside it. What the
    editor keeps elsewhere (vim: viminfo, undodir) is up to its settings.

    The new version is written only if nobody else wrote meanwhile. An unchanged file writes
    nothing.
    """
    editor = _editor()
    current = session()
    vault = current.vault()
    secrets = vault.secrets(partner)
    before = vault.ask(secrets.read, path).body
    data = _edited(before["data"], editor, on_disk=on_disk)
    if data is None:
        current.note("nothing changed")
        return
    answer = vault.ask(secrets.write, path, data, cas=before["version"])
    current.show(answer, row_table(answer.body, "path", "version", "created"))


def _editor() -> list[str]:
    """The program and its arguments."""
    try:
        words = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    except ValueError:
        words = []
    if not words:
        raise usage("$VISUAL or $EDITOR names no program")
    return words


def _edited(before: Data, editor: list[str], *, on_disk: bool) -> Data | None:
    """The value as the editor left it; ``None`` when it is the same."""
    text = json.dumps(before, indent=2, ensure_ascii=False).encode() + b"\n"
    with kept_in_memory(text, suffix=".json", on_disk=on_disk) as file:
        while True:
            _run(editor, file)
            after = _content(file)
            if after == text:
                return None
            try:
                return _object(after)
            except ValueError as fault:
                _again(str(fault))


def _run(words: list[str], file: Path) -> None:
    # Ctrl-C belongs to the editor while it runs, but reaches this process too. A handler, other
    # than SIG_IGN, is not inherited by the editor.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        code = _ended(words, file)
    finally:
        signal.signal(signal.SIGINT, before)
    if code != 0:
        raise Failure("editor_failed", f"{words[0]} ended with {code}; nothing was written")


def _ended(words: list[str], file: Path) -> int:
    try:
        process = subprocess.Popen([*words, str(file)])  # noqa: S603 - the user's own editor
    except OSError as error:
        raise usage(f"the editor {words[0]} cannot be run: {error.strerror}") from None
    try:
        return process.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise


def _content(file: Path) -> bytes:
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise Failure("editor_failed", f"the editor's file is gone: {error.strerror}") from None
    with os.fdopen(descriptor, "rb") as opened:
        raw = opened.read(_LIMIT + 1)
    if len(raw) > _LIMIT:
        raise usage(f"the value is longer than {_LIMIT} bytes")
    return raw


def _object(raw: bytes) -> Data:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    value = parsed(text)
    if not isinstance(value, dict):
        raise ValueError("it is another kind of JSON")
    return value


def _again(fault: str) -> None:
    """Back into the editor, if somebody is there to say so."""
    if not sys.stdin.isatty():
        raise usage(f"what the editor left is no JSON object: {fault}; nothing was written")
    if not click.confirm(f"No JSON object: {fault}. Edit again?", default=True, err=True):
        raise Failure("aborted", "nothing was written")
