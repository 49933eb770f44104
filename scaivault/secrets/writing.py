"""Changes of secrets: synchronous functions of the transaction."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from msgspec import Raw, UnsetType

from scaivault.clock import instant, instant_or_none
from scaivault.errors import Refusal, faults
from scaivault.gate.transaction import Transaction
from scaivault.secrets import model, store
from scaivault.secrets.model import Secret, Version, place
from scaivault.wire import secrets as wire

PURGE: Final = "system:purge"


class Draft(NamedTuple):
    """A write whose shape is checked: compact value and metadata, options."""

    data: bytes
    metadata: str | None
    notify_before: str | None
    options: wire.WriteOptions
    believed: model.Wanted


class Writing:
    """``retention``: how long a soft delete can be undone, in microseconds."""

    def __init__(self, retention: int) -> None:
        self._retention: Final = retention

    # -- write ---------------------------------------------------------------------------------

    def prepare(self, request: wire.WriteSecret, now: int) -> Draft:
        """Check all that needs no row."""
        body, options = request.body, request.body.options
        model.check_type(body.secret_type)
        data, metadata = _sent(body.data), _sent(body.metadata)
        cleaned = notify_before = None
        believed = model.Wanted(None, False)
        found: dict[str, str] = {}
        with model.noting(found):
            _check_value(data, body.generate_from)
        with model.noting(found):
            model.expiry(options, now, None)
        with model.noting(found):
            if metadata is not None:
                cleaned = model.clean_metadata(metadata)
        with model.noting(found):
            if isinstance(options.notify_before, list | str):
                notify_before = ",".join(model.warnings(options.notify_before))
        with model.noting(found):
            believed = model.wanted(options.cas, request.if_match, request.if_none_match)
        if found:
            raise faults(found)
        return Draft(data or b"", cleaned, notify_before, options, believed)

    def write(
        self, tx: Transaction, request: wire.WriteSecret, draft: Draft
    ) -> wire.Created | wire.Updated:
        """A new version; a new secret where nothing is."""
        owner, path = tx.caller.owner, request.path
        before = self._writable(tx, owner, path)
        _check_links(request.body, draft.options)
        model.check_version(None if before is None else before.current_version, draft.believed)
        secret = _written(before, draft, path, tx.now)
        secret_type = request.body.secret_type or _type_before(tx, owner, before)
        self._append(tx, owner, secret, secret_type, draft.data)
        tx.note(version=secret.current_version, created=before is None, generated=False)
        if before is None:
            return _created(tx, secret, secret_type)
        tx.emit(
            "secret.updated",
            path,
            old_version=before.current_version,
            new_version=secret.current_version,
            updated_by=tx.caller.identity_id,
            is_rotation=False,
        )
        return wire.Updated(
            path, secret.current_version, False, before.current_version, instant(tx.now)
        )

    def _writable(self, tx: Transaction, owner: str, path: str) -> Secret | None:
        """The live secret at a path; refused while a soft-deleted one can still be restored."""
        secret = store.get(tx, owner, path)
        if secret is None or secret.deleted_at is None:
            return secret
        until = secret.deleted_at + self._retention
        if until > tx.now:
            raise Refusal(
                "secret_exists",
                "a deleted secret is kept at this path; restore it, or delete it permanently first",
                path=path,
                recoverable_until=instant(until),
            )
        self._destroy(tx, owner, path)  # the purge would have come any moment
        return None

    def _destroy(self, tx: Transaction, owner: str, path: str) -> None:
        """The purge of a secret whose retention is over, ahead of its turn."""
        count = store.destroy(tx, owner, path)
        tx.also("delete", path, permanent=True, purge=True, version_count=count)
        tx.emit(
            "secret.deleted",
            path,
            version_count=count,
            deleted_by=PURGE,
            permanent=True,
        )

    def _append(
        self, tx: Transaction, owner: str, secret: Secret, secret_type: str, data: bytes
    ) -> None:
        number = secret.current_version
        sealed = tx.seal(owner, place(secret.path), number, data)
        author = tx.caller.identity_id or ""
        store.put(tx, owner, secret)
        store.add_version(
            tx,
            owner,
            secret.path,
            Version(number, secret_type, tx.now, author, None, None, sealed),
        )
        if number > secret.max_versions or secret.last_version > 1:
            known = store.stored(tx, owner, secret.path)
            for old in model.pruned(known, number, secret.max_versions, tx.now):
                store.drop_version(tx, owner, secret.path, old)

    # -- delete --------------------------------------------------------------------------------

    def check_delete(self, request: wire.DeleteSecret) -> model.Wanted:
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
            return self._delete_version(tx, owner, secret, request.version, believed)
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
            return wire.Deleted(path, deleted=True, permanent=True)
        store.put(tx, owner, secret._replace(deleted_at=tx.now))
        until = instant(tx.now + self._retention)
        tx.emit("secret.deleted", path, **announced, recoverable_until=until)
        return wire.Deleted(path, deleted=True, permanent=False, recoverable_until=until)

    def _delete_version(
        self, tx: Transaction, owner: str, secret: Secret, number: int, believed: model.Wanted
    ) -> wire.Deleted:
        known = dict(store.stored(tx, owner, secret.path))
        if number not in known:
            raise model.no_version(secret.path, number)
        if number == secret.current_version:
            self._fall_back(tx, owner, secret, known)
        model.check_version(secret.current_version, believed)
        store.drop_version(tx, owner, secret.path, number)
        return wire.Deleted(secret.path, deleted=True, permanent=True, version=number)

    def _fall_back(
        self, tx: Transaction, owner: str, secret: Secret, known: dict[int, int | None]
    ) -> None:
        """The newest other readable version becomes current."""
        gone = secret.current_version
        readable = [
            n for n, until in known.items() if n != gone and (until is None or until > tx.now)
        ]
        if not readable:
            raise Refusal(
                "invalid_state",
                "this is the only readable version; delete the secret instead",
                reason="last_version",
            )
        newest = max(readable)
        store.clear_grace(tx, owner, secret.path, newest)
        store.put(tx, owner, secret._replace(current_version=newest))
        tx.emit(
            "secret.updated",
            secret.path,
            old_version=gone,
            new_version=newest,
            updated_by=tx.caller.identity_id,
            is_rotation=False,
        )

    def purge(self, tx: Transaction, owner: str, path: str) -> None:
        """Destroy a secret whose retention is over; one that came back meanwhile stays."""
        secret = store.get(tx, owner, path)
        if secret is None or secret.deleted_at is None:
            return
        if secret.deleted_at + self._retention > tx.now:
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

    # -- restore -------------------------------------------------------------------------------

    def restore(self, tx: Transaction, path: str) -> Secret:
        """Undo a soft delete inside its retention; a live secret stays as it is."""
        owner = tx.caller.owner
        secret = store.get(tx, owner, path)
        if secret is None:
            raise model.absent(path)
        tx.note(version=secret.current_version)
        if secret.deleted_at is None:
            return secret
        if secret.deleted_at + self._retention <= tx.now:
            raise model.absent(path)
        secret = secret._replace(deleted_at=None, updated_at=tx.now)
        store.put(tx, owner, secret)
        tx.emit(
            "secret.restored",
            path,
            version=secret.current_version,
            restored_by=tx.caller.identity_id,
        )
        return secret


def _sent(raw: Raw | UnsetType) -> bytes | None:
    """None: left out, or null, which is the same."""
    sent = None if isinstance(raw, UnsetType) else bytes(raw)
    return None if sent == b"null" else sent


def _check_value(data: bytes | None, generate_from: str | None) -> None:
    if data is not None and generate_from is not None:
        raise faults({"generate_from": "send data or generate_from, not both"})
    if data is not None:
        model.check_data(data)
    elif generate_from is None:
        raise faults({"data": "is required"})


def _written(before: Secret | None, draft: Draft, path: str, now: int) -> Secret:
    """The row after a write."""
    options = draft.options
    number = 1 if before is None else before.last_version + 1
    if before is None:
        before = Secret(
            path, 0, 0, "{}", model.MAX_VERSIONS, ",".join(model.NOTIFY_BEFORE), now, now,
            None, None, None, None,
        )  # fmt: skip
    return before._replace(
        current_version=number,
        last_version=number,
        metadata=before.metadata if draft.metadata is None else draft.metadata,
        max_versions=options.max_versions or before.max_versions,
        notify_before=before.notify_before if draft.notify_before is None else draft.notify_before,
        updated_at=now,
        expires_at=model.expiry(options, now, before.expires_at),
        rotation_policy_id=None
        if options.rotation_policy_id is None
        else before.rotation_policy_id,
        secret_policy_id=None if options.secret_policy_id is None else before.secret_policy_id,
    )


def _type_before(tx: Transaction, owner: str, before: Secret | None) -> str:
    if before is None:
        return "kv"
    row = tx.row(
        "SELECT secret_type FROM secret_version"
        " WHERE owner_id = :owner AND path = :path AND version = :version",
        {"owner": owner, "path": before.path, "version": before.current_version},
    )
    return str(row[0])


def _check_links(body: wire.WriteBody, options: wire.WriteOptions) -> None:
    """Rotation policies and secret policies do not exist in this vault yet: every id is unknown."""
    for field, code in (
        ("rotation_policy_id", "rotation_policy_not_found"),
        ("secret_policy_id", "secret_policy_not_found"),
    ):
        sent = getattr(options, field)
        if isinstance(sent, str):
            raise Refusal(code, f"options.{field} names nothing in this tenant", id=sent)
    if body.generate_from is not None:
        raise Refusal(
            "secret_policy_not_found",
            "generate_from names nothing in this tenant",
            id=body.generate_from,
        )


def _created(tx: Transaction, secret: Secret, secret_type: str) -> wire.Created:
    tx.emit(
        "secret.created",
        secret.path,
        version=secret.current_version,
        secret_type=secret_type,
        created_by=tx.caller.identity_id,
        tags=model.tags_of(secret.metadata),
        expires_at=instant_or_none(secret.expires_at),
    )
    return wire.Created(
        secret.path,
        secret_type,
        secret.current_version,
        True,
        instant(secret.created_at),
        instant_or_none(secret.expires_at),
    )
