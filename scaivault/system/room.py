"""The vault from outside: made, opened, closed.

One per process; it outlives every open vault. ``vault`` is there exactly while the vault is
unsealed. Calls on a sealed vault leave their audit rows in a file that is chained into the ledger
first thing after the next unseal (``early``)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from msgspec import structs

from scaivault import __version__
from scaivault.clock import SECOND, Clock, instant, instant_or_none
from scaivault.config import Settings
from scaivault.crypto.aead import Damaged
from scaivault.crypto.memory import Guarded
from scaivault.errors import Refusal, invalid
from scaivault.gate.caller import Caller, background
from scaivault.gate.gate import Act
from scaivault.gate.transaction import Transaction
from scaivault.ids import random_id, timed_id
from scaivault.seal.file import SealFile, Slot, WrappedKey, load
from scaivault.seal.keyring import KeyMissing
from scaivault.seal.slots import check_slots
from scaivault.seal.slots.contract import Host
from scaivault.seal.unsealing import Unsealing
from scaivault.storage import private
from scaivault.storage.failures import StorageFailed
from scaivault.storage.file import EngineError, FileDamaged
from scaivault.storage.folder import Folder, StartRefused
from scaivault.storage.migrations import SchemaForeign, SchemaNewer
from scaivault.system import founding, store
from scaivault.system.early import EarlyLedger
from scaivault.system.keeper import Keeper
from scaivault.system.opening import (
    ClockBehind,
    Leave,
    Opened,
    SealMismatch,
    open_vault,
    seal_mac_key,
    wrap_file_key,
)
from scaivault.system.root_key import RootKey
from scaivault.system.slots import Slots, credential
from scaivault.wire import system as wire
from scaivault.wire.values import duration_field, duration_text, parse_duration

if TYPE_CHECKING:  # the vault stands above this room; it is handed in
    from scaivault.vault import Vault

log = logging.getLogger("scaivault.system")

_AUTO_PAUSES: Final = (5, 15, 30)  # seconds between automatic attempts; then 60
_LOOK_AGAIN: Final = 10  # seconds until the clock is looked at again


T = TypeVar("T")
Build = Callable[[Opened], "Vault"]


class System:
    """``build`` makes the rooms over an opened file; ``leave`` is what the operator waved through
    at this start."""

    def __init__(
        self, settings: Settings, folder: Folder, clock: Clock, build: Build, leave: Leave
    ) -> None:
        self.settings: Final = settings
        self.folder: Final = folder
        self.clock: Final = clock
        self._build: Final = build
        self._leave = leave
        argon2 = settings.seal.argon2
        host = Host(argon2_ops=argon2.ops, argon2_mem_kib=argon2.mem_kib)
        self.unsealing: Final = Unsealing(host, clock)
        self.keeper: Final = Keeper(folder.seal)
        self.slots: Final = Slots(self)
        self.root_key: Final = RootKey(self)
        self.vault: Vault | None = None
        self._early: Final = EarlyLedger(folder.sealed_audit)
        self._turn: Final = asyncio.Lock()
        self._reason: str | None = None
        self._since = clock.now()
        self._auto_at: int | None = None
        self._auto_error: str | None = None
        # (slot type, success | progress | failure) -> calls of unseal, for metrics
        self.unseal_attempts: Final[dict[tuple[str, str], int]] = {}
        self._sealing = 0  # calls that wait for the vault to be closed
        self.draining = False
        self.hurry = False  # close without waiting for requests
        self.dev_token: str | None = None  # the root token of a vault that is thrown away
        self.fatal: Callable[[StartRefused], None] = lambda _refused: None

    # -- state ---------------------------------------------------------------------------------

    def load(self) -> None:
        """Read vault.seal, if there is one; ``SealFileInvalid``, ``StartRefused``."""
        if not self.folder.initialized:
            return
        file = self.keeper.file = load(bytes(private.read(self.folder.seal, 256 * 1024 + 1)))
        self.folder.check(check_slots(file, self.unsealing.kinds))

    @property
    def initialized(self) -> bool:
        return self.keeper.file is not None

    @property
    def file(self) -> SealFile:
        """vault.seal as it stands."""
        file = self.keeper.file
        if file is None:
            raise Refusal("not_initialized", "this vault was never set up; call init first")
        return file

    def opened(self) -> tuple[Vault, SealFile]:
        """The open vault and its vault.seal; ``sealed`` while there is none."""
        if self.vault is None:
            raise Refusal("sealed", "the vault is sealed; unseal it first")
        return self.vault, self.file

    @property
    def held(self) -> bool:
        """Somebody sealed the vault until a person opens it."""
        return self.folder.hold.exists()

    def status(self) -> wire.SealStatus:
        """What anybody may know."""
        sealed, file = self.vault is None, self.keeper.file
        state = "sealed" if sealed else "unsealed"
        return wire.SealStatus(
            initialized=self.initialized,
            sealed=sealed,
            state=state if self.initialized else "uninitialized",
            reason=self._reason if sealed else None,
            held=self.held,
            since=instant(self._since),
            vault_id=file.vault_id if file is not None else None,
            version=__version__,
            slots=[self._progress(slot) for slot in (file.slots if file is not None else ())],
            auto=wire.AutoState(instant_or_none(self._auto_at), self._auto_error),
        )

    async def seal_status(self, _caller: Caller, _request: Any) -> wire.SealStatus:
        """Whether the vault is open; if not, why, and what its slots still need."""
        self.unsealing.forget_old_shares()
        return self.status()

    def _progress(self, slot: Slot) -> wire.SlotProgress:
        kind = self.unsealing.kinds[slot.type]
        shown = wire.SlotProgress(slot.id, slot.type, slot.label, kind.auto(slot.params))
        if slot.type == "shamir":
            shown.threshold = slot.params["threshold"]
            shown.shares = slot.params["shares"]
            shown.progress = len(self.unsealing.collected(slot.id))
        return shown

    # -- vault.seal ----------------------------------------------------------------------------

    def next_file(self, **fields: Any) -> SealFile:
        """vault.seal with other fields, one generation on and signed; not written yet."""
        vault, file = self.opened()
        with seal_mac_key(vault.keyring.root) as mac:
            return file.changed(mac, **fields)

    def wrap_file_key(self, number: int, key: Guarded) -> WrappedKey:
        """A file key under the present root key."""
        vault, file = self.opened()
        return wrap_file_key(file.vault_id, vault.keyring.root, file.root_key_version, number, key)

    # -- init ----------------------------------------------------------------------------------

    async def init(self, caller: Caller, request: wire.Init) -> wire.Initialized:
        """Make the vault. Shares, recovery key and root token are told in this answer only."""
        act = Act("init")
        return await self._ledgered(caller, act, lambda: self._init(caller, act, request.body))

    async def _init(self, caller: Caller, act: Act, body: wire.InitBody) -> wire.Initialized:
        self._check_local(caller)
        if self.initialized or self._turn.locked():
            raise Refusal(
                "invalid_state",
                "this vault is set up already",
                reason="already_initialized" if self.initialized else "in_progress",
            )
        async with self._turn:
            vault_id = random_id("vlt_")
            ttl = self._token_ttl(body.root_token_ttl, "root_token_ttl", "90d")
            with Guarded.random() as root:
                made = await founding.make_slots(
                    self.unsealing.kinds, vault_id, root, body, instant(self.clock.now())
                )
                with self.folder.initializing():
                    copy = root.duplicate()
                    self.keeper.file = await founding.make_files(
                        self.folder, vault_id, made, copy, self.clock
                    )
                    try:
                        vault = await self._open(copy)
                        answer = await self._found(vault, caller, act, body, ttl)
                        await vault.renew_issuer()
                    except BaseException:
                        await self._abandon()
                        raise
            self._opened_now(vault)
        answer.slots = [wire.SlotBrief(slot.id, slot.type, slot.label) for slot in made.slots]
        answer.shares, answer.recovery_key = made.shares, made.recovery_key
        return answer

    async def _found(
        self, vault: Vault, caller: Caller, act: Act, body: wire.InitBody, ttl: int
    ) -> wire.Initialized:
        def found(tx: Transaction) -> wire.Initialized:
            return founding.found(tx, vault, body, ttl, self.dev_token)

        return await vault.gate.change(caller, act, found)

    async def _abandon(self) -> None:
        vault, self.vault, self.keeper.file = self.vault, None, None
        if vault is not None:
            await vault.close()

    def _token_ttl(self, text: str | None, field: str, usual: str) -> int:
        """How long a root token lives, in microseconds. The usual time gives way to the longest
        that is set: nobody asked for it."""
        longest = self.settings.identity.pat_max_ttl
        if not text:
            return min(parse_duration(usual), longest) * SECOND
        seconds = duration_field(field, text)
        if seconds > longest:
            most = duration_text(longest)
            raise invalid(**{field: f"is longer than identity.pat_max_ttl: {most}"})
        return seconds * SECOND

    # -- unseal --------------------------------------------------------------------------------

    async def unseal(self, caller: Caller, request: wire.Unseal) -> wire.SealStatus:
        """One credential. Already unsealed: nothing is checked."""
        act, body = Act("unseal"), request.body
        if self.vault is not None:
            return await self._open_already(self.vault, caller, act)
        try:
            status: wire.SealStatus = await self._ledgered(
                caller, act, lambda: self._unseal(caller, act, body)
            )
        except Refusal:
            self._attempted(act, body, "failure")
            raise
        self._attempted(act, body, "progress" if status.sealed else "success")
        return status

    async def _open_already(self, vault: Vault, caller: Caller, act: Act) -> wire.SealStatus:
        async def look() -> wire.SealStatus:
            return self.status()

        return await vault.gate.read(caller, act, look)

    def _attempted(self, act: Act, body: wire.CredentialBody, result: str) -> None:
        """Count an attempt; where no slot is known, as the kind of credential that was sent."""
        sent = "passphrase" if body.passphrase is not None else "keyfile"
        if body.share is not None:
            sent = "shamir"
        kind = str(act.extra.get("slot_type", "auto" if body.auto else sent))
        attempts = self.unseal_attempts
        attempts[kind, result] = attempts.get((kind, result), 0) + 1

    async def _unseal(self, caller: Caller, act: Act, body: wire.CredentialBody) -> wire.SealStatus:
        file = self.file
        if body.auto:
            self._check_local(caller)
        if body.shares is not None:
            raise invalid(shares="shares are given one at a time: share")
        _check_one(body)
        if body.share is not None:
            slot = self.unsealing.add_share(file, body.slot_id, body.share)
            act.extra.update(slot_id=slot.id, slot_type=slot.type)
            root = self.unsealing.root_of_shares(file, slot)
            if root is None:
                act.extra["progress"] = len(self.unsealing.collected(slot.id))
                self._take_down(caller, act, None)
                return self.status()
        elif body.auto:
            root, slot = await self.unsealing.auto(file, self._auto_types())
        else:
            given = credential(body, shares=False)
            root, slot = await self.unsealing.root(file, body.slot_id, given)
        act.extra.update(slot_id=slot.id, slot_type=slot.type)
        await self._adopt(caller, act, root, slot)
        self.folder.hold.unlink(missing_ok=True)
        return self.status()

    def _auto_types(self) -> tuple[str, ...]:
        """The order of ``seal.auto``; without one, every automatic slot there is."""
        named = tuple(self.settings.seal.auto)
        return named or tuple(dict.fromkeys(slot.type for slot in self.file.slots))

    async def _adopt(self, caller: Caller, act: Act, root: Guarded, slot: Slot) -> None:
        """Open the file with a root key, chain the rows that waited, and let requests in."""
        async with self._turn:
            if self.vault is not None:
                root.wipe()
                return
            vault = await self._open(root)
            try:
                await self._chain_early(vault, caller)
                await vault.gate.change(caller, act, lambda tx: self._opened_by(tx, slot))
                self._early.clear()
                await vault.renew_issuer()
                await vault.sync_run.recover(vault.internal("identity-sync"))
            except BaseException:
                await vault.close()
                self.vault = None
                raise
            self._opened_now(vault)

    def _opened_by(self, tx: Transaction, slot: Slot) -> None:
        failed = dict(self.unsealing.failed)
        for slot_id in failed.keys() & {known.id for known in self.file.slots}:
            store.slot_failed(tx, slot_id, failed[slot_id])
        store.slot_used(tx, slot.id)
        tx.then(self.unsealing.failed.clear)

    async def _open(self, root: Guarded) -> Vault:
        try:
            opened = await asyncio.to_thread(
                open_vault, self.folder, self.file, root, self.clock, self._leave
            )
        except (SealMismatch, ClockBehind, SchemaNewer, SchemaForeign) as error:
            raise self._not_opened(error) from error
        except (FileDamaged, EngineError, KeyMissing, Damaged, StorageFailed) as error:
            raise self._not_opened(error) from error
        vault = self._build(opened)
        try:
            await vault.start()
        except BaseException:
            await vault.close()
            raise
        return vault

    def _not_opened(self, error: Exception) -> Refusal:
        log.error("the vault could not be opened: %s", error)
        reason = "storage_error"
        if isinstance(error, SealMismatch):
            reason = "seal_mismatch"
        elif isinstance(error, ClockBehind):
            reason = "clock_behind"
        elif isinstance(error, SchemaNewer | SchemaForeign):
            self.fatal(StartRefused(f"vault.db was written by a newer program: {error}"))
        self._reason = reason
        if reason == "storage_error":
            return Refusal(
                "service_unavailable", f"vault.db could not be opened: {error}", reason=reason
            )
        return Refusal("invalid_state", str(error), reason=reason)

    async def _chain_early(self, vault: Vault, caller: Caller) -> None:
        rows = self._early.take(await vault.gate.ask(store.early_row))
        if not rows:
            return
        newest = rows[-1].id
        await vault.gate.chain(caller, rows, lambda tx: store.keep_early_row(tx, newest))

    def _opened_now(self, vault: Vault) -> None:
        self._leave = Leave()
        self.unsealing.forget_shares()
        self._reason, self._since = None, self.clock.now()
        self.vault = vault
        log.info("unsealed")

    async def auto_unseal(self) -> bool:
        """One attempt without a person; True when no further one is needed."""
        if self.vault is not None or not self.initialized or self.held:
            return True
        if not any(
            self.unsealing.kinds[slot.type].auto(slot.params) and slot.type in self._auto_types()
            for slot in self.file.slots
        ):
            return True
        now = self._auto_at = self.clock.now()
        caller = background("unseal", timed_id("req_", now), now, self.clock.monotonic())
        try:
            await self.unseal(caller, wire.Unseal(wire.CredentialBody(auto=True)))
        except Refusal as refused:
            self._auto_error = refused.message
            if self._reason not in ("clock_behind", "seal_mismatch", "storage_error"):
                self._reason = "auto_unseal_failed"
            return False
        self._auto_error = None
        return True

    def auto_pause(self, attempts: int) -> int:
        """Seconds until the next automatic attempt."""
        if self._reason == "clock_behind":
            return _LOOK_AGAIN
        return _AUTO_PAUSES[attempts - 1] if attempts <= len(_AUTO_PAUSES) else 60

    # -- seal ----------------------------------------------------------------------------------

    async def seal(self, caller: Caller, request: wire.Seal) -> wire.SealStatus:
        """Stop serving, wipe every key, close the file."""
        vault, _ = self.opened()
        act = Act("seal")
        act.extra["hold"] = request.body.hold

        told = structs.replace(self.status(), sealed=True, state="sealed", reason="manual")
        told.held = self.held or request.body.hold
        told.since = instant(caller.now)

        def hold(tx: Transaction) -> wire.SealStatus:
            if request.body.hold and not self.held:
                tx.otherwise(lambda: self.folder.hold.unlink(missing_ok=True))
                private.write_atomically(self.folder.hold, b"")
            return told

        result = await vault.gate.change(caller, act, hold)
        if result is not told:
            return result  # answered before; who opened the vault since wants it open
        self._sealing += 1
        try:
            await self.close("manual")
        finally:
            self._sealing -= 1
        return self.status()

    async def close(self, reason: str | None) -> None:
        """Drain and close; nothing happens on a sealed vault."""
        async with self._turn:
            vault = self.vault
            if vault is None:
                return
            vault.closing = True
            await self._drained(vault)
            self.vault = None
            self._reason, self._since = reason, self.clock.now()
            await vault.close()
            log.info("sealed")

    async def _drained(self, vault: Vault) -> None:
        """Wait until no request is left but those that wait for the seal."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.settings.server.shutdown_grace):
                # A count, kept on the hot path.
                while vault.inflight > self._sealing and not self.hurry:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)

    # -- root token ----------------------------------------------------------------------------

    async def root_token(self, caller: Caller, request: wire.RootToken) -> wire.IssuedRootToken:
        """A token for an operator who lost every other one; takes a slot credential."""
        vault, file = self.opened()
        self._check_local(caller)
        body = request.body
        ttl = self._token_ttl(body.ttl, "ttl", "1h")
        if body.auto or body.share is not None:
            raise invalid(auto="an automatic slot, or one share alone, proves nobody's presence")
        given = credential(body)
        root, slot = await self.unsealing.root(file, body.slot_id, given)
        with root:
            if not root.equals(vault.keyring.root):
                raise Refusal("unseal_failed", "no slot opens with this credential")
        act = Act("token_create")
        act.extra.update(slot_id=slot.id, slot_type=slot.type)

        def issue(tx: Transaction) -> wire.IssuedRootToken:
            text, row = founding.issue_root_token(tx, vault, ttl)
            return wire.IssuedRootToken(text, instant(row.expires_at), row.identity_id)

        return await vault.gate.change(caller, act, issue)

    # -- common --------------------------------------------------------------------------------

    def _check_local(self, caller: Caller) -> None:
        if not caller.local and caller.identity_id is None:
            raise Refusal(
                "forbidden",
                "this call is taken from this host only, or from seal.local_from",
                reason="not_local",
            )

    async def _ledgered(self, caller: Caller, act: Act, call: Callable[[], Awaitable[T]]) -> T:
        """A call on a vault that has no ledger open: a refusal waits in the early ledger."""
        try:
            return await call()
        except Refusal as refused:
            if not refused.recorded:
                self.record_early(caller, act, refused)
            raise

    def record_early(self, caller: Caller, act: Act, refused: Refusal) -> None:
        """Take down that a call on the sealed vault was refused."""
        if self.vault is None and refused.code != "not_initialized":
            self._take_down(caller, act, refused.code)
            refused.recorded = True

    def _take_down(self, caller: Caller, act: Act, error_code: str | None) -> None:
        try:
            self._early.append(caller, act, error_code, self.clock.now())
        except OSError as error:
            raise Refusal(
                "service_unavailable",
                "the audit row could not be written to disk; free some space first",
                reason="disk_full",
            ) from error


def _check_one(body: wire.CredentialBody) -> None:
    sent = [name for name in ("passphrase", "share", "key") if getattr(body, name) is not None]
    if len(sent) + body.auto != 1:
        name = sent[0] if sent else "passphrase"
        raise invalid(**{name: "send exactly one of passphrase, share, key or auto"})
