"""config.example.yaml and the settings say the same, in both directions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import scaivault
from scaivault.config import KEYS
from scaivault.config.convert import build
from scaivault.config.document import read_yaml
from scaivault.config.layers import from_file
from scaivault.config.settings import Settings, lookup

EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"
COMMENTED_KEY = re.compile(r"^( *)#([a-z][a-z0-9_]*:)", re.MULTILINE)


def uncommented() -> str:
    return COMMENTED_KEY.sub(r"\1\2", EXAMPLE.read_text())


@pytest.fixture
def example(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(uncommented())
    return path


def test_the_example_lists_every_key_and_no_other(example: Path) -> None:
    assert list(from_file(example, {})) == list(KEYS)


@pytest.mark.parametrize("key", KEYS)
def test_the_example_shows_the_default(example: Path, key: str) -> None:
    assert lookup(build(from_file(example, {})), key) == lookup(Settings(), key)


def test_as_shipped_the_example_changes_nothing() -> None:
    assert from_file(EXAMPLE, {}) == {}


def test_every_key_has_one_line_of_meaning_above_it() -> None:
    lines = EXAMPLE.read_text().splitlines()
    places = [n for n, line in enumerate(lines) if COMMENTED_KEY.match(line)]
    assert len(places) == len(KEYS)
    for place in places:
        indent = len(lines[place]) - len(lines[place].lstrip())
        assert re.match(rf"^ {{{indent}}}# \S.{{5,}}", lines[place - 1]), lines[place]


def test_lists_and_tables_shown_in_prose_are_valid_yaml() -> None:
    shown = re.findall(r"such as (\[.*\])\.$|: (\{name.*\})\.$", EXAMPLE.read_text(), re.MULTILINE)
    assert len(shown) >= 4
    for either in shown:
        assert read_yaml("".join(either), "example").data


def test_a_setting_that_nothing_reads_says_so() -> None:
    package = Path(scaivault.__file__).parent
    code = "".join(
        source.read_text()
        for source in package.rglob("*.py")
        if source.parent != package / "config"
    )
    read = set(re.findall(r"\.([a-z_]+)\b", code))
    marked = re.findall(r"^ *# Not used yet\. .*\n *#([a-z_]+):", EXAMPLE.read_text(), re.MULTILINE)
    limits = {key for key in KEYS if key.startswith("rate_limits.")}  # read as a whole
    names = {key.rpartition(".")[2] for key in KEYS.keys() - limits}
    assert len(marked) > 20
    assert names - read - set(marked) == set()
