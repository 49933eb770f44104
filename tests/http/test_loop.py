"""What a client may take before its connection is one."""

from __future__ import annotations

import asyncio
import ssl

from scaivault.http.loop import Loop


def test_a_handshake_that_does_not_come_closes_the_connection() -> None:
    async def idle() -> bytes:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0, ssl=context)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            return await asyncio.wait_for(reader.read(), 30)  # the default would be a minute
        finally:
            writer.close()
            server.close()

    with asyncio.Runner(loop_factory=lambda: Loop(0.05)) as runner:
        assert runner.run(idle()) == b""


def test_without_tls_nothing_is_set() -> None:
    """The bound of a handshake, given without TLS, would be refused."""

    async def opened() -> bool:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
        try:
            return server.is_serving()
        finally:
            server.close()

    with asyncio.Runner(loop_factory=lambda: Loop(0.05)) as runner:
        assert runner.run(opened())
