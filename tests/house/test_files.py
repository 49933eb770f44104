"""What no file of the repository may hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

# Written in pieces, so that this file holds none of them.
REGISTRIES = [
    r"pypi\." + "org",
    "pythonhosted" + r"\.org",
    r"registry\.npm" + r"js\.org",
    r"deb\.deb" + r"ian\.org",
    r"proxy\.gol" + r"ang\.org",
]
MACHINE_PATHS = [r"(?<![\w.-])/" + name + "/" for name in ("work", "root", "opt/wheels")]


@pytest.mark.parametrize("pattern", REGISTRIES + MACHINE_PATHS)
def test_no_registry_and_no_path_of_one_machine(tracked: dict[Path, str], pattern: str) -> None:
    found = re.compile(pattern)
    assert [str(path) for path, text in tracked.items() if found.search(text)] == []


def test_lines_end_as_they_should(tracked: dict[Path, str]) -> None:
    code = {path: text for path, text in tracked.items() if path.suffix in {".py", ".md", ".sql"}}
    assert len(code) > 20
    assert [str(path) for path, text in code.items() if "\r" in text] == []
    assert [str(path) for path, text in code.items() if text and not text.endswith("\n")] == []


def test_nothing_is_put_off(tracked: dict[Path, str]) -> None:
    later = re.compile(r"\b(?:TO" + "DO|FIX" + r"ME)\b")
    assert [str(path) for path, text in tracked.items() if later.search(text)] == []


def test_no_file_is_a_key_or_a_vault(tracked: dict[Path, str]) -> None:
    kept = {".pem", ".key", ".p12", ".pfx", ".db", ".seal", ".svb", ".env"}
    outside = [path for path in tracked if path.suffix in kept and path.parts[0] != "tests"]
    assert outside == []
