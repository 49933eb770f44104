"""The scripts of a fresh clone, and the unit of an installed vault."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
from pathlib import Path

import pytest

SCRIPTS = [".ci/run", "scripts/run", "scripts/test", "scripts/lock", "scripts/docs", "scripts/sdk"]


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_strict_executable_bash(top: Path, name: str) -> None:
    script = top / name
    assert script.read_text().startswith("#!/usr/bin/env bash\n")
    assert re.search(r"^set -euo pipefail$", script.read_text(), re.MULTILINE)
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)


def environment(top: Path, code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"source scripts/environment.sh; {code}"],
        cwd=top,
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_python_that_is_named_is_taken(top: Path) -> None:
    python = str(top / ".venv" / "bin" / "python")
    if not Path(python).exists():
        pytest.skip("there is no .venv in this checkout")
    assert environment(top, "find_python", SCAIVAULT_PYTHON=python).stdout == f"{python}\n"


def test_only_the_python_that_is_named_is_considered(top: Path) -> None:
    ended = environment(top, "find_python", SCAIVAULT_PYTHON="/nowhere/python")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "tried: /nowhere/python" in ended.stderr


def test_without_a_fitting_python_the_message_says_what_to_do(top: Path, tmp_path: Path) -> None:
    for name in ("python3.11", "python3.12", "python3.13", "python3.14", "python3"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    ended = environment(top, f"PATH={tmp_path}; find_python")
    assert ended.returncode == 1
    assert "needs Python 3.11 or newer" in ended.stderr


def test_of_several_pythons_the_fastest_is_taken(top: Path, tmp_path: Path) -> None:
    takes = {"a": 1000, "b": 900, "c": 500, "d": 450}
    for name, taken in takes.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "python3").write_text(f"#!/bin/sh\necho {taken}\n")
        (tmp_path / name / "python3").chmod(0o755)
    path = ":".join(str(tmp_path / name) for name in takes)
    found = environment(top, f"PATH={path}; find_python")
    assert found.stdout == f"{tmp_path}/c/python3\n"


def test_the_fingerprint_follows_the_lock(top: Path, tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    for name in ("scripts/environment.sh", "requirements-dev.lock", "pyproject.toml"):
        (tmp_path / name).write_text((top / name).read_text())
    before = environment(tmp_path, "fingerprint").stdout
    assert environment(tmp_path, "fingerprint").stdout == before
    (tmp_path / "requirements-dev.lock").write_text("changed")
    assert environment(tmp_path, "fingerprint").stdout != before


REQUIRED = {
    "Type": "notify",
    "WatchdogSec": "30",
    "User": "scaivault",
    "StateDirectory": "scaivault",
    "StateDirectoryMode": "0700",
    "UMask": "0077",
    "LimitMEMLOCK": "infinity",
    "LimitCORE": "0",
    "MemorySwapMax": "0",
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "PrivateUsers": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectControlGroups": "yes",
    "ProtectClock": "yes",
    "ProtectHostname": "yes",
    "ProtectProc": "invisible",
    "RestrictAddressFamilies": "AF_UNIX AF_INET AF_INET6",
    "RestrictNamespaces": "yes",
    "RestrictRealtime": "yes",
    "RestrictSUIDSGID": "yes",
    "LockPersonality": "yes",
    "Restart": "on-failure",
    "RestartPreventExitStatus": "5 6 7",
}


def test_the_unit_confines_the_vault(top: Path) -> None:
    text = (top / "contrib" / "systemd" / "scaivault.service").read_text()
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # keys keep their case
    unit.read_string(text)
    service = dict(unit["Service"])
    assert REQUIRED.items() <= service.items()
    filters = re.findall(r"^SystemCallFilter=(.+)$", text, re.MULTILINE)
    assert filters == ["@system-service", "~@privileged"]
    assert "#LoadCredentialEncrypted=scaivault.key" in text
    assert "DeviceAllow=/dev/tpmrm0 rw" in text
