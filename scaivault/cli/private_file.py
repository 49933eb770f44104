"""One secret on its way into a file that programs read: 0600, whole or not at all.

The new file stands ready before the server is asked to make the secret, and takes the place of the
old one by a rename: who reads meanwhile gets the old secret or the new one.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from types import TracebackType
from typing import Final

from scaivault.cli.failure import Failure, usage


class PrivateFile:
    """A file to be. Opening it fails before anything was asked of the server."""

    def __init__(self, path: str) -> None:
        self.path: Final = Path(path).absolute()
        self._beside = f".{self.path.name}.{os.urandom(8).hex()}"
        try:
            _check_plain(self.path)
            self._folder: Final = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise usage(f"--out {path} cannot be written: {error.strerror}") from None
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(self._beside, flags, 0o600, dir_fd=self._folder)
        except OSError as error:
            os.close(self._folder)
            raise usage(f"--out {path} cannot be written: {error.strerror}") from None
        self._file: Final = os.fdopen(descriptor, "wb")
        self._kept = False

    def __enter__(self) -> PrivateFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        if not self._kept:
            os.unlink(self._beside, dir_fd=self._folder)
        os.close(self._folder)

    def keep(self, secret: str) -> None:
        """Write the secret on a line, in place of what the file held; on disk when this returns.
        ``Failure`` when that was not possible."""
        try:
            os.fchmod(self._file.fileno(), 0o600)
            self._file.write(secret.encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
            os.rename(
                self._beside, self.path.name, src_dir_fd=self._folder, dst_dir_fd=self._folder
            )
            self._kept = True
            os.fsync(self._folder)
        except OSError as error:
            raise Failure(
                "not_kept",
                f"{self.path}: {error.strerror}. The server has made the secret but will not show "
                "it again: revoke it, and make another",
            ) from None


def _check_plain(path: Path) -> None:
    """``OSError`` when something other than a plain file is there: to put a file in place of
    ``/dev/stdout`` would break the machine."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "there is something else than a plain file")
