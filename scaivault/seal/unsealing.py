"""From a credential to the root key.

A passphrase costs seconds and memory, so one is stretched at a time and four may wait. Genuine
Shamir shares collect for a quarter of an hour after the last one; nobody can reset them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final

from scaivault.clock import MINUTE, Clock
from scaivault.crypto.memory import Guarded
from scaivault.errors import Refusal
from scaivault.seal.file import SealFile, Slot
from scaivault.seal.slots import kinds
from scaivault.seal.slots.contract import Credential, Host, Kind, refused
from scaivault.seal.slots.shamir import Collection
from scaivault.seal.slots.wrapping import unwrap_root

SHARES_KEPT: Final = 15 * MINUTE * 1000  # nanoseconds: a clock that is set back keeps none longer
WAITING: Final = 4
AUTO_SECONDS: Final = 10


class Unsealing:
    """Tries credentials against the slots of one vault.seal."""

    def __init__(self, host: Host, clock: Clock) -> None:
        self.kinds: Final[dict[str, Kind]] = kinds(host)
        self._clock: Final = clock
        self._collected: dict[str, Collection] = {}
        self._last_share = 0
        self._derivation: Final = asyncio.Lock()
        self._waiting = 0
        self.failed: dict[str, str] = {}  # slots that should have opened by themselves, and why not

    # -- one credential ------------------------------------------------------------------------

    async def root(
        self, file: SealFile, slot_id: str | None, credential: Credential
    ) -> tuple[Guarded, Slot]:
        """The root key and the slot that gave it; ``unseal_failed`` for every wrong credential.

        The caller owns the key and must still prove the rest of the file with it."""
        candidates = [
            slot
            for slot in file.slots
            if slot_id in (None, slot.id) and self.kinds[slot.type].takes(slot, credential)
        ]
        failure = refused()
        for slot in candidates:
            try:
                return await self._opened(file, slot, credential), slot
            except Refusal as error:
                failure = error
        raise failure

    async def secret(self, slot: Slot, credential: Credential, vault_id: str) -> Guarded:
        """The secret of a slot, which nothing has proven right yet; one derivation at a time."""
        async with self._one_derivation(slot):
            return await self.kinds[slot.type].secret(slot, credential, vault_id)

    async def _opened(self, file: SealFile, slot: Slot, credential: Credential) -> Guarded:
        with await self.secret(slot, credential, file.vault_id) as secret:
            return unwrap_root(secret, slot, file.vault_id, file.root_key_version)

    @asynccontextmanager
    async def _one_derivation(self, slot: Slot) -> AsyncIterator[None]:
        if slot.type != "passphrase":
            yield
            return
        if self._waiting > WAITING:
            raise Refusal(
                "rate_limited",
                "other unseal attempts are running; try again in a few seconds",
                category="unseal",
                limit=WAITING,
                retry_after=5,
            )
        self._waiting += 1
        try:
            async with self._derivation:
                yield
        finally:
            self._waiting -= 1

    # -- shares, one after another -------------------------------------------------------------

    def add_share(self, file: SealFile, slot_id: str | None, text: str) -> Slot:
        """Collect one share; the slot that it belongs to. ``unseal_failed`` for any other text."""
        self.forget_old_shares()
        for slot in file.slots:
            if slot.type != "shamir" or slot_id not in (None, slot.id):
                continue
            collection = self._collected.get(slot.id) or Collection(slot)
            try:
                collection.add(text)
            except Refusal:
                continue
            self._collected[slot.id] = collection
            self._last_share = self._clock.monotonic()
            return slot
        raise refused()

    def collected(self, slot_id: str) -> list[int]:
        """Indexes of the shares that are here."""
        collection = self._collected.get(slot_id)
        return [] if collection is None else collection.indexes

    def root_of_shares(self, file: SealFile, slot: Slot) -> Guarded | None:
        """The root key once enough shares of ``slot`` are here; the shares are wiped then."""
        collection = self._collected.get(slot.id)
        if collection is None or not collection.complete:
            return None
        try:
            with collection.secret() as secret:
                return unwrap_root(secret, slot, file.vault_id, file.root_key_version)
        finally:
            self.forget_shares()

    def forget_old_shares(self) -> None:
        """Wipe shares that nobody added to for a quarter of an hour."""
        if self._collected and self._clock.monotonic() - self._last_share >= SHARES_KEPT:
            self.forget_shares()

    def forget_shares(self) -> None:
        for collection in self._collected.values():
            collection.wipe()
        self._collected.clear()

    # -- without a person ----------------------------------------------------------------------

    async def auto(self, file: SealFile, types: Iterable[str]) -> tuple[Guarded, Slot]:
        """The root key by the first automatic slot that works, types in the order given."""
        failure: Refusal = refused()
        for kind in types:
            for slot in file.slots:
                if slot.type != kind or not self.kinds[kind].auto(slot.params):
                    continue
                try:
                    async with asyncio.timeout(AUTO_SECONDS):
                        return await self._opened(file, slot, Credential(auto=True)), slot
                except Refusal as error:
                    failure = error
                except TimeoutError:
                    failure = Refusal("upstream_error", "the slot did not answer", backend=kind)
                self.failed[slot.id] = failure.message
        raise failure
