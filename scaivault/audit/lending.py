"""Credentials that the vault's own work reads from its secrets: the same right, the same row."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from scaivault.audit.destinations.contract import DestinationFailed
from scaivault.gate.caller import Caller

# (caller, path, purpose) -> the plaintext JSON of the secret, read through the gate.
Lend = Callable[[Caller, str, str], Awaitable[bytes]]


async def credentials(lend: Lend, caller: Caller, path: str, purpose: str) -> dict[str, str]:
    """The secret's text fields. ``Refusal`` as for any reader of it."""
    try:
        found = msgspec.json.decode(await lend(caller, path, purpose), type=dict[str, object])
    except msgspec.DecodeError:
        raise DestinationFailed("credentials", "the credentials are no JSON object") from None
    return {name: value for name, value in found.items() if isinstance(value, str)}
