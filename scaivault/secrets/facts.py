"""What can be known of secrets without a value: metadata and versions."""

from __future__ import annotations

from typing import Final, TypeVar

from msgspec import Raw

from scaivault.clock import instant, instant_or_none
from scaivault.gate.caller import Caller
from scaivault.gate.gate import Act, Gate
from scaivault.secrets import model, store
from scaivault.secrets.access import Access, first_day
from scaivault.secrets.model import Secret
from scaivault.secrets.shelf import Key
from scaivault.storage.file import Connection
from scaivault.wire import secrets as wire

Answer = TypeVar("Answer")


class Facts:
    """One per open vault. ``access``: the reads that no table knows yet."""

    def __init__(self, gate: Gate, access: Access) -> None:
        self.gate: Final = gate
        self.access: Final = access

    async def metadata(self, caller: Caller, request: wire.SecretPath) -> wire.SecretInfo:
        """All but the value."""
        key = (caller.owner, request.path)

        def question(db: Connection) -> wire.SecretInfo:
            secret = model.check_live(store.find(db, *key), request.path)
            return self.info(db, key, secret, caller.now)

        async def look() -> wire.SecretInfo:
            return self.counted(await self.gate.ask(question), key, caller.now)

        return await self.gate.read(caller, Act("list", "list", request.path), look)

    def counted(self, info: Answer, key: Key, now: int) -> Answer:
        """With the reads that are not in the table yet; a replayed answer stays as it was."""
        if isinstance(info, wire.SecretInfo):
            reads, last = self.access.waiting(key, now)
            info.access_count_30d += reads
            if last is not None:
                info.last_accessed_at = max(instant(last), info.last_accessed_at or "")
        return info

    def info(self, db: Connection, key: Key, secret: Secret, now: int) -> wire.SecretInfo:
        """All but the value, as the tables know it."""
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
            scope=model.scope_of(key[0]),
        )

    async def versions(self, caller: Caller, request: wire.SecretPath) -> wire.VersionList:
        """What versions there are."""
        key = (caller.owner, request.path)

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
                model.scope_of(key[0]),
            )

        async def look() -> wire.VersionList:
            return await self.gate.ask(question)

        return await self.gate.read(caller, Act("list", "list", request.path), look)
