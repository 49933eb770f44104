"""The bare servers of ``bench.apps`` as measurement targets."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.process import Folder, Process, free_port
from bench.target import Target

ROOT = Path(__file__).parent.parent
# As long as a real token: parsing it is part of what every server does.
HEADERS = {"Authorization": "Bearer skt_" + "0" * 49}
NAMES = {"route": "Starlette route", "raw": "ASGI callable"}


class Baseline(Target):
    """One uvicorn process (uvloop, httptools, no access log) with one of the two bare apps."""

    secrets = "/v1/secrets"

    def __init__(self, app: str, folder: Path) -> None:
        self.name = NAMES[app]
        self.port = free_port()
        argv = [sys.executable, "-m", "uvicorn", f"bench.apps:{app}", "--app-dir", str(ROOT)]
        argv += ["--host", "127.0.0.1", "--port", str(self.port)]
        argv += ["--loop", "uvloop", "--http", "httptools"]
        argv += ["--no-access-log", "--log-level", "warning", "--lifespan", "off"]
        self.process = Process(argv, folder / f"{app}.log")
        self.process.await_answer(f"{self.url}/v1/secrets/ready")

    @property
    def headers(self) -> dict[str, str]:
        return HEADERS


@contextmanager
def baseline(app: str, parent: Path | None = None) -> Iterator[Baseline]:
    """A bare server (``app`` is ``route`` or ``raw``), gone afterwards."""
    with Folder(parent, app) as folder:
        server = Baseline(app, folder.path)
        try:
            yield server
        finally:
            server.process.stop()
