"""What stores that are spoken to by plain REST have in common."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import httpx

from scaivault.audit.destinations.contract import DestinationFailed
from scaivault.outbound import Answer, send

_ANSWER: Final = 1024 * 1024
_REASONS: Final = {401: "permission_denied", 403: "permission_denied", 404: "not_found"}


async def answered(http: httpx.AsyncClient, request: httpx.Request) -> Answer:
    """The answer, whatever it is."""
    host = request.url.host
    try:
        return await send(http, request, _ANSWER)
    except httpx.UnsupportedProtocol as refused:
        raise DestinationFailed("address_not_allowed", str(refused)) from refused
    except httpx.TimeoutException as fault:
        raise DestinationFailed("timeout", f"{host} did not answer in time") from fault
    except (httpx.HTTPError, httpx.InvalidURL) as fault:
        raise DestinationFailed("unreachable", f"{host} was not reached") from fault


async def exchange(http: httpx.AsyncClient, request: httpx.Request, wanted: set[int]) -> Answer:
    """The answer, if its status is one that is wanted."""
    answer = await answered(http, request)
    if answer.status not in wanted:
        reason = _REASONS.get(answer.status, "unexpected_answer")
        raise DestinationFailed(reason, f"{request.url.host} answered {answer.status}")
    return answer


async def with_last(pieces: AsyncIterator[bytes]) -> AsyncIterator[tuple[bytes, bool]]:
    """Each piece, and whether it is the last; an empty file is one empty piece."""
    waiting: bytes | None = None
    async for piece in pieces:
        if waiting is not None:
            yield waiting, False
        waiting = piece
    yield waiting or b"", True
