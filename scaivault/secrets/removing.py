"""Deletes, restores and purges: synchronous functions of the transaction."""

from __future__ import annotations

from typing import Any, Final

from scaivault.clock import instant
from scaivault.errors import Refusal, faults
from scaivault.gate.transaction import Transaction
from scaivault.secrets import model, store
from scaivault.secrets.model import Secret, scope_of
from scaivault.secrets.writing import announce_update
from scaivault.wire import secrets as wire


class Removing:
    """``retention``: how long a soft delete can be undone, in microseconds."""

    def __init__(self, retention: int) -> None:
        self.retention: Final = retention

    def prepare(self, request: wire.DeleteSecret) -> model.Wanted:
        """Check all that needs no row."""
        found: dict[str, str] = {}
        believed = model.Wanted(None, False)
        if request.permanent and request.version is not None:
            found["version"] = "cannot go together with permanent=true"
        with model.noting(found):
            believed = model.wanted(None, request.if_match)
        if found:
            raise faults(found)
        return believed

    def delete(
        self, tx: Transaction, request: wire.DeleteSecret, believed: model.Wanted
    ) -> wire.Deleted:
        """Soft; or everything for good; or one version for good."""
        owner, path = tx.caller.owner, request.path
        secret = store.get(tx, owner, path)
        if not (request.permanent and secret is not None):
            secret = model.check_live(secret, path)
        if request.version is not None:
            return _delete_version(tx, owner, secret, request.version, believed)
        model.check_version(secret.current_version, believed)
        count = len(store.stored(tx, owner, path))
        tx.note(version_count=count)
        announced: dict[str, Any] = {
            "version_count": count,
            "deleted_by": tx.caller.identity_id,
            "permanent": request.permanent,
        }
        if request.permanent:
            store.destroy(tx, owner, path)
            tx.emit("secret.deleted", path, **announced)
            return wire.Deleted(path, deleted=True, permanent=True, scope=scope_of(owner))
        store.put(tx, owner, secret._replace(deleted_at=tx.now), secret)
        until = instant(tx.now + self.retention)
        tx.emit("secret.deleted", path, **announced, recoverable_until=until)
        return wire.Deleted(
            path, deleted=True, permanent=False, recoverable_until=until, scope=scope_of(owner)
        )

    def purge(self, tx: Transaction, owner: str, path: str) -> None:
        """Destroy a secret whose retention is over; one that came back meanwhile stays."""
        secret = store.get(tx, owner, path)
        if secret is None or secret.deleted_at is None:
            return
        if secret.deleted_at + self.retention > tx.now:
            return
        count = store.destroy(tx, owner, path)
        tx.note(version_count=count)
        tx.emit(
            "secret.deleted",
            path,
            version_count=count,
            deleted_by=tx.caller.identity_id,
            permanent=True,
        )

    def restore(self, tx: Transaction, path: str) -> Secret:
        """Undo a soft delete inside its retention; a live secret stays as it is."""
        owner = tx.caller.owner
        secret = store.get(tx, owner, path)
        if secret is None:
            raise model.absent(path)
        tx.note(version=secret.current_version)
        if secret.deleted_at is None:
            return secret
        if secret.deleted_at + self.retention <= tx.now:
            raise model.absent(path)
        after = secret._replace(deleted_at=None, updated_at=tx.now)
        store.put(tx, owner, after, secret)
        tx.emit(
            "secret.restored",
            path,
            version=after.current_version,
            restored_by=tx.caller.identity_id,
        )
        return after


def _delete_version(
    tx: Transaction, owner: str, secret: Secret, number: int, believed: model.Wanted
) -> wire.Deleted:
    if number not in dict(store.stored(tx, owner, secret.path)):
        raise model.no_version(secret.path, number)
    if number == secret.current_version:
        _fall_back(tx, owner, secret)
    model.check_version(secret.current_version, believed)
    store.drop_version(tx, owner, secret.path, number)
    return wire.Deleted(
        secret.path, deleted=True, permanent=True, version=number, scope=scope_of(owner)
    )


def _fall_back(tx: Transaction, owner: str, secret: Secret) -> None:
    """The newest other readable version becomes current."""
    newest = store.newest_readable(tx, owner, secret.path, secret.current_version)
    if newest is None:
        raise Refusal(
            "invalid_state",
            "this is the only readable version; delete the secret instead",
            reason="last_version",
        )
    number, secret_type = newest
    store.clear_grace(tx, owner, secret.path, number)
    after = secret._replace(current_version=number, secret_type=secret_type)
    store.put(tx, owner, after, secret)
    announce_update(tx, secret, after, is_rotation=False)
