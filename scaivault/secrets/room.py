"""The verbs of secrets: ``(caller, request) -> answer``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from msgspec import Raw

from scaivault.clock import instant_or_none
from scaivault.crypto.aead import Damaged
from scaivault.errors import Refusal
from scaivault.gate.caller import Caller
from scaivault.gate.gate import Act, Gate
from scaivault.gate.transaction import Transaction
from scaivault.seal.keyring import KeyMissing
from scaivault.secrets import model, store
from scaivault.secrets.facts import Facts
from scaivault.secrets.model import Version, place
from scaivault.secrets.shelf import Key, Shelf, Stored
from scaivault.secrets.writing import Writing
from scaivault.storage.file import Connection
from scaivault.wire import secrets as wire

Answer = TypeVar("Answer")
Spot = tuple[str, str, int]  # owner, path, version

_PURGE_STEP: Final = 200
_SCRUB_STEP: Final = 64  # values of half a MiB each, at the worst


class Secrets:
    """One per open vault. ``retention``: how long a soft delete can be undone, in microseconds;
    ``places``: (tenant, partner) of an owner."""

    def __init__(
        self,
        gate: Gate,
        facts: Facts,
        shelf: Shelf,
        retention: int,
        places: Callable[[str], tuple[str | None, str | None]],
    ) -> None:
        self.gate: Final = gate
        self._places: Final = places
        self.shelf: Final = shelf
        self._facts: Final = facts
        self.access: Final = facts.access
        self._writing: Final = Writing(retention)
        self.retention: Final = retention
        # (tenant, secret type) -> committed reads, for metrics
        self.reads: Final[dict[tuple[str, str], int]] = {}

    # -- values --------------------------------------------------------------------------------

    async def read(self, caller: Caller, request: wire.ReadSecret) -> wire.SecretValue:
        """The value of the current version, or of the one asked for."""
        act = Act("read", "read", request.path)

        async def look() -> wire.SecretValue:
            return await self._value(caller, request, act)

        return await self.gate.read(caller, act, look)

    async def _value(self, caller: Caller, request: wire.ReadSecret, act: Act) -> wire.SecretValue:
        key = (caller.owner, request.path)
        stored = self.shelf.get(key) or await self._fetch(key)
        secret = model.check_live(stored.secret if stored is not None else None, request.path)
        model.check_unexpired(secret, caller.now)
        version = stored.version if stored is not None else None
        if request.version is not None and request.version != secret.current_version:
            version = await self._fetch_version(key, request.version, caller.now)
        if version is None or stored is None:
            raise model.no_version(request.path, request.version or secret.current_version)
        data = await self._open(caller, key, version)
        act.extra["version"] = version.version
        answer = _answer(stored, version, data)

        def committed() -> None:
            stored.last_at = caller.now
            self.access.touch(key, caller.now)
            kind = (key[0], version.secret_type)
            self.reads[kind] = self.reads.get(kind, 0) + 1

        act.after.append(committed)
        return answer

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
            found = await self.gate.ask(question)
        finally:
            self.shelf.fetched(key, ticket, found)
        if found is not None:
            _, waiting = self.access.waiting(key, 0)
            if waiting is not None:
                found.last_at = max(waiting, found.last_at or 0)
        return found

    async def _fetch_version(self, key: Key, number: int, now: int) -> Version:
        version = await self.gate.ask(lambda db: store.find_version(db, *key, number))
        if version is None or (
            version.readable_until is not None and version.readable_until <= now
        ):
            raise model.no_version(key[1], number)
        return version

    async def _open(self, caller: Caller, key: Key, version: Version) -> bytes:
        """The plaintext. A field that does not open is set aside; everything else goes on."""
        owner, path = key
        if version.quarantined_at is not None:
            raise _broken()
        try:
            return self.gate.envelope.open(owner, place(path), version.version, version.sealed)
        except (Damaged, KeyMissing):
            await self._set_aside(caller, key, version)
        raise _broken()

    async def _set_aside(self, caller: Caller, key: Key, version: Version) -> None:
        owner, path = key

        def set_aside(tx: Transaction) -> None:
            if caller.identity_id is not None and caller.identity_id.startswith("system:"):
                tx.concern(*self._places(owner))
            store.quarantine(tx, owner, path, version.version)
            tx.then(lambda: self.shelf.drop(key))

        act = Act("job_control", path=path)
        act.extra.update(version=version.version, quarantined=True)
        await self.gate.change(caller, act, set_aside)

    # -- changes -------------------------------------------------------------------------------

    async def write(self, caller: Caller, request: wire.WriteSecret) -> wire.Created | wire.Updated:
        """A new version, and a new secret if there was none."""
        draft = self._writing.prepare(request, caller.now)
        key = (caller.owner, request.path)

        def write(tx: Transaction) -> wire.Created | wire.Updated:
            answer = self._writing.write(tx, request, draft)
            if answer.created:
                tx.then(lambda: self.access.forget(key))
            return self._dropping(tx, request.path, answer)

        return await self.gate.change(caller, Act("write", "write", request.path), write)

    async def delete(self, caller: Caller, request: wire.DeleteSecret) -> wire.Deleted:
        """Soft, permanent, or of one version."""
        believed = self._writing.check_delete(request)
        permission = "admin" if request.permanent else "delete"
        act = Act("delete", permission, request.path)
        act.extra["permanent"] = request.permanent
        if request.version is not None:
            act.extra["version"] = request.version
        key = (caller.owner, request.path)

        def delete(tx: Transaction) -> wire.Deleted:
            answer = self._writing.delete(tx, request, believed)
            if request.permanent:
                tx.then(lambda: self.access.forget(key))
            return self._dropping(tx, request.path, answer)

        return await self.gate.change(caller, act, delete)

    async def restore(self, caller: Caller, request: wire.SecretPath) -> wire.SecretInfo:
        """Undo a soft delete."""
        key = (caller.owner, request.path)

        def restore(tx: Transaction) -> wire.SecretInfo:
            secret = self._writing.restore(tx, request.path)
            return self._dropping(
                tx, request.path, self._facts.info(tx.connection, key, secret, tx.now)
            )

        act = Act("restore", "write", request.path)
        return self._facts.counted(await self.gate.change(caller, act, restore), key, caller.now)

    def _dropping(self, tx: Transaction, path: str, answer: Answer) -> Answer:
        key = (tx.caller.owner, path)
        tx.then(lambda: self.shelf.drop(key))
        return answer

    # -- upkeep --------------------------------------------------------------------------------

    async def flush(self, caller: Caller, seq: int) -> int:
        """Write the counts of reads up to ledger row ``seq`` down; how many secrets that was."""
        if not self.access.due(seq):
            return 0
        counts = self.access.take()
        try:
            await self.gate.change(
                caller, Act("job_control"), lambda tx: self.access.flush(tx, seq, counts)
            )
        except BaseException:
            self.access.put_back()
            raise
        # Rows on the shelf know their last read already; others are fetched with the table's.
        self.access.flushed(seq)
        return len(counts)

    async def purge(self, caller: Caller) -> int:
        """Destroy what was soft-deleted longer ago than the retention; how many secrets."""
        before = caller.now - self.retention
        due = await self.gate.ask(lambda db: store.over_retention(db, before, _PURGE_STEP))
        for owner, path in due:
            await self._purge_one(caller, owner, path)
        return len(due)

    async def _purge_one(self, caller: Caller, owner: str, path: str) -> None:
        act = Act("delete", path=path)
        act.extra.update(permanent=True, purge=True)
        key = (owner, path)

        def purge(tx: Transaction) -> None:
            tx.concern(*self._places(owner))
            self._writing.purge(tx, owner, path)
            tx.then(lambda: self.shelf.drop(key))
            tx.then(lambda: self.access.forget(key))

        await self.gate.change(caller, act, purge)

    async def scrub(self, caller: Caller, after: Spot) -> tuple[Spot | None, int]:
        """Open the next stored versions; (where to go on or None, how many do not open)."""
        rows = await self.gate.ask(lambda db: store.some_versions(db, after, _SCRUB_STEP))
        failed = 0
        for owner, path, version in rows:
            try:
                self.gate.envelope.open(owner, place(path), version.version, version.sealed)
            except (Damaged, KeyMissing):
                failed += 1
                await self._set_aside(caller, (owner, path), version)
        if len(rows) < _SCRUB_STEP:
            return None, failed
        owner, path, version = rows[-1]
        return (owner, path, version.version), failed


def _answer(stored: Stored, version: Version, data: bytes) -> wire.SecretValue:
    secret = stored.secret
    return wire.SecretValue(
        path=secret.path,
        secret_type=version.secret_type,
        version=version.version,
        data=Raw(data),
        metadata=stored.metadata,
        created_at=stored.created_at,
        updated_at=stored.updated_at,
        expires_at=stored.expires_at,
        last_accessed_at=instant_or_none(stored.last_at),
        rotation_policy_id=secret.rotation_policy_id,
        secret_policy_id=secret.secret_policy_id,
        readable_until=instant_or_none(version.readable_until),
        source=None,
    )


def _broken() -> Refusal:
    return Refusal(
        "internal_error",
        "this version does not open: its stored bytes are damaged; restore it from a backup",
    )
