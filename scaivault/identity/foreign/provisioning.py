"""Identities of outside issuers, taken down when their first valid token shows them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from scaivault.gate.caller import background
from scaivault.gate.gate import Act, Gate
from scaivault.gate.transaction import Transaction
from scaivault.identity import names, subjects
from scaivault.identity.foreign.claims import Meant
from scaivault.identity.foreign.store import put_subject, subject_meant
from scaivault.identity.model import ACTIVE, Account, Subject, User
from scaivault.identity.store import accounts as accounts_store
from scaivault.identity.store import users as users_store
from scaivault.ids import random_id, timed_id

_COMPONENT: Final = "identity-sync"


class Provisioning:
    """One per open vault."""

    def __init__(self, gate: Gate) -> None:
        self._gate: Final = gate
        self.one_by_one: Final = asyncio.Lock()

    async def create(self, whom: Meant, iss: str, issuer: str, partner_id: str) -> None:
        """A row for somebody who has none. ``iss``: as in the token; ``issuer``: the name in the
        configuration. Who was taken down meanwhile, by whomever, stays as he is."""

        def create(tx: Transaction) -> None:
            made = _made(whom, issuer, tx.now)
            tx.concern(whom.tenant_id, partner_id)
            if subjects.subject(tx.connection, whom.tenant_id, whom.identity_id) is not None:
                tx.fail("already_exists")
                return
            tx.note(object_type=made.kind, object_id=made.id)
            if isinstance(made, User):
                users_store.put_user(tx, made)
                put_subject(tx, whom.tenant_id, whom.identity_id, iss, whom.subject)
            else:
                accounts_store.put_account(tx, made)

        await self._change(Act("identity_create"), create)

    async def note_subject(self, whom: Meant, iss: str, who: Subject, partner_id: str) -> None:
        """From now on this issuer means this subject by the user, and no other; unless it is known
        by now whom it means."""
        place = whom.tenant_id, whom.identity_id, iss

        def note(tx: Transaction) -> None:
            tx.concern(whom.tenant_id, partner_id)
            if subject_meant(tx.connection, *place) is not None:
                tx.fail("already_exists")
                return
            tx.note(object_type=names.USER, object_id=who.id, changed=["subject"])
            put_subject(tx, *place, whom.subject)

        await self._change(Act("identity_update"), note)

    async def _change(self, act: Act, change: Callable[[Transaction], None]) -> None:
        clock = self._gate.clock
        now = clock.now()
        caller = background(_COMPONENT, timed_id("req_", now), now, clock.monotonic())
        await self._gate.change(caller, act, change)


def _made(whom: Meant, issuer: str, now: int) -> Subject:
    if whom.kind == names.SERVICE_ACCOUNT:
        return Account(
            whom.tenant_id, random_id("sa_"), whom.identity_id, whom.display_name, ACTIVE,
            scopes=(), roles=(), created_at=now, issuer=issuer,
        )  # fmt: skip
    return User(
        whom.tenant_id, random_id("usr_"), whom.identity_id, whom.email, whom.display_name, ACTIVE,
        roles=(), created_at=now, issuer=issuer, last_synced_at=now, external_id=whom.subject,
    )  # fmt: skip
