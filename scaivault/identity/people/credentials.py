"""Client secrets of service accounts. Several may live at a time, so that one can follow another
without a gap."""

from __future__ import annotations

import os
from typing import Final

from scaivault.clock import SECOND, instant, instant_or_none
from scaivault.crypto import codes
from scaivault.errors import Refusal, check_fields
from scaivault.gate.caller import Caller
from scaivault.gate.gate import Act, Gate
from scaivault.gate.transaction import Transaction
from scaivault.identity.authentication import Authentication
from scaivault.identity.model import Account, Credential
from scaivault.identity.people.looking import Looking
from scaivault.identity.reach import Reach
from scaivault.identity.store import accounts as accounts_store
from scaivault.identity.store import tokens as tokens_store
from scaivault.ids import random_id
from scaivault.seal.keyring import Keyring
from scaivault.storage.file import Connection
from scaivault.tenancy import Tenancy
from scaivault.wire import accounts
from scaivault.wire import identity as wire
from scaivault.wire.names import name_fault
from scaivault.wire.values import duration_field

_MOST: Final = 5


class Credentials:
    """One per open vault."""

    def __init__(
        self, gate: Gate, keyring: Keyring, authentication: Authentication, tenancy: Tenancy
    ) -> None:
        self.gate: Final = gate
        self._keyring: Final = keyring
        self._authentication: Final = authentication
        self._reach: Final = Reach(tenancy)
        self._looking: Final = Looking(gate, tenancy)

    async def create(self, caller: Caller, request: wire.NewCredential) -> wire.NewSecret:
        """A further client secret, told once; at most five at a time."""
        body = request.body
        check_fields({"name": name_fault(body.name)})
        life = None
        if body.expires_in is not None:
            life = duration_field("expires_in", body.expires_in) * SECOND

        def create(tx: Transaction) -> wire.NewSecret:
            account = self._reach.account_with_secrets(tx, caller, request.id)
            _check_room(tx, account)
            text = codes.token(codes.CLIENT_SECRET, os.urandom(32))
            credential = Credential(
                random_id("cred_"), body.name or "", tx.now, life and tx.now + life, None
            )
            hashed = self._keyring.token_hash(text.encode())
            accounts_store.add_credential(tx, account.tenant_id, account.id, credential, hashed)
            tx.note(credential_id=credential.id)
            return wire.NewSecret(
                id=credential.id,
                client_id=account.id,
                client_secret=text,
                name=credential.name,
                created_at=instant(credential.created_at),
                expires_at=instant_or_none(credential.expires_at),
            )

        return await self.gate.change(caller, Act("credential_create"), create)

    async def table(self, caller: Caller, request: accounts.AccountId) -> wire.CredentialList:
        """The live credentials of an account."""

        def shown(db: Connection, account: Account) -> wire.CredentialList:
            live = accounts_store.live_credentials(db, account.id, caller.now)
            return wire.CredentialList([_item(account, one) for one in live])

        return await self._looking.at(
            caller, lambda db: self._reach.account(db, caller, request.id), shown
        )

    async def delete(self, caller: Caller, request: wire.CredentialId) -> None:
        """End a credential and the tokens it gave."""

        def drop(tx: Transaction) -> None:
            account = self._reach.account_with_secrets(tx, caller, request.id)
            if not accounts_store.drop_credential(tx, account.id, request.credential_id):
                raise Refusal(
                    "credential_not_found",
                    "this account has no such credential",
                    id=request.credential_id[:64],
                )
            tokens_store.revoke_of_credential(
                tx, account.tenant_id, account.identity_id, request.credential_id
            )
            tx.note(credential_id=request.credential_id)
            tx.then(self._authentication.forget)

        await self.gate.change(caller, Act("credential_revoke"), drop)


def _check_room(tx: Transaction, account: Account) -> None:
    if len(accounts_store.live_credentials(tx.connection, account.id, tx.now)) >= _MOST:
        raise Refusal(
            "invalid_state",
            f"an account has at most {_MOST} live credentials; delete one first",
            reason="too_many_credentials",
        )


def _item(account: Account, one: Credential) -> wire.CredentialItem:
    return wire.CredentialItem(
        id=one.id,
        client_id=account.id,
        name=one.name,
        created_at=instant(one.created_at),
        expires_at=instant_or_none(one.expires_at),
        last_used_at=instant_or_none(one.last_used_at),
    )
