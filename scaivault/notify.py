"""Tell systemd how it stands (sd_notify(3)): ready, stopping, still alive."""

from __future__ import annotations

import os
import socket
from typing import Final

_SOCKET: Final = "NOTIFY_SOCKET"
_WATCHDOG: Final = "WATCHDOG_USEC"


def notify(state: str) -> bool:
    """Send ``READY=1``, ``STOPPING=1`` or ``WATCHDOG=1``; False where nobody listens."""
    address = os.environ.get(_SOCKET, "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.connect(address)
            channel.sendall(state.encode())
    except OSError:
        return False
    return True


def watchdog_seconds() -> float | None:
    """How often to send ``WATCHDOG=1``: half of what systemd waits; None when it does not."""
    try:
        period = int(os.environ.get(_WATCHDOG, ""))
    except ValueError:
        return None
    return period / 2_000_000 if period > 0 else None
