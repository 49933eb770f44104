"""A running server, and programs that people point at it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.process import Server

Run = Callable[[str], str]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("clients"), {"rate_limits.enabled": True}).founded()
    yield server
    server.end()


def run(server: Server, command: list[str], **more: str) -> str:
    """What a program prints; the test fails with what it complains of."""
    env = {
        "PATH": os.environ["PATH"],
        "URL": f"http://127.0.0.1:{server.port}",
        "TOKEN": server.token,
        "SCAIVAULT_TOKEN": server.token,
        **more,
    }
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def shell(server: Server) -> Run:
    """Runs lines as somebody pastes them into a terminal."""
    for program in ("bash", "curl", "jq"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    return lambda text: run(server, ["bash", "-euo", "pipefail", "-c", text])


@pytest.fixture(scope="module")
def node(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs a module with Node, whose ``fetch`` is the client."""
    program = shutil.which("node")
    if program is None:
        pytest.skip("node is not installed")
    folder: Path = tmp_path_factory.mktemp("node")

    def go(text: str) -> str:
        file = folder / "pasted.mjs"
        file.write_text(text)
        return run(server, [program, str(file)])

    return go
