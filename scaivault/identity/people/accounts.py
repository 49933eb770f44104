"""Service accounts: who they are and what they may ask for."""

from __future__ import annotations

from typing import Final

from msgspec import UNSET

from scaivault.errors import Refusal, check_fields
from scaivault.gate.caller import SUPER_ADMIN, Caller
from scaivault.gate.gate import Act, Gate
from scaivault.gate.transaction import Transaction
from scaivault.identity import model, names
from scaivault.identity.authentication import Authentication
from scaivault.identity.groups import members
from scaivault.identity.model import Account
from scaivault.identity.people.looking import Looking
from scaivault.identity.people.revoking import Revoking
from scaivault.identity.reach import Reach, holder
from scaivault.identity.store import accounts as accounts_store
from scaivault.identity.store import groups as groups_store
from scaivault.ids import random_id
from scaivault.storage.file import Connection
from scaivault.tenancy import Tenancy
from scaivault.wire import accounts as wire
from scaivault.wire.names import name_fault


class Accounts:
    """One per open vault."""

    def __init__(
        self, gate: Gate, authentication: Authentication, tenancy: Tenancy, revoking: Revoking
    ) -> None:
        self.gate: Final = gate
        self._authentication: Final = authentication
        self._tenancy: Final = tenancy
        self._revoking: Final = revoking
        self._reach: Final = Reach(tenancy)
        self._looking: Final = Looking(gate, tenancy)

    # -- verbs ---------------------------------------------------------------------------------

    async def create(self, caller: Caller, request: wire.NewAccount) -> wire.Account:
        """A service account in the caller's tenant, or in one that his role reaches."""
        body = request.body
        principal = holder(caller)
        self._reach.aim(caller, body.tenant_id)
        check_fields(
            {
                "name": names.id_fault(body.name),
                "scopes": model.scopes_fault(body.scopes),
                "display_name": name_fault(body.display_name),
            }
        )
        scopes = model.check_scopes(body.scopes, principal)
        identity_id = names.made("sa", body.name)
        display_name = body.display_name or body.name

        def create(tx: Transaction) -> wire.Account:
            tenant = caller.tenant
            if accounts_store.account_by_identity(tx.connection, tenant, identity_id) is not None:
                raise Refusal(
                    "already_exists",
                    "a service account has, or had, this name; it is given once",
                    field="name",
                )
            account = Account(
                tenant, random_id("sa_"), identity_id, display_name,
                model.ACTIVE, scopes, (), tx.now,
            )  # fmt: skip
            accounts_store.put_account(tx, account)
            members.join(tx, tenant, identity_id, body.groups)
            tx.note(object_type="service_account", object_id=account.id)
            return _info(tx.connection, account, tx.now)

        return await self.gate.change(caller, Act("identity_create"), create)

    async def get(self, caller: Caller, request: wire.AccountId) -> wire.Account:
        """One account."""
        return await self._looking.at(
            caller,
            lambda db: self._reach.account(db, caller, request.id),
            lambda db, account: _info(db, account, caller.now),
        )

    async def page(self, caller: Caller, request: wire.ListAccounts) -> wire.AccountPage:
        """The accounts of a tenant, by name."""
        size, skip = request.page_size, (request.page - 1) * request.page_size
        wanted = (request.q or "").casefold()

        def question(db: Connection) -> wire.AccountPage:
            found, total = accounts_store.accounts(
                db, request.tenant_id, request.status, wanted, size, skip
            )
            return wire.AccountPage([_info(db, account, caller.now) for account in found], total)

        async def look() -> wire.AccountPage:
            self._reach.tenant(caller, request.tenant_id)
            return await self.gate.ask(question)

        return await self.gate.read(caller, Act("identity_read"), look)

    async def change(self, caller: Caller, request: wire.ChangeAccount) -> wire.Account:
        """New scopes, groups, name shown or status; what is taken away ends in live tokens too."""
        principal = holder(caller)
        body = request.body
        told, sent = body.display_name, body.scopes
        check_fields(
            {
                "display_name": name_fault(told) if isinstance(told, str) else None,
                "scopes": model.scopes_fault(sent) if isinstance(sent, list) else None,
            }
        )
        scopes = model.check_scopes(sent, principal) if isinstance(sent, list) else None

        def change(tx: Transaction) -> wire.Account:
            account = self._reach.account_to_change(tx, caller, request.id)
            if scopes is not None:
                account = account._replace(scopes=scopes)
            if isinstance(body.display_name, str):
                account = account._replace(display_name=body.display_name)
            if body.status == model.ACTIVE:
                account = account._replace(status=model.ACTIVE)
            accounts_store.put_account(tx, account)
            if body.status == model.SUSPENDED:
                account = self._revoking.suspend(tx, account)
            if body.groups is not UNSET:
                members.join(tx, account.tenant_id, account.identity_id, body.groups or ())
            tx.note(changed=model.sent(body))
            tx.then(self._authentication.forget)
            return _info(tx.connection, account, tx.now)

        return await self.gate.change(caller, Act("identity_update"), change)

    async def delete(self, caller: Caller, request: wire.AccountId) -> None:
        """End an account with its tokens, credentials, memberships and bindings; its name is never
        given out again."""

        def delete(tx: Transaction) -> None:
            account = self._reach.account_to_change(tx, caller, request.id)
            self._revoking.delete(tx, account._replace(scopes=()))

        await self.gate.change(caller, Act("identity_delete"), delete)

    # -- founding ------------------------------------------------------------------------------

    def found(self, tx: Transaction, tenant_id: str, name: str, role: str) -> Account:
        """The first account of a new vault."""
        account = Account(
            tenant_id, random_id("sa_"), names.made("sa", name), name, model.ACTIVE,
            ("admin",), (role,), tx.now,
        )  # fmt: skip
        accounts_store.put_account(tx, account)
        return account

    def restored(self, tx: Transaction, name: str) -> Account:
        """The first account of the vault, by name: active, and super_admin with every right, as it
        was made. ``identity_not_found``."""
        identity_id = names.made("sa", name)
        # Of the first tenant alone: whoever administers another may give an account this name.
        first = self._tenancy.first(tx.connection)
        home = "" if first is None else first[0]
        account = accounts_store.account_by_identity(tx.connection, home, identity_id)
        if account is None:
            raise Refusal(
                "identity_not_found", f"this vault has no {identity_id}", identity_id=identity_id
            )
        whole = account.status == model.ACTIVE and SUPER_ADMIN in account.roles
        if not whole or "admin" not in account.scopes:
            account = account._replace(status=model.ACTIVE, roles=(SUPER_ADMIN,), scopes=("admin",))
            accounts_store.put_account(tx, account)
            tx.then(self._authentication.forget)
        return account


def _info(db: Connection, account: Account, now: int) -> wire.Account:
    groups = groups_store.direct_groups(db, account.tenant_id, account.identity_id)
    credentials = len(accounts_store.live_credentials(db, account.id, now))
    return model.account_info(account, groups, credentials)
