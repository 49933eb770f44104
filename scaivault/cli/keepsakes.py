"""Secrets on their way out: values the server shows once, each in its own file.

The directory is 0700 and one's own; each file is 0600, made exclusively and never through a
link, and on disk before the command reports success. The directory is held open from before
the call that makes the secrets, so nobody can exchange it meanwhile.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from scaivault.cli.failure import Failure, usage
from scaivault.cli.output import Table

# Slot ids become file names; nothing else the server might say may.
_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PROBE: Final = ".writable"


class Keepsakes:
    """An output directory. Opening it fails before anything was asked of the server."""

    def __init__(self, path: str) -> None:
        self.path: Final = Path(path).absolute()
        self._directory: Final = _private_directory(self.path)
        try:
            self._write(_PROBE, b"\n")
            os.unlink(_PROBE, dir_fd=self._directory)
        except OSError as error:
            os.close(self._directory)
            raise usage(f"--output-dir {path} cannot be written: {error.strerror}") from None

    def __enter__(self) -> Keepsakes:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._directory)

    def keep(self, secrets: Mapping[str, str]) -> list[Path]:
        """Write name -> text; the paths. ``Failure`` names the first that could not be kept."""
        paths = []
        for name, text in secrets.items():
            try:
                self._write(name, text.encode() + b"\n")
            except OSError as error:
                raise Failure(
                    "not_kept",
                    f"{self.path / name}: {error.strerror}. The server has made these secrets but "
                    "will not show them again: start over, or replace the slots concerned",
                ) from None
            paths.append(self.path / name)
        os.fsync(self._directory)
        return paths

    def _write(self, name: str, content: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(name, flags, 0o600, dir_fd=self._directory)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)
            file.write(content)
            file.flush()
            os.fsync(descriptor)


def shown_once(body: Mapping[str, Any]) -> dict[str, str]:
    """File name -> secret, for all that an answer shows only once: ``root-token``,
    ``recovery-key``, ``share-<slot id>-<n>``."""
    secrets: dict[str, str] = {}
    for field, name in (("root_token", "root-token"), ("recovery_key", "recovery-key")):
        if body.get(field):
            secrets[name] = str(body[field])
    for slot, shares in _shares(body).items():
        if not _PLAIN.fullmatch(slot) or not isinstance(shares, list):
            raise Failure("unexpected_answer", "the server sent shares or a slot id that are none")
        for number, share in enumerate(shares, 1):
            secrets[f"share-{slot}-{number}"] = str(share)
    return secrets


def without_once(body: Mapping[str, Any]) -> dict[str, Any]:
    """The answer without what ``shown_once`` takes from it."""
    once = ("root_token", "recovery_key", "shares")
    return {name: value for name, value in body.items() if name not in once}


def table_of(secrets: Mapping[str, str]) -> Table:
    """The secrets themselves, for a terminal that is asked to show them."""
    return Table(("ONCE", "VALUE"), list(secrets.items()))


def _shares(body: Mapping[str, Any]) -> dict[str, Any]:
    """``shares`` of init and rotate-root is by slot id; of a new slot, a list."""
    shares = body.get("shares") or {}
    if isinstance(shares, list):
        return {str(body.get("id", "slot")): shares}
    return shares if isinstance(shares, dict) else {"": shares}


def _private_directory(path: Path) -> int:
    try:
        path.mkdir(0o700, exist_ok=True)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise usage(f"--output-dir {path}: {error.strerror}") from None
    info = os.fstat(descriptor)
    if info.st_uid != os.geteuid() or stat.S_IMODE(info.st_mode) & 0o077:
        os.close(descriptor)
        raise usage(f"--output-dir {path} must be your own with mode 0700, or not exist yet")
    return descriptor
