"""The verbs of secrets: ``(caller, request) -> answer``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from msgspec import Raw

from scaivault.clock import instant_or_none
from scaivault.gate.caller import Caller
from scaivault.gate.gate import Act, Gate
from scaivault.gate.transaction import Transaction
from scaivault.secrets import patching, rotating
from scaivault.secrets.facts import Facts
from scaivault.secrets.model import Secret, scope_of
from scaivault.secrets.removing import Removing
from scaivault.secrets.values import Value, Values
from scaivault.secrets.writing import Writing
from scaivault.wire import secrets as wire

Answer = TypeVar("Answer")

# What a write takes, in rows of the ledger: 16, and one more for each 2 KiB.
_WRITE: Final = 16
_BYTES: Final = 2048


class Secrets:
    """One per open vault."""

    def __init__(self, gate: Gate, facts: Facts, values: Values, removing: Removing) -> None:
        self._gate: Final = gate
        self._facts: Final = facts
        self._values: Final = values
        self._removing: Final = removing
        self._writing: Final = Writing(removing.retention)
        # Owner -> versions written, status -> rotations; for metrics
        self.writes: Final[dict[str, int]] = {}
        self.rotations: Final[dict[str, int]] = {"success": 0, "failed": 0}

    # -- values --------------------------------------------------------------------------------

    async def read(self, caller: Caller, request: wire.ReadSecret) -> wire.SecretValue:
        """The value of the current version, or of the one asked for."""
        act = Act("read", "read", request.path)
        values = self._values

        def told(value: Value) -> wire.SecretValue:
            act.extra["version"] = value.version.version
            act.after.append(lambda: values.seen(caller, value))
            return _answer(caller, value)

        def glance() -> wire.SecretValue | None:
            value = values.at_hand(caller, request.path, request.version)
            return None if value is None else told(value)

        async def look() -> wire.SecretValue:
            return told(await values.find(caller, request.path, request.version))

        return await self._gate.read(caller, act, look, glance)

    async def write(self, caller: Caller, request: wire.WriteSecret) -> wire.Created | wire.Updated:
        """A new version, and a new secret if there was none."""
        draft = self._writing.prepare(caller, request)
        key = (caller.owner, request.path)

        def write(tx: Transaction) -> wire.Created | wire.Updated:
            answer = self._writing.write(tx, request, draft)
            if answer.created:
                tx.then(lambda: self._values.access.forget(key))
            tx.then(lambda: self._count_write(key[0]))
            return self._dropping(tx, request.path, answer)

        act = Act("write", "write", request.path)
        act.work = _WRITE + len(draft.data) // _BYTES
        return await self._gate.change(caller, act, write)

    async def rotate(self, caller: Caller, request: wire.RotateSecret) -> wire.Rotated:
        """A new version; those before it stay readable for the grace period only."""
        rotation = rotating.prepare(request)

        def rotate(tx: Transaction) -> wire.Rotated:
            answer = rotating.rotate(tx, request.path, rotation)
            tx.then(lambda: self._count_write(caller.owner))
            tx.then(self._count_rotation)
            return self._dropping(tx, request.path, answer)

        return await self._gate.change(caller, Act("rotate", "rotate", request.path), rotate)

    # -- what stands beside them ---------------------------------------------------------------

    async def patch(self, caller: Caller, request: wire.PatchSecret) -> wire.SecretInfo:
        """Other metadata or settings; the value stays."""
        change = patching.prepare(caller, request)
        act = Act("write", "write", request.path)
        act.extra["operation"] = "metadata"
        return await self._changing(
            caller, act, request.path, lambda tx: patching.patch(tx, request.path, change)
        )

    async def delete(self, caller: Caller, request: wire.DeleteSecret) -> wire.Deleted:
        """Soft, permanent, or of one version."""
        believed = self._removing.prepare(request)
        permission = "admin" if request.permanent else "delete"
        act = Act("delete", permission, request.path)
        act.extra["permanent"] = request.permanent or request.version is not None
        if request.version is not None:
            act.extra["version"] = request.version
        key = (caller.owner, request.path)

        def delete(tx: Transaction) -> wire.Deleted:
            answer = self._removing.delete(tx, request, believed)
            if request.permanent:
                tx.then(lambda: self._values.access.forget(key))
            return self._dropping(tx, request.path, answer)

        return await self._gate.change(caller, act, delete)

    async def restore(self, caller: Caller, request: wire.SecretPath) -> wire.SecretInfo:
        """Undo a soft delete."""
        act = Act("restore", "write", request.path)
        return await self._changing(
            caller, act, request.path, lambda tx: self._removing.restore(tx, request.path)
        )

    async def _changing(
        self, caller: Caller, act: Act, path: str, change: Callable[[Transaction], Secret]
    ) -> wire.SecretInfo:
        """Change a row; the answer tells all but the value."""
        key = (caller.owner, path)

        def changed(tx: Transaction) -> wire.SecretInfo:
            info = self._facts.info(tx.connection, key, change(tx), tx.now)
            return self._dropping(tx, path, info)

        return self._facts.counted(await self._gate.change(caller, act, changed), key, caller.now)

    # -- what follows a commit -----------------------------------------------------------------

    def _dropping(self, tx: Transaction, path: str, answer: Answer) -> Answer:
        key = (tx.caller.owner, path)
        tx.then(lambda: self._values.shelf.drop(key))
        return answer

    def _count_write(self, owner: str) -> None:
        self.writes[owner] = self.writes.get(owner, 0) + 1

    def _count_rotation(self) -> None:
        self.rotations["success"] += 1


def _answer(caller: Caller, value: Value) -> wire.SecretValue:
    stored, version, data = value
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
        scope=scope_of(caller.owner),
    )
