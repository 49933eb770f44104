"""Stored values, found and opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from scaivault.crypto.aead import Damaged
from scaivault.errors import Refusal
from scaivault.gate.caller import Caller
from scaivault.gate.gate import Act, Gate
from scaivault.gate.transaction import Transaction
from scaivault.seal.keyring import KeyMissing
from scaivault.secrets import model, store
from scaivault.secrets.access import Access
from scaivault.secrets.model import Version, place
from scaivault.secrets.shelf import Key, Shelf, Stored
from scaivault.storage.file import Connection


class Value(NamedTuple):
    """A secret's row, one of its versions, and that version's plaintext."""

    stored: Stored
    version: Version
    data: bytes


class Values:
    """One per open vault. ``places``: (tenant, partner) of an owner."""

    def __init__(
        self,
        gate: Gate,
        shelf: Shelf,
        access: Access,
        places: Callable[[str], tuple[str | None, str | None]],
    ) -> None:
        self._gate: Final = gate
        self._places: Final = places
        self.shelf: Final = shelf
        self.access: Final = access
        # (owner, secret type) -> committed reads, for metrics
        self.reads: Final[dict[tuple[str, str], int]] = {}

    async def find(self, caller: Caller, path: str, number: int | None) -> Value:
        """The value of version ``number``, None: of the current one. Discloses nothing by itself;
        call ``seen`` once the ledger says that it was read."""
        key = (caller.owner, path)
        stored = self.shelf.get(key) or await self._fetch(key)
        secret = model.check_live(stored.secret if stored is not None else None, path)
        model.check_unexpired(secret, caller.now)
        version = stored.version if stored is not None else None
        if number is not None and number != secret.current_version:
            version = await self._fetch_version(key, number, caller.now)
        if version is None or stored is None:
            raise model.no_version(path, number or secret.current_version)
        return Value(stored, version, await self._open(caller, key, version))

    def seen(self, caller: Caller, value: Value) -> None:
        """The read is committed: count it."""
        key = (caller.owner, value.stored.secret.path)
        value.stored.last_at = caller.now
        self.access.touch(key, caller.now)
        kind = (key[0], value.version.secret_type)
        self.reads[kind] = self.reads.get(kind, 0) + 1

    async def _fetch(self, key: Key) -> Stored | None:
        ticket = self.shelf.fetching(key)

        def question(db: Connection) -> Stored | None:
            secret = store.find(db, *key)
            if secret is None:
                return None
            version = store.find_version(db, *key, secret.current_version)
            return Stored(secret, version, store.last_access(db, *key))

        found = None
        try:
            found = await self._gate.ask(question)
        finally:
            self.shelf.fetched(key, ticket, found)
        if found is not None:
            _, waiting = self.access.waiting(key, 0)
            if waiting is not None:
                found.last_at = max(waiting, found.last_at or 0)
        return found

    async def _fetch_version(self, key: Key, number: int, now: int) -> Version:
        version = await self._gate.ask(lambda db: store.find_version(db, *key, number))
        if version is None or (
            version.readable_until is not None and version.readable_until <= now
        ):
            raise model.no_version(key[1], number)
        return version

    async def _open(self, caller: Caller, key: Key, version: Version) -> bytes:
        """The plaintext. A field that does not open is set aside; everything else goes on."""
        data = None
        if version.quarantined_at is None:
            data = self.opened(key, version)
            if data is None:
                await self.set_aside(caller, key, version.version)
        if data is None:
            raise _broken()
        return data

    def opened(self, key: Key, version: Version) -> bytes | None:
        """The plaintext; None when it does not open."""
        owner, path = key
        try:
            return self._gate.envelope.open(owner, place(path), version.version, version.sealed)
        except (Damaged, KeyMissing):
            return None

    async def set_aside(self, caller: Caller, key: Key, version: int) -> None:
        """Mark a version that does not open, so that nothing else trips over it."""
        owner, path = key

        def set_aside(tx: Transaction) -> None:
            if caller.identity_id is not None and caller.identity_id.startswith("system:"):
                concern(tx, owner, self._places)
            store.quarantine(tx, owner, path, version)
            tx.then(lambda: self.shelf.drop(key))

        act = Act("job_control", path=path)
        act.extra.update(version=version, quarantined=True)
        await self._gate.change(caller, act, set_aside)


def concern(
    tx: Transaction, owner: str, places: Callable[[str], tuple[str | None, str | None]]
) -> None:
    """Background work turned out to be about what ``owner`` has: rows and events say so."""
    tx.concern(*places(owner))
    if model.is_partner(owner):
        tx.note(scope="partner")


def _broken() -> Refusal:
    return Refusal(
        "internal_error",
        "this version does not open: its stored bytes are damaged; restore it from a backup",
    )
