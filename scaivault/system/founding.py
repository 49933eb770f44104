"""What a new vault begins with: slots, files, a partner, a tenant, ``sa:root`` and its token."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from scaivault.clock import Clock, instant
from scaivault.crypto.memory import Guarded
from scaivault.errors import Refusal, faults, invalid
from scaivault.gate.caller import SUPER_ADMIN
from scaivault.gate.transaction import Transaction
from scaivault.identity.model import Token
from scaivault.identity.tokens import minting
from scaivault.ids import random_id
from scaivault.seal.file import SealFile, Slot
from scaivault.seal.slots.contract import Kind
from scaivault.storage.folder import Folder
from scaivault.system.opening import make_vault
from scaivault.system.slots import new_slot, wanted
from scaivault.wire import system as wire

if TYPE_CHECKING:
    from scaivault.vault import Vault

ROOT: Final = "root"
_RECOVERY: Final = wire.SlotBody(type="passphrase", label="recovery", generate=True)


@dataclass(slots=True)
class MadeSlots:
    """The first slots, and what is told of them once."""

    slots: list[Slot] = field(default_factory=list)
    shares: dict[str, list[str]] = field(default_factory=dict)
    recovery_key: str | None = None


async def make_slots(
    kinds: Mapping[str, Kind], vault_id: str, root: Guarded, body: wire.InitBody, now: str
) -> MadeSlots:
    """Every slot asked for, holding ``root``; a recovery slot where no other is portable."""
    asked = list(body.slots or ())
    unknown = {
        f"slots[{place}].type": f"must be one of {', '.join(kinds)}"
        for place, slot in enumerate(asked)
        if slot.type not in kinds
    }
    if unknown:
        raise faults(unknown)
    portable = any(kinds[slot.type].portable for slot in asked)
    if body.recovery is False and not portable:
        raise invalid(recovery="is needed: no slot that is asked for opens on another machine")
    if body.recovery or not portable:
        asked.append(_RECOVERY)
    made = MadeSlots()
    facts = {"vault_id": vault_id, "root_key_version": 1, "now": now}
    for place, slot in enumerate(asked):
        await _make_slot(kinds[slot.type], slot, root, facts, made, place)
    return made


async def _make_slot(
    kind: Kind,
    body: wire.SlotBody,
    root: Guarded,
    facts: dict[str, object],
    made: MadeSlots,
    place: int,
) -> None:
    slot_id = random_id("slot_")
    try:
        created = await kind.create(slot_id, str(facts["vault_id"]), wanted(body))
    except Refusal as refused:
        if "fields" not in refused.details:
            raise
        fields: dict[str, str] = refused.details["fields"]
        raise faults({f"slots[{place}].{name}": fault for name, fault in fields.items()}) from None
    with created.secret:
        made.slots.append(new_slot(kind, slot_id, body, created, root, facts))
    if created.shares:
        made.shares[slot_id] = list(created.shares)
    if created.recovery_key is not None:
        made.recovery_key = created.recovery_key


async def make_files(
    folder: Folder, vault_id: str, made: MadeSlots, root: Guarded, clock: Clock
) -> SealFile:
    """vault.db and vault.seal."""
    return await asyncio.to_thread(make_vault, folder, vault_id, made.slots, root, clock)


def found(
    tx: Transaction, vault: Vault, body: wire.InitBody, ttl: int, token: str | None = None
) -> wire.Initialized:
    """The first partner, tenant, account and token, in one transaction."""
    first = wire.Founded()
    partner_body, tenant_body = body.partner or first, body.tenant or first
    partner = vault.tenancy.found_partner(tx, partner_body.name, partner_body.slug)
    tenant = vault.tenancy.found_tenant(tx, partner.id, tenant_body.name, tenant_body.slug)
    tx.concern(tenant.id, partner.id)
    account = vault.accounts.found(tx, tenant.id, ROOT, SUPER_ADMIN)
    text, row = minting.personal(tx, vault.keyring, account, ROOT, ("admin",), ttl, token)
    return wire.Initialized(
        vault_id=vault.keyring.vault_id,
        sealed=False,
        partner_id=partner.id,
        tenant_id=tenant.id,
        slots=[],
        shares={},
        recovery_key=None,
        root_token=text,
        root_token_expires_at=instant(row.expires_at),
    )


def issue_root_token(tx: Transaction, vault: Vault, ttl: int) -> tuple[str, Token]:
    """A further token of the vault's ``sa:root``, active and ``super_admin`` again."""
    account = vault.accounts.restored(tx, ROOT)
    tx.concern(account.tenant_id, vault.tenancy.tenants[account.tenant_id].partner_id)
    return minting.personal(tx, vault.keyring, account, ROOT, ("admin",), ttl)
