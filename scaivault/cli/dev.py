"""A data directory for ``serve --dev``: in memory where the host can, gone at exit."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - the RAM disk of Linux; the name below is random


@contextmanager
def throwaway(*, keep: bool) -> Iterator[Path]:
    """A new empty 0700 directory, removed afterwards unless ``keep`` (then on a real disk)."""
    in_memory = not keep and _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK)
    path = Path(tempfile.mkdtemp(prefix="scaivault-dev-", dir=_MEMORY if in_memory else None))
    try:
        yield path
    finally:
        if not keep:
            shutil.rmtree(path, ignore_errors=True)
