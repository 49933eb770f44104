"""A secret in n shares, of which any k give it back (Shamir, over GF(2^8))."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct, to_builtins

from scaivault.crypto import codes, shamir
from scaivault.crypto.memory import Guarded, wipe
from scaivault.errors import invalid
from scaivault.seal.file import Slot, from_text, to_text
from scaivault.seal.slots.contract import (
    Created,
    Credential,
    Kind,
    NoParams,
    Wanted,
    opened,
    refused,
    typed,
)

_Many = Annotated[int, Meta(ge=2, le=shamir.MOST)]
_Digest = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{43}\Z")]


class Params(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``digests``: of each share with its index, in order; they tell genuine shares at once."""

    shares: _Many
    threshold: _Many
    digests: list[_Digest]

    def __post_init__(self) -> None:
        if self.threshold > self.shares or len(self.digests) != self.shares:
            raise ValueError("threshold, shares and digests do not fit together")


class Collection:
    """The genuine shares of one slot that were given so far, in guarded memory."""

    def __init__(self, slot: Slot) -> None:
        self._slot = slot
        self._params = opened(Params, slot)
        self._shares: dict[int, Guarded] = {}

    @property
    def indexes(self) -> list[int]:
        """Which shares are here, in order; each counts once."""
        return sorted(self._shares)

    @property
    def complete(self) -> bool:
        return len(self._shares) >= self._params.threshold

    def add(self, text: str) -> int:
        """The index of a genuine share; ``unseal_failed`` for every other text."""
        try:
            share = codes.share_raw(text)
            genuine = share.slot == self._slot.id[-6:] and hmac.compare_digest(
                shamir.digest(share.index, share.data), self._digest(share.index)
            )
        except ValueError:
            raise refused() from None
        if not genuine:
            raise refused()
        if share.index not in self._shares:
            self._shares[share.index] = Guarded().load(share.data)
        wipe(share.data)
        return share.index

    def secret(self) -> Guarded:
        """The slot's secret; ``unseal_failed`` while shares are missing. They stay."""
        if not self.complete:
            raise refused()
        shares = {index: share.reveal() for index, share in self._shares.items()}
        try:
            return shamir.combine(shares)
        finally:
            for share in shares.values():
                wipe(share)

    def wipe(self) -> None:
        """Forget all shares."""
        while self._shares:
            self._shares.popitem()[1].wipe()

    def _digest(self, index: int) -> bytes:
        """``ValueError`` for an index that the slot does not have."""
        if index > self._params.shares:
            raise ValueError("no such share")
        return from_text(self._params.digests[index - 1])


class Shamir(Kind):
    type = "shamir"
    portable = True
    shape = Params

    def takes(self, slot: Slot, credential: Credential) -> bool:
        return bool(credential.shares)

    async def create(self, slot_id: str, vault_id: str, wanted: Wanted) -> Created:
        wanted.only(self.type, "shares", "threshold")
        wanted.read(NoParams)
        shares, threshold = wanted.shares or 0, wanted.threshold or 0
        if not 2 <= shares <= shamir.MOST:
            raise invalid(shares=f"must be 2 to {shamir.MOST}")
        if not 2 <= threshold <= shares:
            raise invalid(threshold=f"must be 2 to shares ({shares})")
        secret = Guarded.random()
        parts = shamir.split(secret, shares, threshold)
        digests = [to_text(shamir.digest(index, raw)) for index, raw in parts]
        texts = tuple(codes.share(slot_id, index, raw) for index, raw in parts)
        for _, raw in parts:
            wipe(raw)
        params = Params(shares=shares, threshold=threshold, digests=digests)
        return Created(params=to_builtins(params), secret=secret, shares=texts)

    async def secret(self, slot: Slot, credential: Credential, vault_id: str) -> Guarded:
        """All shares at once; one that is not genuine spoils the whole."""
        collection = Collection(slot)
        try:
            for text in credential.shares:
                collection.add(text)
            return collection.secret()
        finally:
            collection.wipe()

    def renewal(self, params: Mapping[str, Any]) -> Wanted:
        """Fresh shares, as many: people who left may have kept theirs."""
        known = typed(Params, params)
        return Wanted(shares=known.shares, threshold=known.threshold)
