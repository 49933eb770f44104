"""The slots of an open vault: list, add, verify, remove."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from msgspec import UNSET, structs

from scaivault.clock import instant, instant_or_none
from scaivault.crypto.memory import Guarded
from scaivault.errors import Refusal, faults
from scaivault.gate.caller import Caller
from scaivault.gate.gate import Act
from scaivault.gate.transaction import Transaction
from scaivault.ids import random_id
from scaivault.seal.file import SealFile, Slot
from scaivault.seal.slots.contract import Created, Credential, Kind, Wanted
from scaivault.seal.slots.shamir import Collection
from scaivault.seal.slots.wrapping import unwrap_root, wrap_root
from scaivault.system import store
from scaivault.wire import system as wire

if TYPE_CHECKING:
    from scaivault.system.room import System

log = logging.getLogger("scaivault.system")


def new_slot(
    kind: Kind,
    slot_id: str,
    body: wire.SlotBody,
    created: Created,
    root: Guarded,
    file: Mapping[str, Any],
) -> Slot:
    """A slot that holds ``root``; ``file``: vault_id, root_key_version, now."""
    slot = Slot(
        id=slot_id,
        type=kind.type,
        label=body.label or kind.type,
        created_at=file["now"],
        params=created.params,
        wrapped_root="-",
    )
    wrapped = wrap_root(created.secret, root, slot, file["vault_id"], file["root_key_version"])
    return structs.replace(slot, wrapped_root=wrapped)


def wanted(body: wire.SlotBody) -> Wanted:
    return Wanted(
        params=body.params or {},
        passphrase=body.passphrase,
        generate=body.generate,
        shares=body.shares,
        threshold=body.threshold,
    )


def credential(
    body: wire.CredentialBody | wire.SlotCredential, *, shares: bool = True
) -> Credential:
    """Exactly one credential of a request; 422 naming the choice otherwise."""
    given = Credential(
        passphrase=body.passphrase,
        shares=tuple(body.shares or ()) if shares else (),
        key=body.key if isinstance(body, wire.CredentialBody) else None,
        auto=isinstance(body, wire.CredentialBody) and body.auto,
    )
    sent = [name for name in ("passphrase", "shares", "key", "auto") if getattr(given, name)]
    if len(sent) != 1:
        choice = "passphrase, shares, key or auto" if shares else "passphrase, share, key or auto"
        raise faults({sent[1] if len(sent) > 1 else "passphrase": f"send exactly one of {choice}"})
    return given


class Slots:
    """Verbs on the slots; one per process, works on the vault that is open."""

    def __init__(self, system: System) -> None:
        self._system: Final = system

    # -- look ----------------------------------------------------------------------------------

    async def table(self, caller: Caller, _request: Any) -> wire.SlotList:
        """All slots."""
        vault, file = self._system.opened()

        async def look() -> wire.SlotList:
            states = await vault.gate.ask(store.slot_states)
            none = store.SlotState()
            return wire.SlotList(
                [self._info(slot, states.get(slot.id, none)) for slot in file.slots]
            )

        return await vault.gate.read(caller, Act("system_read"), look)

    def _info(self, slot: Slot, state: store.SlotState) -> wire.SlotInfo:
        kind = self._system.unsealing.kinds[slot.type]
        return wire.SlotInfo(
            id=slot.id,
            type=slot.type,
            label=slot.label,
            params=slot.params,
            auto=kind.auto(slot.params),
            portable=kind.portable,
            created_at=slot.created_at,
            created_by=state.created_by,
            last_used_at=instant_or_none(state.last_used_at),
            last_verified_at=instant_or_none(state.last_verified_at),
            last_error=state.last_error,
        )

    # -- add -----------------------------------------------------------------------------------

    async def add(self, caller: Caller, request: wire.NewSlot) -> wire.SlotInfo:
        """A further way to open the vault; it is opened once before the answer."""
        vault, _ = self._system.opened()
        kind = self.kind(request.body.type)
        async with self._system.keeper.turn:
            file = self._system.file
            slot_id = random_id("slot_")
            created = await kind.create(slot_id, file.vault_id, wanted(request.body))
            with created.secret:
                slot = new_slot(
                    kind, slot_id, request.body, created, vault.keyring.root, self._facts(file)
                )
                with unwrap_root(created.secret, slot, file.vault_id, file.root_key_version):
                    pass

            info = self._info(slot, store.SlotState(caller.identity_id, None, caller.now))
            info.shares = list(created.shares) or UNSET
            info.recovery_key = created.recovery_key or UNSET

            def add(tx: Transaction) -> wire.SlotInfo:
                store.slot_added(tx, slot_id)
                self._keep(tx, [*file.slots, slot])
                tx.note(slot_id=slot_id, slot_type=slot.type)
                return info

            return await vault.gate.change(caller, Act("slot_add"), add)

    def kind(self, name: str) -> Kind:
        kind = self._system.unsealing.kinds.get(name)
        if kind is None:
            known = ", ".join(self._system.unsealing.kinds)
            raise faults({"type": f"must be one of {known}"})
        return kind

    def _facts(self, file: SealFile) -> dict[str, Any]:
        return {
            "vault_id": file.vault_id,
            "root_key_version": file.root_key_version,
            "now": instant(self._system.clock.now()),
        }

    # -- verify --------------------------------------------------------------------------------

    async def verify(self, caller: Caller, request: wire.VerifySlot) -> wire.Verified:
        """Whether a credential opens a slot; the vault stays as it is."""
        vault, file = self._system.opened()
        slot = find(file, request.id)
        act = Act("slot_verify")
        act.extra.update(slot_id=slot.id, slot_type=slot.type)
        body = request.body
        shares = body.shares or ([body.share] if body.share else [])
        if slot.type == "shamir" and not shares:
            raise faults({"shares": "a shamir slot is verified with its shares"})
        known: list[int] = []
        if slot.type == "shamir":
            valid, complete, known = self._verify_shares(file, slot, shares)
        else:
            valid, complete = await self._opens(file, slot, body), True

        def verify(tx: Transaction) -> wire.Verified:
            tx.note(valid=valid, complete=complete)
            if valid and complete:
                store.slot_verified(tx, slot.id)
            return wire.Verified(slot.id, valid, complete, known)

        return await vault.gate.change(caller, act, verify)

    async def _opens(self, file: SealFile, slot: Slot, body: wire.CredentialBody) -> bool:
        auto = self._system.unsealing.kinds[slot.type].auto(slot.params)
        given = Credential(auto=True) if auto and not body.key else credential(body)
        try:
            root, _ = await self._system.unsealing.root(file, slot.id, given)
        except Refusal as refused:
            if refused.code != "unseal_failed":
                raise
            return False
        with root:
            return root.equals(self._system.opened()[0].keyring.root)

    def _verify_shares(
        self, file: SealFile, slot: Slot, texts: list[str]
    ) -> tuple[bool, bool, list[int]]:
        collection = Collection(slot)
        genuine = True
        try:
            for text in texts:
                try:
                    collection.add(text)
                except Refusal:
                    genuine = False
            if not collection.complete:
                return genuine, False, collection.indexes
            with (
                collection.secret() as secret,
                unwrap_root(secret, slot, file.vault_id, file.root_key_version) as root,
            ):
                same = root.equals(self._system.opened()[0].keyring.root)
            return genuine and same, True, collection.indexes
        finally:
            collection.wipe()

    # -- remove --------------------------------------------------------------------------------

    async def remove(self, caller: Caller, request: wire.RemoveSlot) -> None:
        """Take a slot away, but never the last one, nor the last portable one; and unless forced
        another one must have been used or verified."""
        vault, _ = self._system.opened()
        async with self._system.keeper.turn:
            file = self._system.file
            slot = find(file, request.id)
            left = [other for other in file.slots if other.id != slot.id]
            self.check_left(left)

            def remove(tx: Transaction) -> None:
                if not request.force and not _proven(tx, left):
                    raise Refusal(
                        "invalid_state",
                        "no other slot was ever used or verified; verify one first",
                        reason="no_verified_slot",
                    )
                store.slots_removed(tx, [slot.id])
                tx.note(slot_id=slot.id, slot_type=slot.type)
                self._keep(tx, left)

            await vault.gate.change(caller, Act("slot_remove"), remove)

    def check_left(self, left: list[Slot]) -> None:
        """Refuse what would leave no slot, or none that opens the vault elsewhere."""
        if not left:
            raise Refusal("invalid_state", "this is the last slot", reason="last_slot")
        if not any(self._system.unsealing.kinds[slot.type].portable for slot in left):
            raise Refusal(
                "invalid_state",
                "this is the last slot that opens the vault on another machine",
                reason="last_portable_slot",
            )

    def _keep(self, tx: Transaction, slots: list[Slot]) -> None:
        self._system.keeper.replace(tx, self._system.next_file(slots=slots))


def find(file: SealFile, slot_id: str) -> Slot:
    """A slot by its id; ``slot_not_found``."""
    slot = file.slot(slot_id)
    if slot is None:
        raise Refusal("slot_not_found", "there is no such slot", id=slot_id[:64])
    return slot


def _proven(tx: Transaction, left: list[Slot]) -> bool:
    """Whether one of them was ever used or verified."""
    states = store.slot_states(tx.connection)
    return any(slot.id in states and states[slot.id].proven for slot in left)
