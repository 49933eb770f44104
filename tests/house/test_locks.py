"""The locks: exact versions with hashes, from nowhere in particular, and no drift."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

LOCKS = ["requirements.lock", "requirements-dev.lock", "requirements-bench.lock"]
ENTRY = re.compile(
    r"^([a-z0-9-]+)==([\w.!+-]+)(?: ; [^\\\n]+)?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)\n",
    re.MULTILINE,
)


def pins(lock: Path) -> dict[str, str]:
    return {name: version for name, version, _ in ENTRY.findall(lock.read_text())}


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_is_nothing_but_pins_with_hashes(top: Path, name: str) -> None:
    assert ENTRY.sub("", (top / name).read_text()) == ""
    assert len(pins(top / name)) > 15


def test_what_runs_is_what_is_tested(top: Path) -> None:
    runtime, development, benchmarks = (pins(top / name) for name in LOCKS)
    assert runtime.items() <= development.items()
    assert runtime.items() <= benchmarks.items()


def test_every_dependency_is_locked(top: Path) -> None:
    definition = tomllib.loads((top / "pyproject.toml").read_text())
    wanted = {
        LOCKS[0]: definition["project"]["dependencies"],
        LOCKS[1]: definition["dependency-groups"]["dev"] + definition["build-system"]["requires"],
        LOCKS[2]: definition["dependency-groups"]["bench"],
    }
    for lock, requirements in wanted.items():
        names = {re.split(r"[><=~! \[]", requirement)[0] for requirement in requirements}
        assert names - pins(top / lock).keys() == set()
