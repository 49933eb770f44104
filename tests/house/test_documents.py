"""What the documents say is there, is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
OURS = re.compile(r"`((?:\.ci|bench|contrib|docs|scaivault|scaivault_sdk|scripts|tests)/[\w./-]*)`")
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)


@pytest.fixture
def documents(tracked: dict[Path, str]) -> dict[Path, str]:
    return {path: text for path, text in tracked.items() if path.suffix == ".md"}


def anchors(text: str) -> set[str]:
    """The anchors of a document's headings, as code hosts make them."""
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(text)]
    return {heading.replace(" ", "-") for heading in plain}


def test_every_relative_link_leads_somewhere(top: Path, documents: dict[Path, str]) -> None:
    broken = []
    for path, text in documents.items():
        for link in LINK.findall(FENCE.sub("", text)):
            name, _, anchor = link.partition("#")
            target = (top / path.parent / name) if name else top / path
            if ":" in name:
                continue
            if not target.exists() or (
                anchor and target.suffix == ".md" and anchor not in anchors(target.read_text())
            ):
                broken.append(f"{path}: {link}")
    assert broken == []


def test_every_file_that_is_named_exists(top: Path, documents: dict[Path, str]) -> None:
    missing = [
        f"{path}: {name}"
        for path, text in documents.items()
        for name in OURS.findall(text)
        if path.name != "CHANGELOG.md" and not (top / name).exists()
    ]
    assert missing == []


def test_every_recipe_that_is_named_exists(top: Path, documents: dict[Path, str]) -> None:
    recipes = set(re.findall(r"^([a-z-]+)(?: \*\w+)?:$", (top / "justfile").read_text(), re.M))
    named = {
        name for text in documents.values() for name in re.findall(r"`just ([a-z-]+)[^`]*`", text)
    }
    assert {"run", "test", "lint"} <= recipes
    assert named <= recipes


def test_the_readme_starts_with_the_two_commands(top: Path, documents: dict[Path, str]) -> None:
    readme = documents.get(Path("README.md"), documents[Path("CONTRIBUTING.md")])
    commands = re.findall(r"^(?:\./)?(scripts/\w+)", "\n".join(FENCE.findall(readme)), re.MULTILINE)
    assert {"scripts/run", "scripts/test"} <= set(commands)
    assert all((top / command).exists() for command in commands)


def test_every_decision_is_in_the_index_with_its_title(top: Path) -> None:
    folder = top / "docs" / "adr"
    index = (folder / "README.md").read_text()
    rows = dict(re.findall(r"^\| \[\d{4}\]\((\d{4}-[\w-]+\.md)\) \| (.+?) \|", index, re.MULTILINE))
    titles = {
        path.name: HEADING.findall(path.read_text())[0].partition(": ")[2]
        for path in folder.glob("[0-9]*.md")
    }
    assert rows == titles
    numbers = [name[:4] for name in sorted(titles)]
    assert numbers == [f"{n:04}" for n in range(1, len(numbers) + 1)]


@pytest.mark.parametrize("section", ["Context", "Decision", "Alternatives", "Consequences"])
def test_every_decision_has_its_sections(top: Path, section: str) -> None:
    for path in (top / "docs" / "adr").glob("[0-9]*.md"):
        assert section in HEADING.findall(path.read_text()), path.name


def test_the_changelog_knows_this_version(top: Path) -> None:
    version = re.search(r'__version__ = "(.+)"', (top / "scaivault" / "__init__.py").read_text())
    assert version is not None
    changelog = (top / "CHANGELOG.md").read_text()
    assert f"## [{version[1]}]" in changelog or "## [Unreleased]" in changelog
