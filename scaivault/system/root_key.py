"""Replacing the root key under the slots, and the file key with it where that is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec import UNSET, structs

from scaivault.crypto.memory import Guarded
from scaivault.errors import faults
from scaivault.gate.caller import Caller
from scaivault.gate.gate import Act, steps, unavailable
from scaivault.gate.once import Replay
from scaivault.gate.transaction import Transaction
from scaivault.seal.file import SealFile, Slot
from scaivault.seal.slots.contract import Credential
from scaivault.seal.slots.wrapping import unwrap_root, wrap_root
from scaivault.storage.failures import StorageFailed
from scaivault.system import store
from scaivault.system.opening import seal_mac_key
from scaivault.system.slots import credential, find
from scaivault.wire import system as wire

if TYPE_CHECKING:
    from scaivault.system.room import System


class RootKey:
    """One per process; works on the vault that is open."""

    def __init__(self, system: System) -> None:
        self._system: Final = system

    async def rotate(self, caller: Caller, request: wire.RotateRoot) -> wire.RootRotated | Replay:
        """Another root key, and every slot wrapped anew; secrets are not rewritten.

        Three steps, so that a stop anywhere leaves a vault that opens: the new wraps as further
        rows; then vault.seal; then the old rows go."""
        vault, _ = self._system.opened()
        body = request.body
        async with self._system.keeper.turn:
            again = await vault.gate.replayed(caller, Act("root_rotate"))
            if again is not None:
                return again
            file = self._system.file
            version = file.root_key_version + 1
            root = Guarded.random()
            try:
                slots, shares = await self._rewrapped(file, body, root, version)
                answer = wire.RootRotated(
                    version,
                    [slot.id for slot in slots],
                    list(dict.fromkeys(body.drop_slots)),
                    shares,
                )
                if body.rekey_file:  # first: fresh shares are told only if nothing fails any more
                    await self._rekey(steps(caller))
                await self._wrap_top(steps(caller), root, version)
                await self._adopt(caller, root, slots, answer, body.reason)
            except Exception:  # not a cancellation: the change may commit all the same
                vault.keyring.keep_root()
                root.wipe()
                raise
        return answer

    async def _rewrapped(
        self, file: SealFile, body: wire.RotateRootBody, root: Guarded, version: int
    ) -> tuple[list[Slot], dict[str, list[str]]]:
        """The slots with the new root key in them, and fresh shares."""
        given = {entry.slot_id: entry for entry in body.credentials}
        for name in (*given, *body.drop_slots):
            find(file, name)
        kept = [slot for slot in file.slots if slot.id not in body.drop_slots]
        self._system.slots.check_left(kept)
        slots: list[Slot] = []
        shares: dict[str, list[str]] = {}
        for slot in kept:
            secret, params, texts = await self._secret(file, slot, given.get(slot.id))
            with secret:
                renewed = structs.replace(slot, params=params)
                wrapped = wrap_root(secret, root, renewed, file.vault_id, version)
                slots.append(structs.replace(renewed, wrapped_root=wrapped))
            if texts:
                shares[slot.id] = list(texts)
        return slots, shares

    async def _secret(
        self, file: SealFile, slot: Slot, given: wire.SlotCredential | None
    ) -> tuple[Guarded, dict[str, Any], tuple[str, ...]]:
        """A slot's secret, proven against the present root key; renewed where its kind does so."""
        kind = self._system.unsealing.kinds[slot.type]
        if given is None and not kind.auto(slot.params):
            raise faults(
                {"credentials": f"{slot.id} ({slot.type}) needs its credential, or drop_slots"}
            )
        proof = Credential(auto=True) if given is None else credential(given)
        secret = await self._system.unsealing.secret(slot, proof, file.vault_id)
        try:
            unwrap_root(secret, slot, file.vault_id, file.root_key_version).wipe()
        except BaseException:
            secret.wipe()
            raise
        renewal = kind.renewal(slot.params)
        if renewal is None:
            return secret, slot.params, ()
        secret.wipe()
        created = await kind.create(slot.id, file.vault_id, renewal)
        return created.secret, created.params, created.shares

    async def _wrap_top(self, caller: Caller, root: Guarded, version: int) -> None:
        """Step 1: the keys below, wrapped by the new root key, beside the old wraps."""
        vault, _ = self._system.opened()

        def wrap(tx: Transaction) -> None:
            tx.otherwise(vault.keyring.keep_root)
            vault.keyring.wrap_all(tx.connection, root, version, tx.now)
            tx.note(key_version=version, stage="wrapped")

        await vault.gate.change(caller, Act("root_rotate"), wrap)

    async def _adopt(
        self,
        caller: Caller,
        root: Guarded,
        slots: list[Slot],
        answer: wire.RootRotated,
        reason: str | None,
    ) -> None:
        """Steps 2 and 3; the old root key is wiped."""
        vault, file = self._system.opened()
        version = answer.root_key_version
        with seal_mac_key(root) as mac:
            changed = file.changed(
                mac,
                root_key_version=version,
                slots=slots,
                file_key=vault.wrapped_file_key(root, version, _newest_file_key(file)),
                file_key_next=UNSET,
            )

        def finish(tx: Transaction) -> wire.RootRotated:
            tx.execute(
                "DELETE FROM wrapped_key WHERE kind IN ('system', 'partner')"
                " AND parent_version <> :version",
                {"version": version},
            )
            store.slots_removed(tx, answer.slots_dropped)
            tx.note(key_version=version, stage="done")
            if reason is not None:
                tx.note(reason=reason)
            self._system.keeper.replace(tx, changed)
            tx.then(lambda: vault.keyring.replace_root(root, version))
            return answer

        await vault.gate.change(caller, Act("root_rotate"), finish)

    # -- the file key --------------------------------------------------------------------------

    async def _rekey(self, caller: Caller) -> None:
        """Another file key: announced in vault.seal first, beside the one in use, so that either
        is found there whenever it stops. All requests wait while the pages are rewritten."""
        vault, file = self._system.opened()
        number = _newest_file_key(file) + 1
        with Guarded.random() as key:
            wrapped = self._system.wrap_file_key(number, key)
            # After a stop in the middle of this the key in use may be the one announced then.
            present = self._system.wrap_file_key(number - 1, vault.opened.file_key)
            announced = {"file_key": present, "file_key_next": wrapped}
            await self._step(caller, "file_key_announced", number, **announced)
            try:
                await vault.rekey(key)
            except StorageFailed as failed:
                raise unavailable(failed) from failed
        replaced = {"file_key": wrapped, "file_key_next": UNSET}
        await self._step(caller, "file_key_replaced", number, **replaced)

    async def _step(self, caller: Caller, stage: str, number: int, **fields: Any) -> None:
        vault, _ = self._system.opened()

        def step(tx: Transaction) -> None:
            tx.note(stage=stage, file_key_version=number)
            self._system.keeper.replace(tx, self._system.next_file(**fields))

        await vault.gate.change(caller, Act("root_rotate"), step)


def _newest_file_key(file: SealFile) -> int:
    """The highest number that a file key was given."""
    announced = file.file_key_next
    return max(file.file_key.version, 0 if announced is UNSET else announced.version)
