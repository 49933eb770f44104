"""Stored values, found and opened."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from scaivault.crypto.aead import Damaged
from scaivault.errors import Refusal
from scaivault.gate.caller import Caller
from scaivault.gate.gate import Act, Gate, steps
from scaivault.gate.transaction import Transaction
from scaivault.seal.envelope import Boxes, boxes
from scaivault.seal.keyring import KeyMissing
from scaivault.secrets import model, store
from scaivault.secrets.access import Access
from scaivault.secrets.model import Version, place
from scaivault.secrets.shelf import Key, Shelf, Stored
from scaivault.storage.file import Connection

_FindVersion = Callable[[Connection, str, str, int], Version | None]

_NEVER: Final = 2**63
# Secrets that the loop itself finds, in less than a millisecond; metadata of 64 KiB takes longer,
# and where it is usual the loop leaves them to a reader.
_FEW: Final = 8


class Value(NamedTuple):
    """A secret's row, one of its versions, and that version's plaintext."""

    stored: Stored
    version: Version
    data: bytes


class Found(NamedTuple):
    """What there is at a path; ``other``: the version that was asked for, if not the current."""

    stored: Stored | None
    other: Version | None = None


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
        found = await self.gather(caller.owner, [path], number)
        return await self.take(caller, path, found[path], number)

    async def gather(self, owner: str, paths: list[str], number: int | None) -> dict[str, Found]:
        """What there is at these paths, with one question to the file for all that is not on the
        shelf; checks nothing and opens nothing."""
        found = {path: Found(self.shelf.get((owner, path))) for path in paths}
        lacking = {path: stored for path, (stored, _) in found.items() if _lacks(stored, number)}
        return found | await self._fetch(owner, lacking, number) if lacking else found

    async def take(self, caller: Caller, path: str, found: Found, number: int | None) -> Value:
        """The value, if it is there, current or within its grace, unexpired, and opens."""
        stored = found.stored
        secret = model.check_live(stored.secret if stored is not None else None, path)
        model.check_unexpired(secret, caller.now)
        version = stored.version if stored is not None else None
        if number is not None and number != secret.current_version:
            version = _in_grace(found.other, caller.now)
        if version is None or stored is None:
            raise model.no_version(path, number or secret.current_version)
        return Value(stored, version, await self._open(caller, (caller.owner, path), version))

    def at_hand(self, caller: Caller, path: str, number: int | None) -> Value | None:
        """``find`` of what is on the shelf, without waiting; None where the file has to be asked,
        or a field to be set aside."""
        owner = caller.owner
        stored = self.shelf.peek((owner, path))
        if stored is None or stored.version is None:
            return None
        secret, version = stored.secret, stored.version
        if number not in (None, version.version) or version.quarantined_at is not None:
            return None
        model.check_live(secret, path)
        model.check_unexpired(secret, caller.now)
        envelope, sealed = self._gate.envelope, version.sealed
        if stored.place is None:
            stored.place = envelope.place(owner, place(path), version.version, sealed.key_version)
        try:
            data = envelope.open_in(stored.place, owner, sealed)
        except (Damaged, KeyMissing):
            return None
        self.shelf.hits += 1
        return Value(stored, version, data)

    def all_at_hand(
        self, caller: Caller, paths: Iterable[str], number: int | None
    ) -> dict[str, Value]:
        """``at_hand`` of many paths, opened in one go; without those whose row is not on the shelf
        or is to be refused."""
        owner, now, envelope, shelf = caller.owner, caller.now, self._gate.envelope, self.shelf
        ready: dict[int, list[tuple[str, Stored, Version, Boxes]]] = {}  # by version of the key
        for path in paths:
            stored = shelf.peek((owner, path))
            if stored is None or stored.version is None:
                continue
            version, secret, at = stored.version, stored.secret, stored.place
            if version.quarantined_at is not None or number not in (None, version.version):
                continue
            if secret.deleted_at is not None or (secret.expires_at or _NEVER) <= now:
                continue
            sealed = version.sealed
            if at is None:
                at = envelope.place(owner, place(path), version.version, sealed.key_version)
                stored.place = at
            entry = (path, stored, version, boxes(sealed, at))
            ready.setdefault(sealed.key_version, []).append(entry)
        found: dict[str, Value] = {}
        for key_version, some in ready.items():
            opened = envelope.open_all(owner, key_version, [entry[3] for entry in some])
            for (path, stored, version, _), data in zip(some, opened, strict=True):
                if data is not None:
                    found[path] = Value(stored, version, data)
        shelf.hits += len(found)
        return found

    def seen(self, caller: Caller, value: Value) -> None:
        """The read is committed: count it."""
        stored, version, _ = value
        stored.last_at = caller.now
        self.access.touch((caller.owner, stored.secret.path), caller.now)
        kind = caller.owner, version.secret_type
        self.reads[kind] = self.reads.get(kind, 0) + 1

    def all_seen(self, caller: Caller, values: Sequence[Value]) -> None:
        """``seen`` of each."""
        owner, now = caller.owner, caller.now
        keys: list[Key] = []
        kinds: dict[str, int] = {}
        for stored, version, _ in values:
            stored.last_at = now
            keys.append((owner, stored.secret.path))
            kinds[version.secret_type] = kinds.get(version.secret_type, 0) + 1
        self.access.touch_all(keys, now)
        for kind, count in kinds.items():
            self.reads[owner, kind] = self.reads.get((owner, kind), 0) + count

    async def _fetch(
        self, owner: str, known: dict[str, Stored | None], number: int | None
    ) -> dict[str, Found]:
        """What the file says; rows that were not known go on the shelf."""
        tickets = {
            path: self.shelf.fetching((owner, path))
            for path, stored in known.items()
            if stored is None
        }

        def finding(version: _FindVersion) -> Callable[[Connection], dict[str, Found]]:
            return lambda db: {
                path: _found(db, (owner, path), row, number, version) for path, row in known.items()
            }

        glance = finding(store.glance_at_version) if len(known) <= _FEW else None
        found: dict[str, Found] = {}
        try:
            found = await self._gate.ask(finding(store.find_version), glance)
        finally:
            for path, ticket in tickets.items():
                row = found[path].stored if path in found else None
                self.shelf.fetched((owner, path), ticket, row)
        for path in tickets:
            self._catch_up((owner, path), found[path].stored)
        return found

    def _catch_up(self, key: Key, stored: Stored | None) -> None:
        """Reads that no table knows yet."""
        _, waiting = self.access.waiting(key, 0)
        if stored is not None and waiting is not None:
            stored.last_at = max(waiting, stored.last_at or 0)

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
        # This is not what a key of the request's stands for.
        await self._gate.change(steps(caller), act, set_aside)


def _lacks(stored: Stored | None, number: int | None) -> bool:
    """Whether the row, or the version that was asked for, has to be fetched."""
    return stored is None or number not in (None, stored.secret.current_version)


def _found(
    db: Connection,
    key: Key,
    stored: Stored | None,
    number: int | None,
    find_version: _FindVersion,
) -> Found:
    if stored is None:
        secret = store.find(db, *key)
        if secret is None:
            return Found(None)
        version = find_version(db, *key, secret.current_version)
        stored = Stored(secret, version, store.last_access(db, *key))
    if number is None or number == stored.secret.current_version:
        return Found(stored)
    return Found(stored, find_version(db, *key, number))


def _in_grace(version: Version | None, now: int) -> Version | None:
    if version is None or version.readable_until is None or version.readable_until > now:
        return version
    return None


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
