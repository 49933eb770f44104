"""THREATS.md promises nothing that no test holds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


@pytest.fixture
def threats(top: Path) -> str:
    return (top / "THREATS.md").read_text()


def section(text: str, heading: str) -> str:
    """What stands below a heading of the second level, up to the next one."""
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def test_every_test_that_is_named_exists(top: Path, threats: str) -> None:
    missing = []
    for path, name in NAMED.findall(threats):
        there = (top / path).is_file()
        text = (top / path).read_text() if there else ""
        if not there or (name and f"def {name}(" not in text):
            missing.append(f"{path}::{name}")
    assert missing == []


def test_every_promise_names_its_tests(threats: str) -> None:
    promises = section(threats, "Promises").split("\n### ")[1:]
    assert len(promises) == 7
    bare = []
    for promise in promises:
        heading, _, text = promise.partition("\n")
        _, held, tests = text.partition("\nHeld by ")
        if not held or not NAMED.search(tests):
            bare.append(heading)
    assert bare == []


def test_every_class_of_attack_is_tried_somewhere(threats: str) -> None:
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", section(threats, "Classes of attack"), re.MULTILINE)
    classes = [(name, tests) for name, tests in rows if name not in ("Class", "---")]
    assert len(classes) > 15
    assert [name for name, tests in classes if not NAMED.search(tests)] == []


def test_the_readme_links_every_promise(top: Path, threats: str) -> None:
    linked = set(re.findall(r"\(THREATS\.md#(\d)-", (top / "README.md").read_text()))
    assert linked == set(re.findall(r"^### (\d)\. ", threats, re.MULTILINE))
