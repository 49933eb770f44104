"""Completion of commands, options and paths by the shell.

A path is completed from one list call, whose answer is kept for a minute in ``~/.scaivault``. It
may take a second; whatever goes wrong, the shell shows nothing, and the prompt is not disturbed.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from types import FrameType
from typing import Any, Final

import click

from scaivault.cli import home
from scaivault.cli.failure import Failure
from scaivault.cli.session import Session, common_flags

_FILE: Final = "completion.json"
_SECONDS: Final = 1.0
_KEPT: Final = 60 * 1_000_000  # microseconds
_PAGE: Final = 200  # the server's largest


@click.command()
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")), metavar="SHELL")
@common_flags
def completion(shell: str) -> None:
    """Print what makes a shell complete commands, options and paths: bash, zsh or fish.

    For bash, in ~/.bashrc: eval "$(scaivault completion bash)". PowerShell is not supported.
    """
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    root = click.get_current_context().find_root().command
    if made is None:
        raise Failure("not_supported", f"this version of click knows no {shell}")
    click.echo(made(root, {}, "scaivault", "_SCAIVAULT_COMPLETE").source())


def complete_path(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Paths that begin with what was typed."""
    try:
        session = context.find_object(Session) or Session()
        partner = bool(context.params.get("partner"))
        folder = incomplete[: incomplete.rfind("/") + 1]
        paths = _listed(session.settings(), partner, folder)
    except Exception:  # noqa: BLE001 - a prompt must not be disturbed, whatever the cause
        return []
    return [path for path in paths if path.startswith(incomplete)]


def _listed(settings: Mapping[str, Any], partner: bool, folder: str) -> list[str]:
    """Paths below ``folder``: as kept, if the same was asked a moment ago by the same caller."""
    from scaivault.clock import SystemClock

    now = SystemClock().now()
    question = json.dumps([sorted(settings.items()), partner, folder]).encode()
    key = blake2b(question, digest_size=16).hexdigest()
    kept = json.loads(home.read(_FILE) or b"{}")
    if kept.get("key") == key and 0 <= now - kept["at"] < _KEPT:
        return [str(path) for path in kept["paths"]]
    paths = _asked(settings, partner, folder)
    home.write(_FILE, json.dumps({"key": key, "at": now, "paths": paths}).encode())
    return paths


def _asked(settings: Mapping[str, Any], partner: bool, folder: str) -> list[str]:
    from scaivault.cli.vault import Vault

    vault = Vault({**settings, "max_retries": 0}, debug=False)
    try:
        with _at_most(_SECONDS):
            page = vault.secrets(partner).list(folder or None, limit=_PAGE)
        return [item.path for item in page]
    finally:
        vault.close()


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    def late(_: int, __: FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
