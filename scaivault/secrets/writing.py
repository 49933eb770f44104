"""New versions: synchronous functions of the transaction."""

from __future__ import annotations

from typing import Final, NamedTuple

from scaivault.clock import instant, instant_or_none
from scaivault.errors import Refusal, faults
from scaivault.gate.caller import Caller
from scaivault.gate.transaction import Transaction
from scaivault.secrets import metadata, model, options, store
from scaivault.secrets.model import Secret, Version, place, scope_of
from scaivault.wire import secrets as wire

PURGE: Final = "system:purge"


class Draft(NamedTuple):
    """A write whose shape is checked: compact value and metadata, options."""

    data: bytes
    metadata: str | None
    settings: options.Settings
    believed: model.Wanted


class Writing:
    """``retention``: how long a soft delete can be undone, in microseconds."""

    def __init__(self, retention: int) -> None:
        self._retention: Final = retention

    def prepare(self, caller: Caller, request: wire.WriteSecret) -> Draft:
        """Check all that needs no row."""
        body = request.body
        model.check_type(body.secret_type)
        data, sent = model.sent(body.data), model.sent(body.metadata)
        cleaned = None
        believed = model.Wanted(None, False)
        found: dict[str, str] = {}
        with model.noting(found):
            _check_value(data, body.generate_from)
        settings = options.checked(caller, body.options, found)
        with model.noting(found):
            if sent is not None:
                cleaned = metadata.clean(sent)
        with model.noting(found):
            believed = model.wanted(body.options.cas, request.if_match, request.if_none_match)
        if found:
            raise faults(found)
        return Draft(data or b"", cleaned, settings, believed)

    def write(
        self, tx: Transaction, request: wire.WriteSecret, draft: Draft
    ) -> wire.Created | wire.Updated:
        """A new version; a new secret where nothing is."""
        owner, path = tx.caller.owner, request.path
        before = self._writable(tx, owner, path)
        options.check_links(draft.settings.sent, request.body.generate_from)
        model.check_version(None if before is None else before.current_version, draft.believed)
        secret = _written(before or _blank(path, tx.now), draft, request.body.secret_type, tx.now)
        prune(tx, owner, secret)
        append(tx, owner, before, secret, draft.data)
        tx.note(version=secret.current_version, created=before is None, generated=False)
        if before is None:
            return _created(tx, secret)
        announce_update(tx, before, secret, is_rotation=False)
        return wire.Updated(
            path,
            secret.current_version,
            False,
            before.current_version,
            instant(tx.now),
            scope_of(owner),
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
        _purge_first(tx, owner, path)
        return None


def append(tx: Transaction, owner: str, before: Secret | None, secret: Secret, data: bytes) -> None:
    """Store a row, which is ``before`` by now, together with its current version, which is new."""
    number = secret.current_version
    sealed = tx.seal(owner, place(secret.path), number, data)
    author = tx.caller.identity_id or ""
    store.put(tx, owner, secret, before)
    version = Version(number, secret.secret_type, tx.now, author, None, None, sealed)
    store.add_version(tx, owner, secret.path, version)


def prune(tx: Transaction, owner: str, secret: Secret) -> None:
    """Destroy the oldest versions beyond the number to keep. Ahead of the new one: its value takes
    the pages that are given back, which are written only once then."""
    if secret.last_version <= secret.max_versions:
        return
    known = {secret.current_version: None, **dict(store.stored(tx, owner, secret.path))}
    gone = model.pruned([*known.items()], secret.current_version, secret.max_versions, tx.now)
    if len(gone) > 1:  # half a megabyte each, overwritten
        tx.is_long()
    for old in gone:
        store.drop_version(tx, owner, secret.path, old)


def announce_update(tx: Transaction, before: Secret, after: Secret, *, is_rotation: bool) -> None:
    """Another version is current."""
    tx.emit(
        "secret.updated",
        after.path,
        old_version=before.current_version,
        new_version=after.current_version,
        updated_by=tx.caller.identity_id,
        is_rotation=is_rotation,
    )


def next_version(secret: Secret, now: int) -> Secret:
    """The row with a further version."""
    number = secret.last_version + 1
    return secret._replace(current_version=number, last_version=number, updated_at=now)


def _blank(path: str, now: int) -> Secret:
    return Secret(
        path=path,
        current_version=0,
        last_version=0,
        metadata="{}",
        max_versions=model.MAX_VERSIONS,
        notify_before=",".join(model.NOTIFY_BEFORE),
        created_at=now,
        updated_at=now,
        expires_at=None,
        deleted_at=None,
        rotation_policy_id=None,
        secret_policy_id=None,
        secret_type="kv",
        notice_at=None,
    )


def _written(before: Secret, draft: Draft, secret_type: str | None, now: int) -> Secret:
    """The row after a write: an end that has passed is cleared."""
    if before.expires_at is not None and before.expires_at <= now:
        before = before._replace(expires_at=None)
    number = before.last_version + 1
    after = before._replace(
        current_version=number,
        last_version=number,
        updated_at=now,
        metadata=before.metadata if draft.metadata is None else draft.metadata,
        secret_type=secret_type or before.secret_type,
    )
    return options.applied(after, draft.settings, now)


def _check_value(data: bytes | None, generate_from: str | None) -> None:
    if data is not None and generate_from is not None:
        raise faults({"generate_from": "send data or generate_from, not both"})
    if data is not None:
        model.check_data(data)
    elif generate_from is None:
        raise faults({"data": "is required"})


def _purge_first(tx: Transaction, owner: str, path: str) -> None:
    """The purge of a secret whose retention is over, ahead of its turn."""
    tx.is_long()
    count = store.destroy(tx, owner, path)
    tx.also("delete", path, permanent=True, purge=True, version_count=count)
    tx.emit("secret.deleted", path, version_count=count, deleted_by=PURGE, permanent=True)


def _created(tx: Transaction, secret: Secret) -> wire.Created:
    tx.emit(
        "secret.created",
        secret.path,
        version=secret.current_version,
        secret_type=secret.secret_type,
        created_by=tx.caller.identity_id,
        tags=model.tags_of(secret.metadata),
        expires_at=instant_or_none(secret.expires_at),
    )
    return wire.Created(
        secret.path,
        secret.secret_type,
        secret.current_version,
        True,
        instant(secret.created_at),
        instant_or_none(secret.expires_at),
        scope_of(tx.caller.owner),
    )
