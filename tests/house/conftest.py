"""The files that the repository holds."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def top() -> Path:
    """The folder of the checkout."""
    return TOP


@pytest.fixture(scope="session")
def tracked() -> dict[Path, str]:
    """Path from the top -> text of every text file in the index; files deleted just now are out."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=TOP, check=True, capture_output=True, text=True
    ).stdout
    texts: dict[Path, str] = {}
    for name in filter(None, listed.split("\0")):
        try:
            texts[Path(name)] = (TOP / name).read_text(encoding="utf-8")
        except (FileNotFoundError, IsADirectoryError, UnicodeDecodeError):
            continue
    return texts
