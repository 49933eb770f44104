"""What Python can do at most: a bare Starlette route and a raw ASGI callable.

Both answer every request at once with the JSON of one value, after reading its body; they check
nothing, decrypt nothing and store nothing. Each is served by one uvicorn process.
"""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bench.target import path, value

Message = MutableMapping[str, Any]
ANSWER = {"path": path(1), "secret_type": "json", "version": 1, "data": value(1)}
BODY = json.dumps(ANSWER, separators=(",", ":")).encode()
HEADERS = [
    (b"content-type", b"application/json"),
    (b"content-length", str(len(BODY)).encode()),
]


async def secret(request: Request) -> JSONResponse:
    """The route: body read, answer encoded, nothing between."""
    await request.body()
    return JSONResponse(ANSWER)


route = Starlette(routes=[Route("/v1/secrets/{path:path}", secret, methods=["GET", "PUT"])])


async def raw(
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """The ASGI callable: no routing, no encoding."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})
