"""The slots of an open vault: list, add, verify, remove, and replacing the root key under them."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from msgspec import UNSET, structs

from scaivault.clock import instant, instant_or_none
from scaivault.crypto.memory import Guarded
from scaivault.errors import Refusal, faults
from scaivault.gate.caller import Caller
from scaivault.gate.gate import Act, steps, unavailable
from scaivault.gate.once import Replay
from scaivault.gate.transaction import Transaction
from scaivault.ids import random_id
from scaivault.seal.file import SealFile, Slot, dump
from scaivault.seal.slots.contract import Created, Credential, Kind, Wanted
from scaivault.seal.slots.shamir import Collection
from scaivault.seal.slots.wrapping import unwrap_root, wrap_root
from scaivault.storage import private
from scaivault.storage.database import StorageFailed
from scaivault.system.opening import seal_mac_key, set_generation
from scaivault.wire import system as wire

if TYPE_CHECKING:
    from scaivault.system.room import System

log = logging.getLogger("scaivault.system")

_STATE: Final = "SELECT id, created_by, last_used_at, last_verified_at, last_error FROM slot_state"


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
        self._turn: Final = asyncio.Lock()  # one change of vault.seal at a time

    # -- look ----------------------------------------------------------------------------------

    async def table(self, caller: Caller, _request: Any) -> wire.SlotList:
        """All slots."""
        vault, file = self._system.opened()

        async def look() -> wire.SlotList:
            rows = await vault.gate.ask(lambda db: db.execute(_STATE).fetchall())
            states = {row[0]: row[1:] for row in rows}
            return wire.SlotList([self._info(slot, states.get(slot.id)) for slot in file.slots])

        return await vault.gate.read(caller, Act("system_read"), look)

    def _info(self, slot: Slot, state: Any) -> wire.SlotInfo:
        kind = self._system.unsealing.kinds[slot.type]
        author, used, verified, error = state or (None, None, None, None)
        return wire.SlotInfo(
            id=slot.id,
            type=slot.type,
            label=slot.label,
            params=slot.params,
            auto=kind.auto(slot.params),
            portable=kind.portable,
            created_at=slot.created_at,
            created_by=author,
            last_used_at=instant_or_none(used),
            last_verified_at=instant_or_none(verified),
            last_error=error,
        )

    # -- add -----------------------------------------------------------------------------------

    async def add(self, caller: Caller, request: wire.NewSlot) -> wire.SlotInfo:
        """A further way to open the vault; it is opened once before the answer."""
        vault, _ = self._system.opened()
        kind = self.kind(request.body.type)
        async with self._turn:
            file = self._system.file
            slot_id = random_id("slot_")
            created = await kind.create(slot_id, file.vault_id, wanted(request.body))
            with created.secret:
                slot = new_slot(
                    kind, slot_id, request.body, created, vault.keyring.root, self._facts(file)
                )
                with unwrap_root(created.secret, slot, file.vault_id, file.root_key_version):
                    pass

            info = self._info(slot, (caller.identity_id, None, caller.now, None))
            info.shares = list(created.shares) or UNSET
            info.recovery_key = created.recovery_key or UNSET

            def add(tx: Transaction) -> wire.SlotInfo:
                tx.execute(
                    "INSERT INTO slot_state (id, created_by, last_verified_at)"
                    " VALUES (:id, :by, :now)",
                    {"id": slot_id, "by": caller.identity_id, "now": caller.now},
                )
                self.store(tx, slots=[*file.slots, slot])
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
        slot = self._slot(file, request.id)
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
                _remember(tx, slot.id, "last_verified_at")
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
        async with self._turn:
            file = self._system.file
            slot = self._slot(file, request.id)
            left = [other for other in file.slots if other.id != slot.id]
            self._check_left(left)

            def remove(tx: Transaction) -> None:
                if not request.force and not _proven(tx, left):
                    raise Refusal(
                        "invalid_state",
                        "no other slot was ever used or verified; verify one first",
                        reason="no_verified_slot",
                    )
                tx.execute("DELETE FROM slot_state WHERE id = :id", {"id": slot.id})
                tx.note(slot_id=slot.id, slot_type=slot.type)
                self.store(tx, slots=left)

            await vault.gate.change(caller, Act("slot_remove"), remove)

    def _check_left(self, left: list[Slot]) -> None:
        if not left:
            raise Refusal("invalid_state", "this is the last slot", reason="last_slot")
        if not any(self._system.unsealing.kinds[slot.type].portable for slot in left):
            raise Refusal(
                "invalid_state",
                "this is the last slot that opens the vault on another machine",
                reason="last_portable_slot",
            )

    def _slot(self, file: SealFile, slot_id: str) -> Slot:
        slot = file.slot(slot_id)
        if slot is None:
            raise Refusal("slot_not_found", "there is no such slot", id=slot_id[:64])
        return slot

    # -- the root key --------------------------------------------------------------------------

    async def rotate_root(
        self, caller: Caller, request: wire.RotateRoot
    ) -> wire.RootRotated | Replay:
        """Another root key, and every slot wrapped anew; secrets are not rewritten.

        Three steps, so that a stop anywhere leaves a vault that opens: the new wraps as further
        rows; then vault.seal; then the old rows go."""
        vault, _ = self._system.opened()
        body = request.body
        async with self._turn:
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
            self._slot(file, name)
        kept = [slot for slot in file.slots if slot.id not in body.drop_slots]
        self._check_left(kept)
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
            for dropped in answer.slots_dropped:
                tx.execute("DELETE FROM slot_state WHERE id = :id", {"id": dropped})
            tx.note(key_version=version, stage="done")
            if reason is not None:
                tx.note(reason=reason)
            self._replace(tx, changed)
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
            self.store(tx, **fields)

        await vault.gate.change(caller, Act("root_rotate"), step)

    # -- vault.seal ----------------------------------------------------------------------------

    def store(self, tx: Transaction, **fields: Any) -> None:
        """The next vault.seal, as the last step of a change: the file goes first, the row follows
        with the commit; a stop in between leaves the file one ahead, which opens."""
        self._replace(tx, self._system.next_file(**fields))

    def _replace(self, tx: Transaction, changed: SealFile) -> None:
        system, before = self._system, self._system.file
        set_generation(tx.connection, changed.generation)
        tx.otherwise(lambda: _put_back(system.folder.seal, before))
        try:
            private.write_atomically(system.folder.seal, dump(changed))
        except OSError as error:
            raise Refusal(
                "service_unavailable",
                "vault.seal could not be written to disk, so nothing was changed; try again later",
                reason="disk_full" if error.errno == errno.ENOSPC else "io",
            ) from error
        tx.then(lambda: setattr(system, "file", changed))


def _put_back(path: Path, file: SealFile) -> None:
    """The change did not commit. Where this fails too the file stays one ahead, which opens."""
    try:
        private.write_atomically(path, dump(file))
    except OSError as error:
        log.error("vault.seal could not be put back: %s", type(error).__name__)


def _newest_file_key(file: SealFile) -> int:
    """The highest number that a file key was given."""
    announced = file.file_key_next
    return max(file.file_key.version, 0 if announced is UNSET else announced.version)


def _proven(tx: Transaction, left: list[Slot]) -> bool:
    proven = {
        row[0]
        for row in tx.rows(
            "SELECT id FROM slot_state WHERE last_used_at IS NOT NULL"
            " OR last_verified_at IS NOT NULL"
        )
    }
    return any(slot.id in proven for slot in left)


def _remember(tx: Transaction, slot_id: str, column: str) -> None:
    """A slot was used or verified just now; ``column`` is one of the two."""
    tx.execute(
        f"INSERT INTO slot_state (id, {column}) VALUES (:id, :now)"  # noqa: S608  (two literals)
        f" ON CONFLICT (id) DO UPDATE SET {column} = excluded.{column}",
        {"id": slot_id, "now": tx.now},
    )


def used(tx: Transaction, slot_id: str) -> None:
    """The slot opened the vault."""
    _remember(tx, slot_id, "last_used_at")
