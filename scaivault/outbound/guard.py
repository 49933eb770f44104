"""Names to addresses that were checked. Look up once, connect to exactly what was checked: a name
that is looked up again may lead elsewhere by then (DNS rebinding)."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from ipaddress import ip_address
from typing import Final

from scaivault.outbound.addresses import AddressRefused, Allowance
from scaivault.outbound.targets import Target
from scaivault.wire.addresses import Address

_AT_ONCE: Final = 16


class Unresolved(OSError):
    """The name has no address."""


class Guard:
    """Decides by one ``Allowance``; tests replace ``look_up``."""

    def __init__(self, allowance: Allowance) -> None:
        self.allowance: Final = allowance
        # Threads of its own: a look-up cannot be cut short, and a name whose servers never answer
        # holds its thread for half a minute. Whoever names many such must not hold up a seal.
        self._threads: Final = ThreadPoolExecutor(_AT_ONCE, "look-up")

    def check_literal(self, target: Target) -> None:
        """``AddressRefused`` for what can be told without looking a name up."""
        if target.literal is not None:
            self.allowance.check(target.literal, target.port, encrypted=target.encrypted)
        elif not target.encrypted and not self.allowance.networks:
            raise AddressRefused(f"http is for networks listed in {self.allowance.setting} only")

    async def addresses(self, target: Target) -> list[Address]:
        """All addresses of the host, in the order to try. One that is refused refuses all."""
        found = [target.literal] if target.literal is not None else await self.look_up(target)
        if not found:
            raise Unresolved(f"{target.host} has no address")
        for address in found:
            self.allowance.check(address, target.port, encrypted=target.encrypted)
        return found

    async def look_up(self, target: Target) -> list[Address]:
        """What the host's resolver says."""
        ask = partial(socket.getaddrinfo, target.host, target.port, type=socket.SOCK_STREAM)
        try:
            rows = await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        except OSError as error:
            raise Unresolved(f"{target.host} cannot be looked up: {error.strerror}") from error
        return list(dict.fromkeys(ip_address(str(row[4][0]).partition("%")[0]) for row in rows))
