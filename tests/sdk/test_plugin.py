"""The fixture that pytest finds in whoever installs the client."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

TOP = Path(__file__).parents[2]

PROGRAM = """
def test_first(scaivault_client):
    scaivault_client.secrets.write("app/db", {"n": 1})
    assert scaivault_client.secrets.read("app/db")["n"] == 1

def test_each_test_has_a_vault_of_its_own(scaivault_client):
    assert not scaivault_client.secrets.exists("app/db")
"""


def test_the_fixture_is_a_fresh_vault(tmp_path: Path) -> None:
    (tmp_path / "test_program.py").write_text(PROGRAM)
    plugin = "scaivault_sdk.pytest_plugin"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", plugin, str(tmp_path)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(TOP), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_the_entry_point_names_it() -> None:
    definition = tomllib.loads((TOP / "pyproject.toml").read_text())
    assert definition["project"]["entry-points"]["pytest11"] == {
        "scaivault": "scaivault_sdk.pytest_plugin"
    }
