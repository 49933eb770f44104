"""The page about performance shows the newest results, and only what was measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_the_page_and_its_plot_are_what_the_results_give(top: Path) -> None:
    """`python -m bench.report` writes both anew."""
    checked = subprocess.run(
        [sys.executable, "-m", "bench.report", "--check"],
        cwd=top,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.stdout, checked.stderr, checked.returncode) == ("", "", 0)


def test_a_result_says_how_it_was_come_by(top: Path) -> None:
    files = sorted((top / "bench" / "results").glob("*.json"))
    assert files
    for file in files:
        run = json.loads(file.read_text())
        assert run["date"][:10] == file.name[:10]
        assert {"kernel", "file_system", "cores", "synced_4k_write_us"} <= run["hardware"].keys()
        assert {"fsync", "audit", "value_bytes", "connections"} <= run["modes"].keys()
        assert {"Python", "ScaiVault", "OpenBao", "wrk"} <= run["versions"].keys()
