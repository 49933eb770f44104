"""Changes of metadata and settings that leave the value as it is."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import UNSET, UnsetType

from scaivault.errors import faults
from scaivault.gate.caller import Caller
from scaivault.gate.transaction import Transaction
from scaivault.secrets import metadata, model, options, store
from scaivault.secrets.model import Secret
from scaivault.secrets.writing import prune
from scaivault.wire import secrets as wire


class Patch(NamedTuple):
    """A change whose shape is checked; ``metadata``: what is merged into the stored one."""

    metadata: bytes | None
    settings: options.Settings
    believed: model.Wanted


def prepare(caller: Caller, request: wire.PatchSecret) -> Patch:
    """Check all that needs no row."""
    body = request.body
    if body.metadata is UNSET and body.options is UNSET:
        raise faults({"body": "must change metadata or options"})
    found: dict[str, str] = {}
    believed = model.Wanted(None, False)
    sent = wire.WriteOptions()
    with model.noting(found):
        if not isinstance(body.options, UnsetType):
            sent = options.of_patch(body.options)
    settings = options.checked(caller, sent, found)
    patch = None if isinstance(body.metadata, UnsetType) else bytes(body.metadata)
    with model.noting(found):
        if patch is not None and patch != b"null":
            metadata.clean(patch)
    with model.noting(found):
        believed = model.wanted(sent.cas, request.if_match)
    if found:
        raise faults(found)
    return Patch(patch, settings, believed)


def patch(tx: Transaction, path: str, change: Patch) -> Secret:
    """The row as changed; no new version, and nothing is announced."""
    owner = tx.caller.owner
    before = model.check_live(store.get(tx, owner, path), path)
    options.check_links(change.settings.sent)
    model.check_version(before.current_version, change.believed)
    after = options.applied(before, change.settings, tx.now)
    if change.metadata is not None:
        after = after._replace(metadata=metadata.merged(before.metadata, change.metadata))
    if after == before:
        return before
    after = after._replace(updated_at=tx.now)
    store.put(tx, owner, after, before)
    if after.max_versions < before.max_versions:
        prune(tx, owner, after)
    return after
