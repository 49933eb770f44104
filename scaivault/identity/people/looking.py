"""Looking at one identity: what is shown of it, and the row that the ledger has of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from scaivault.gate.caller import Caller
from scaivault.gate.gate import Act, Gate
from scaivault.identity.model import Account, Subject, User
from scaivault.storage.file import Connection
from scaivault.tenancy import Tenancy

S = TypeVar("S", Account, User, Subject)
T = TypeVar("T")


class Looking:
    """One per room."""

    def __init__(self, gate: Gate, tenancy: Tenancy) -> None:
        self._gate: Final = gate
        self._tenancy: Final = tenancy

    async def at(
        self,
        caller: Caller,
        find: Callable[[Connection], S],
        shown: Callable[[Connection, S], T],
    ) -> T:
        """What ``shown`` makes of whom ``find`` finds; the ledger names him and his tenant."""
        act = Act("identity_read")

        def question(db: Connection) -> tuple[T, S]:
            who = find(db)
            return shown(db, who), who

        async def look() -> T:
            seen, who = await self._gate.ask(question)
            self._tenancy.concern(caller, who.tenant_id)
            act.extra.update(object_type=who.kind, object_id=who.id)
            return seen

        return await self._gate.read(caller, act, look)
