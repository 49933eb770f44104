"""A program that does one thing to a vault and is killed at a chosen step of it.

Each line on stdin is a job: ``{"folder": …, "work": …, "step": n}``. A step is whatever reaches
the disk: a sync, a rename, a removal, a commit, a replacement of the file key; the process is
killed right before it. The answer is a line on stdout: ``killed``, or ``done`` when the work had
fewer steps. Every job runs in a fork of its own, made before any thread is.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from scaivault.clock import SECOND as A_SECOND
from scaivault.storage import database
from tests.support.house import PASSPHRASE, House

SECOND = "another good passphrase"


class Fuse:
    """Counts steps once ``armed``; the process ends at step ``step``."""

    def __init__(self, step: int) -> None:
        self._left = step
        self.armed = False

    def before(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*arguments: Any, **named: Any) -> Any:
            if self.armed:
                self._left -= 1
                if self._left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **named)

        return stepped


def lay(fuse: Fuse) -> None:
    """Put the fuse in front of everything that reaches the disk."""
    for name in ("fsync", "replace", "unlink", "rename"):
        setattr(os, name, fuse.before(getattr(os, name)))
    for name in ("_commit_group", "_settle", "_run_alone", "_replace_key"):
        setattr(database.Database, name, fuse.before(getattr(database.Database, name)))


async def rotate(house: House) -> None:
    slot = house.app.system.file.slots[0].id
    credentials = [{"slot_id": slot, "passphrase": PASSPHRASE}]
    body = {"credentials": credentials, "rekey_file": True}
    answer = await house.call("POST", "/v1/system/rotate-root", body, token=_token(house))
    assert answer.status == 200, answer.body


async def add(house: House) -> None:
    body = {"type": "passphrase", "passphrase": SECOND}
    answer = await house.call("POST", "/v1/system/slots", body, token=_token(house))
    assert answer.status == 201, answer.body


async def remove(house: House) -> None:
    slot = house.app.system.file.slots[1].id
    where = f"/v1/system/slots/{slot}?force=true"
    answer = await house.call("DELETE", where, token=_token(house))
    assert answer.status == 204, answer.body


async def keys(house: House) -> None:
    partner = next(iter(house.vault.tenancy.partners))
    tenant = next(iter(house.vault.tenancy.tenants))
    for where in (f"tenants/{tenant}", f"partners/{partner}"):
        answer = await house.call("POST", f"/v1/system/{where}/rotate-key", token=_token(house))
        assert answer.status == 202, answer.body
    await house.run_jobs()  # learns of the jobs; what follows is due
    house.clock.advance(60 * A_SECOND)
    await house.run_jobs()


async def stop(house: House) -> None:
    await house.close()


async def init(house: House) -> None:
    assert (await house.init()).status == 201


WORK: dict[str, Callable[[House], Awaitable[None]]] = {
    "rotate": rotate, "add": add, "remove": remove, "keys": keys, "stop": stop, "init": init,
}  # fmt: skip


def _token(house: House) -> str:
    return (house.path.parent / "token").read_text()


async def _run(job: dict[str, Any], fuse: Fuse) -> None:
    house = House(Path(job["folder"]), rate_limits__enabled=False)
    if job["work"] != "init":
        assert (await house.unseal()).status == 200
    fuse.armed = True
    await WORK[job["work"]](house)


def _alone(job: dict[str, Any]) -> str:
    child = os.fork()
    if child == 0:
        fuse = Fuse(job["step"])
        lay(fuse)
        asyncio.run(_run(job, fuse))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return "killed"
    return "done" if status == 0 else f"failed {status}"


def main() -> None:
    for line in sys.stdin:
        sys.stdout.write(_alone(json.loads(line)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
