"""The reference says what the code says now."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("page", ["cli.md", "api.md", "errors.md"])
def test_there_is_a_page(top: Path, page: str) -> None:
    assert len((top / "docs" / "reference" / page).read_text().splitlines()) > 30


def test_no_page_is_out_of_date(top: Path) -> None:
    """`scripts/docs` writes them anew."""
    checked = subprocess.run(
        [sys.executable, "scripts/reference.py", "--check"],
        cwd=top,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.stdout, checked.stderr, checked.returncode) == ("", "", 0)
