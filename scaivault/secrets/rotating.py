"""Rotation: a new version that ends those before it."""

from __future__ import annotations

from typing import Final, NamedTuple

from scaivault.clock import SECOND, instant
from scaivault.errors import faults
from scaivault.gate.transaction import Transaction
from scaivault.secrets import model, store
from scaivault.secrets.model import Secret, scope_of
from scaivault.secrets.writing import announce_update, append, next_version, prune
from scaivault.wire import secrets as wire
from scaivault.wire.values import duration_field

GRACE: Final = "48h"


class Rotation(NamedTuple):
    """A rotation whose shape is checked. ``data``: the new value, None when none was sent;
    ``grace``: a duration, and the same in microseconds."""

    data: bytes | None
    reason: str | None
    grace: str
    grace_length: int
    believed: model.Wanted


def prepare(request: wire.RotateSecret) -> Rotation:
    """Check all that needs no row."""
    body = request.body
    data = model.sent(body.new_value)
    grace = GRACE if body.grace_period is None else body.grace_period
    believed = model.Wanted(None, False)
    found: dict[str, str] = {}
    with model.noting(found):
        if data is not None:
            model.check_data(data, "new_value")
    with model.noting(found):
        believed = model.wanted(None, request.if_match)
    if found:
        raise faults(found)
    length = duration_field("grace_period", grace) * SECOND
    return Rotation(data, body.reason, grace, length, believed)


def rotate(tx: Transaction, path: str, rotation: Rotation) -> wire.Rotated:
    """A new version with the value that was sent."""
    owner = tx.caller.owner
    before = model.check_live(store.get(tx, owner, path), path)
    model.check_unexpired(before, tx.now)
    model.check_version(before.current_version, rotation.believed)
    if rotation.data is None:
        raise faults({"new_value": "is required: no policy generates values for this secret"})
    after = next_version(before, tx.now)
    until = tx.now + rotation.grace_length
    store.end_older(tx, owner, path, after.current_version, until)
    prune(tx, owner, after)
    append(tx, owner, before, after, rotation.data)
    tx.note(
        version=after.current_version,
        old_version=before.current_version,
        rotation_policy_id=None,
        rotation_id=None,
        trigger="manual",
        reason=rotation.reason,
        auto_generated=False,
        grace_period=rotation.grace,
    )
    _announce(tx, before, after, until)
    return wire.Rotated(
        path=path,
        version=after.current_version,
        created=False,
        previous_version=before.current_version,
        updated_at=instant(tx.now),
        grace_period_ends=instant(until),
        auto_generated=False,
        rotation_policy_id=None,
        scope=scope_of(owner),
    )


def _announce(tx: Transaction, before: Secret, after: Secret, until: int) -> None:
    announce_update(tx, before, after, is_rotation=True)
    told = {
        "old_version": before.current_version,
        "new_version": after.current_version,
        "rotation_policy_id": None,
        "rotation_policy_name": None,
        "grace_period_ends": instant(until),
        "auto_generated": False,
    }
    tx.emit("secret.rotated", after.path, **told)
    tx.emit(
        "rotation.completed",
        after.path,
        **told,
        rotation_id=None,
        trigger="manual",
        next_rotation_at=None,
    )
