"""Requests and answers about the audit chain."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta, Struct, field

Seq = Annotated[int, Meta(ge=1, le=2**53 - 1)]
Expected = Annotated[
    str,
    Meta(
        pattern=r"\A[0-9]{1,16}:[0-9a-f]{64}\Z",
        description="a row's sequence and its hash, with a colon between: 58:<64 hex digits>",
    ),
]
Limit = Annotated[int, Meta(ge=1, le=200)]

ED25519: Final = "Ed25519"


class VerifyChain(Struct, frozen=True):
    """GET /v1/audit/verify: a range of numbers, or one of times (RFC 3339)."""

    from_seq: Seq | None = None
    to_seq: Seq | None = None
    from_: str | None = field(default=None, name="from")
    to: str | None = None
    expect: Expected | None = None


class ChainHead(Struct):
    """The newest row; number 0 and the vault's own first hash when there is none."""

    seq: int
    hash: str


class LastCheckpoint(Struct):
    """The newest signature over the chain."""

    seq: int
    timestamp: str


class Problem(Struct):
    """One finding. ``seq``: the row it was found at; null when it is about the file."""

    kind: str
    seq: int | None
    detail: str


class ChainReport(Struct):
    """What a verification found; ``rows_checked`` rows up to ``last_seq``."""

    valid: bool
    complete: bool
    next_seq: int | None
    vault_id: str
    first_seq: int
    last_seq: int
    rows_checked: int
    rows_pruned: int
    checkpoints_checked: int
    unsigned_tail: int
    head: ChainHead
    last_checkpoint: LastCheckpoint | None
    problems: list[Problem]


class ListCheckpoints(Struct, frozen=True):
    """GET /v1/audit/checkpoints"""

    limit: Limit | None = None
    cursor: str | None = None


class Checkpoint(Struct):
    """A signed head; ``signature`` is over the other six fields."""

    vault_id: str
    seq: int
    hash: str
    timestamp: str
    prev_seq: int
    key_id: str
    signature: str


class CheckpointPage(Struct):
    """One page, newest first."""

    checkpoints: list[Checkpoint]
    cursor: str | None
    has_more: bool


class ListKeys(Struct, frozen=True):
    """GET /v1/audit/keys"""


class CheckpointKey(Struct):
    """What checkpoints are verified with: 32 bytes, base64url."""

    key_id: str
    algorithm: str
    public_key: str
    created_at: str


class CheckpointKeys(Struct):
    """Every key that ever signed, oldest first."""

    vault_id: str
    keys: list[CheckpointKey]
