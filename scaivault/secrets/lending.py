"""Values that the vault's own work reads: by the same decision, with the same row."""

from __future__ import annotations

from typing import Final

from scaivault.gate.caller import Caller
from scaivault.gate.gate import Act, Gate
from scaivault.secrets.values import Value, Values


class Lending:
    """One per open vault."""

    def __init__(self, gate: Gate, values: Values) -> None:
        self._gate: Final = gate
        self._values: Final = values

    async def __call__(self, caller: Caller, path: str, purpose: str) -> bytes:
        """The plaintext JSON of a secret's current version; the row says what it is for."""
        act = Act("read", "read", path)
        act.extra["purpose"] = purpose

        async def look() -> Value:
            value = await self._values.find(caller, path, None)
            act.extra["version"] = value.version.version
            act.after.append(lambda: self._values.seen(caller, value))
            return value

        return (await self._gate.read(caller, act, look)).data
