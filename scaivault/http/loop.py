"""The event loop of the server: uvloop, within which a TLS handshake has to be over soon.

uvicorn has no setting for it, and a minute is the default. Connections in their handshake are not
yet the protocol's, so that ``server.max_connections`` does not count them: 57 KB each."""

from __future__ import annotations

import asyncio
from typing import Any

import uvloop


class Loop(uvloop.Loop):
    """``handshake``: seconds that a client may take, where a server does not say otherwise."""

    def __init__(self, handshake: float) -> None:
        super().__init__()
        self._handshake = handshake

    async def create_server(self, *args: Any, **kwargs: Any) -> asyncio.AbstractServer:
        if kwargs.get("ssl") is not None:
            kwargs.setdefault("ssl_handshake_timeout", self._handshake)
        return await super().create_server(*args, **kwargs)
