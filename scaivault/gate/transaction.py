"""What a change may do: read and write rows, seal and open fields, announce, note.

Everything here happens in the writer, or in the loop where it is over soon, inside the savepoint of
one change. Nothing takes effect, in the file or in memory, unless the group commits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from scaivault.gate.caller import Caller
from scaivault.gate.ledger import Record, record
from scaivault.seal.envelope import Sealed
from scaivault.storage.file import Connection
from scaivault.storage.units import TooLong

if TYPE_CHECKING:
    from scaivault.gate.gate import Gate

Values = Mapping[str, Any]


class Transaction:
    """Handed to a change by the gate."""

    __slots__ = (
        "_first", "_gate", "after", "caller", "connection", "extra", "instead", "now", "placing",
        "records",
    )  # fmt: skip

    def __init__(
        self, gate: Gate, connection: Connection, caller: Caller, now: int, first: Record
    ) -> None:
        self._gate: Final = gate
        self.connection: Final = connection
        self.caller: Final = caller
        self.now: Final = now
        self._first: Final = first
        self.extra: Final = first.extra_data
        self.records: Final[list[Record]] = []
        self.after: Final[list[Callable[[], None]]] = []
        self.instead: Final[list[Callable[[], None]]] = []
        self.placing: Final[list[Callable[[Connection, int], None]]] = []

    def is_long(self) -> None:
        """What follows may take long: if it is the loop that is at it, the writer begins anew.
        Ahead of whatever is changed or noted."""
        if self._gate.database.here:
            raise TooLong

    # -- rows ----------------------------------------------------------------------------------

    def execute(self, sql: str, values: Values = {}) -> int:  # noqa: B006  (never written to)
        """Run one statement; the number of rows it changed."""
        return self.connection.execute(sql, values).rowcount

    def row(self, sql: str, values: Values = {}) -> Any:  # noqa: B006
        """The first row as a tuple, or None."""
        return self.connection.execute(sql, values).fetchone()

    def rows(self, sql: str, values: Values = {}) -> list[Any]:  # noqa: B006
        """All rows."""
        return self.connection.execute(sql, values).fetchall()

    # -- sealed fields -------------------------------------------------------------------------

    def seal(self, owner: str, place: str, version: int, plaintext: bytes) -> Sealed:
        """A field sealed for its place (``seal.envelope``)."""
        return self._gate.envelope.seal(owner, place, version, plaintext)

    def open(self, owner: str, place: str, version: int, sealed: Sealed) -> bytes:
        """A field opened; ``Damaged`` when it is not as it was sealed."""
        return self._gate.envelope.open(owner, place, version, sealed)

    def rewrap(
        self, owner: str, place: str, version: int, key_version: int, dek: bytes
    ) -> tuple[int, bytes]:
        """The data key of a sealed field under the owner's newest key: (its version, the box).
        ``Damaged`` or ``KeyMissing`` when it does not open."""
        return self._gate.envelope.rewrap(owner, place, version, key_version, dek)

    # -- what goes along -----------------------------------------------------------------------

    def note(self, **extra: object) -> None:
        """Add to ``extra_data`` of the request's ledger row."""
        self.extra.update(extra)

    def fail(self, code: str) -> None:
        """What the row tells of did not succeed, though this change of it commits."""
        self._first.success = False
        self.extra["error_code"] = code

    def concern(self, tenant_id: str | None, partner_id: str | None) -> None:
        """The request turned out to act upon another tenant: rows and events say so."""
        caller = self.caller
        caller.tenant_id = self._first.tenant_id = tenant_id
        caller.partner_id = self._first.partner_id = partner_id

    def also(self, action: str, path: str | None, **extra: object) -> None:
        """A further ledger row of the same request."""
        entry = record(self.caller, action, path, self.now)
        entry.extra_data.update(extra)
        self.records.append(entry)

    def emit(self, kind: str, path: str | None, /, **data: object) -> None:
        """Announce; delivered only if the change commits."""
        caller = self.caller
        self._gate.outbox.add(
            self.connection,
            self.now,
            kind,
            path,
            data,
            tenant_id=caller.tenant_id,
            partner_id=caller.partner_id,
            identity_id=caller.identity_id,
            request_id=caller.request_id,
        )

    def numbered(self, function: Callable[[Connection, int], None]) -> None:
        """Call inside the same transaction once the change's ledger row has its number. A failure
        there takes the whole group along: nothing may fail in it but the file itself."""
        self.placing.append(function)

    def then(self, function: Callable[[], None]) -> None:
        """Call on the event loop once this is on disk, before the answer (cache upkeep)."""
        self.after.append(function)

    def otherwise(self, function: Callable[[], None]) -> None:
        """Call in the writer if this does not commit: it takes back what was changed outside the
        file (vault.seal, the keyring) before the next change runs."""
        self.instead.append(function)
