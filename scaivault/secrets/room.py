"""The verbs of secrets: ``(caller, request) -> answer``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from msgspec import Raw

from scaivault.clock import instant, instant_or_none
from scaivault.crypto.aead import Damaged
from scaivault.errors import Refusal
from scaivault.gate.caller import Caller
from scaivault.gate.cursors import Cursors, Place
from scaivault.gate.gate import Act, Gate
from scaivault.gate.paths import check_prefix
from scaivault.gate.transaction import Transaction
from scaivault.seal.keyring import KeyMissing
from scaivault.secrets import model, store
from scaivault.secrets.access import Access, first_day
from scaivault.secrets.model import Secret, Version, place
from scaivault.secrets.shelf import Key, Shelf, Stored
from scaivault.secrets.writing import Writing
from scaivault.storage.file import Connection
from scaivault.wire import secrets as wire

Answer = TypeVar("Answer")
Spot = tuple[str, str, int]  # owner, path, version

_LIST: Final = "secrets"
_PURGE_STEP: Final = 200
_SCRUB_STEP: Final = 64  # values of half a MiB each, at the worst


class Secrets:
    """One per open vault. ``retention``: how long a soft delete can be undone, in microseconds;
    ``places``: (tenant, partner) of an owner."""

    def __init__(
        self,
        gate: Gate,
        cursors: Cursors,
        shelf: Shelf,
        retention: int,
        places: Callable[[str], tuple[str | None, str | None]],
    ) -> None:
        self.gate: Final = gate
        self._places: Final = places
        self.shelf: Final = shelf
        self.access: Final = Access()
        self._cursors: Final = cursors
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
        key = (caller.tenant, request.path)
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
        key = (caller.tenant, request.path)

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
        key = (caller.tenant, request.path)

        def delete(tx: Transaction) -> wire.Deleted:
            answer = self._writing.delete(tx, request, believed)
            if request.permanent:
                tx.then(lambda: self.access.forget(key))
            return self._dropping(tx, request.path, answer)

        return await self.gate.change(caller, act, delete)

    async def restore(self, caller: Caller, request: wire.SecretPath) -> wire.SecretInfo:
        """Undo a soft delete."""
        key = (caller.tenant, request.path)

        def restore(tx: Transaction) -> wire.SecretInfo:
            secret = self._writing.restore(tx, request.path)
            return self._dropping(tx, request.path, self._info(tx.connection, key, secret, tx.now))

        act = Act("restore", "write", request.path)
        return self._counted(await self.gate.change(caller, act, restore), key, caller.now)

    def _dropping(self, tx: Transaction, path: str, answer: Answer) -> Answer:
        key = (tx.caller.tenant, path)
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

    # -- facts ---------------------------------------------------------------------------------

    async def metadata(self, caller: Caller, request: wire.SecretPath) -> wire.SecretInfo:
        """All but the value."""
        key = (caller.tenant, request.path)

        def question(db: Connection) -> wire.SecretInfo:
            secret = model.check_live(store.find(db, *key), request.path)
            return self._info(db, key, secret, caller.now)

        async def look() -> wire.SecretInfo:
            return self._counted(await self.gate.ask(question), key, caller.now)

        return await self.gate.read(caller, Act("list", "list", request.path), look)

    def _counted(self, info: Answer, key: Key, now: int) -> Answer:
        """With the reads that are not in the table yet; a replayed answer stays as it was."""
        if isinstance(info, wire.SecretInfo):
            reads, last = self.access.waiting(key, now)
            info.access_count_30d += reads
            if last is not None:
                info.last_accessed_at = max(instant(last), info.last_accessed_at or "")
        return info

    def _info(self, db: Connection, key: Key, secret: Secret, now: int) -> wire.SecretInfo:
        known = store.versions(db, *key)
        current = next(row for row in known if row[0] == secret.current_version)
        return wire.SecretInfo(
            path=secret.path,
            secret_type=current[4],
            current_version=secret.current_version,
            version_count=len(known),
            metadata=Raw(secret.metadata.encode()),
            created_at=instant(secret.created_at),
            updated_at=instant(secret.updated_at),
            expires_at=instant_or_none(secret.expires_at),
            last_accessed_at=instant_or_none(store.last_access(db, *key)),
            access_count_30d=store.reads_since(db, *key, first_day(now)),
            rotation_policy=None,
            secret_policy_id=secret.secret_policy_id,
            options=wire.StoredOptions(
                secret.max_versions,
                secret.notify_before.split(",") if secret.notify_before else [],
            ),
            source=None,
        )

    async def versions(self, caller: Caller, request: wire.SecretPath) -> wire.VersionList:
        """What versions there are."""
        key = (caller.tenant, request.path)

        def question(db: Connection) -> wire.VersionList:
            secret = model.check_live(store.find(db, *key), request.path)
            return wire.VersionList(
                request.path,
                [
                    wire.VersionItem(
                        number,
                        instant(created_at),
                        number == secret.current_version,
                        created_by,
                        instant_or_none(until),
                    )
                    for number, created_at, created_by, until, _ in store.versions(db, *key)
                ],
            )

        async def look() -> wire.VersionList:
            return await self.gate.ask(question)

        return await self.gate.read(caller, Act("list", "list", request.path), look)

    async def listing(self, caller: Caller, request: wire.ListSecrets) -> wire.SecretPage:
        """One page of the paths that the caller may list, in path order."""
        spot = self._spot(caller, request)
        act = Act("list", path=spot.filters.get("prefix") or None)

        async def look() -> wire.SecretPage:
            page = await self._page(caller, spot)
            act.extra["count"] = len(page.secrets)
            return page

        return await self.gate.read(caller, act, look)

    def _spot(self, caller: Caller, request: wire.ListSecrets) -> Place:
        """Where the page begins, and what of."""
        check_prefix(request.prefix or "")
        filters = {} if request.prefix is None else {"prefix": request.prefix}
        spot = Place(filters, request.limit or 50, "")
        if request.cursor is not None:
            spot = self._cursors.read(request.cursor, _LIST, caller.tenant, filters, caller.now)
            spot = spot._replace(limit=request.limit or spot.limit)
        return spot

    async def _page(self, caller: Caller, spot: Place) -> wire.SecretPage:
        prefix = spot.filters.get("prefix", "")

        def may_list(path: str) -> bool:
            return self.gate.decide(caller, "list", path).allowed

        def question(db: Connection) -> tuple[list[wire.SecretItem], int]:
            return _listed(db, caller, prefix, spot, may_list)

        items, total = await self.gate.ask(question)
        more = len(items) > spot.limit
        del items[spot.limit :]
        cursor = None
        if more:
            spot = spot._replace(position=items[-1].path)
            cursor = self._cursors.issue(_LIST, caller.tenant, spot, caller.now)
        return wire.SecretPage(items, cursor, more, total)


def _listed(
    db: Connection,
    caller: Caller,
    prefix: str,
    spot: Place,
    may_list: Callable[[str], bool],
) -> tuple[list[wire.SecretItem], int]:
    """One item more than the page takes, and how many there are in all that the caller may list."""
    owner, now = caller.tenant, caller.now
    principal = caller.principal
    sees_all = caller.by_role and principal is not None and not principal.allowed_paths
    if sees_all:
        total = store.count(db, owner, prefix, now)
    else:
        total = sum(map(may_list, store.paths(db, owner, prefix, now)))
    items: list[wire.SecretItem] = []
    after = spot.position
    while len(items) <= spot.limit:
        rows = store.page(db, owner, prefix, after, now, spot.limit + 1)
        items += [_item(row) for row in rows if sees_all or may_list(row[0])]
        if len(rows) <= spot.limit:
            break
        after = rows[-1][0]
    del items[spot.limit + 1 :]
    return items, total


def _item(row: Any) -> wire.SecretItem:
    path, secret_type, version, updated_at, expires_at, metadata = row
    return wire.SecretItem(
        path,
        secret_type,
        version,
        instant(updated_at),
        instant_or_none(expires_at),
        model.tags_of(metadata),
    )


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
