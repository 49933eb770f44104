"""The event loop of the server: uvloop, within which a TLS handshake has to be over soon.

uvicorn has no setting for it, and a minute is the default. Connections in their handshake are not
yet the protocol's, so that ``server.max_connections`` does not count them: 57 KB each."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import uvloop


class Loop(uvloop.Loop):
    """``handshake``: seconds that a client may take, where a server does not say otherwise."""

    def __init__(self, handshake: float) -> None:
        super().__init__()
        self._handshake = handshake

    async def create_server(self, *args: Any, **kwargs: Any) -> asyncio.Server:
        if kwargs.get("ssl") is not None:
            kwargs.setdefault("ssl_handshake_timeout", self._handshake)
        # uvloop has a class of its own for it, with the same methods.
        return cast(asyncio.Server, await super().create_server(*args, **kwargs))
