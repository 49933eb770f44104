"""Idempotency keys: the answer to a change is kept for a day and given again.

The row is found by a keyed hash of (identity, tenant, method, path, key); the answer is sealed.
Writer only, inside the transaction of the change: two requests with one key can not both act.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from scaivault.clock import DAY
from scaivault.errors import Refusal
from scaivault.seal.envelope import Envelope, Sealed, field
from scaivault.storage.file import Connection

KEPT_FOR: Final = DAY
# These say something of the moment or of the caller, not of the change.
_NOT_KEPT: Final = frozenset((401, 403, 429))


@dataclass(frozen=True, slots=True)
class Once:
    """``id``: keyed hash that stands for the key; ``body_hash``: of the body; ``encode`` turns a
    result or a refusal into the answer's bytes."""

    id: bytes
    body_hash: bytes
    encode: Callable[[Any], bytes]


@dataclass(frozen=True, slots=True)
class Replay:
    """An answer that was given before; ``code`` is of ``errors.CODES`` when it was a refusal."""

    answer: bytes
    code: str = ""


def kept(connection: Connection, envelope: Envelope, once: Once, now: int) -> Replay | None:
    """The answer of the first request with this key, if there was one within a day."""
    row = connection.execute(
        "SELECT body_hash, key_version, dek, answer FROM kept_answer"
        " WHERE id = :id AND expires_at > :now",
        {"id": once.id, "now": now},
    ).fetchone()
    if row is None:
        return None
    if not hmac.compare_digest(row[0], once.body_hash):
        raise Refusal(
            "idempotency_conflict",
            "this Idempotency-Key was used with another body; take a new key",
            reason="body_mismatch",
        )
    code, _, answer = envelope.open("-", _place(once), 0, Sealed(*row[1:])).partition(b"\n")
    return Replay(answer, code.decode())


def keep(connection: Connection, envelope: Envelope, once: Once, now: int, outcome: Any) -> None:
    """Remember ``outcome`` (a result or a ``Refusal``)."""
    if isinstance(outcome, Refusal) and not _keeps(outcome):
        return
    code = outcome.code if isinstance(outcome, Refusal) else ""
    plaintext = code.encode() + b"\n" + once.encode(outcome)
    sealed = envelope.seal("-", _place(once), 0, plaintext)
    connection.execute(
        "INSERT INTO kept_answer (id, body_hash, expires_at, key_version, dek, answer)"
        " VALUES (:id, :body_hash, :expires_at, :key_version, :dek, :answer)"
        " ON CONFLICT (id) DO UPDATE SET body_hash = excluded.body_hash,"
        " expires_at = excluded.expires_at, key_version = excluded.key_version,"
        " dek = excluded.dek, answer = excluded.answer",
        {
            "id": once.id,
            "body_hash": once.body_hash,
            "expires_at": now + KEPT_FOR,
            "key_version": sealed.key_version,
            "dek": sealed.dek,
            "answer": sealed.value,
        },
    )


def any_old(connection: Connection, now: int) -> bool:
    """Whether an answer was kept for its day."""
    row = connection.execute(
        "SELECT 1 FROM kept_answer WHERE expires_at <= :now LIMIT 1", {"now": now}
    ).fetchone()
    return row is not None


def forget(connection: Connection, now: int, most: int) -> int:
    """Drop up to ``most`` answers that were kept for their day; how many."""
    return connection.execute(
        "DELETE FROM kept_answer WHERE id IN"
        " (SELECT id FROM kept_answer WHERE expires_at <= :now LIMIT :most)",
        {"now": now, "most": most},
    ).rowcount


def _keeps(refused: Refusal) -> bool:
    """A conflict of the key itself must not take the place of the answer that is kept."""
    own = refused.code == "idempotency_conflict"
    return not (own or refused.status in _NOT_KEPT or refused.status >= 500)


def _place(once: Once) -> str:
    return field("kept_answer", once.id.hex(), "answer")
