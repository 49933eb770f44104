"""Service accounts of the local issuer: who they are, their client secrets, their roles.

Nobody creates, changes, deletes or gives credentials to an account that ranks above himself, and
only ``super_admin`` makes a ``super_admin``."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final, TypeVar

from msgspec import UNSET

from scaivault.clock import SECOND, instant, instant_or_none
from scaivault.crypto import codes
from scaivault.errors import Refusal
from scaivault.gate.caller import PARTNER_ADMIN, SUPER_ADMIN, TENANT_ADMIN, Caller, Principal
from scaivault.gate.gate import Act, Gate
from scaivault.gate.transaction import Transaction
from scaivault.identity import groups_store, members, model, names, store, subjects, tokens_store
from scaivault.identity.authentication import Authentication
from scaivault.identity.model import Account, Credential
from scaivault.identity.reach import Reach, holder
from scaivault.ids import random_id
from scaivault.seal.keyring import Keyring
from scaivault.storage.file import Connection
from scaivault.tenancy import Tenancy
from scaivault.wire import identity as wire
from scaivault.wire.values import duration_field

T = TypeVar("T")

_READERS: Final = frozenset(("identity:read", "admin"))


class Accounts:
    """One per open vault."""

    def __init__(
        self, gate: Gate, keyring: Keyring, authentication: Authentication, tenancy: Tenancy
    ) -> None:
        self.gate: Final = gate
        self._keyring: Final = keyring
        self._authentication: Final = authentication
        self._tenancy: Final = tenancy
        self._reach: Final = Reach(tenancy)

    # -- accounts ------------------------------------------------------------------------------

    async def create(self, caller: Caller, request: wire.NewAccount) -> wire.Account:
        """A service account in the caller's tenant, or in one that his role reaches."""
        body = request.body
        principal = holder(caller, TENANT_ADMIN)
        if body.tenant_id is not None:
            self._tenancy.resolve(caller, body.tenant_id)
        scopes = model.check_scopes(body.scopes, principal)
        identity_id = names.made("sa", body.name)
        display_name = body.display_name or body.name
        names.check_display_name(display_name)

        def create(tx: Transaction) -> wire.Account:
            tenant = caller.tenant
            if store.account_by_identity(tx.connection, tenant, identity_id) is not None:
                raise Refusal(
                    "already_exists", "a service account has this name already", field="name"
                )
            account = Account(
                tenant, random_id("sa_"), identity_id, display_name,
                model.ACTIVE, scopes, (), tx.now,
            )  # fmt: skip
            store.put_account(tx, account)
            members.join(tx, tenant, identity_id, body.groups)
            tx.note(object_type="service_account", object_id=account.id)
            return _info(tx.connection, account, tx.now)

        return await self.gate.change(caller, Act("identity_create"), create)

    def found(self, tx: Transaction, tenant_id: str, name: str, role: str) -> Account:
        """The first account of a new vault."""
        account = Account(
            tenant_id, random_id("sa_"), names.made("sa", name), name, model.ACTIVE,
            ("admin",), (role,), tx.now,
        )  # fmt: skip
        store.put_account(tx, account)
        return account

    def restored(self, tx: Transaction, name: str) -> Account:
        """The first account of the vault, by name: active, and super_admin with every right, as it
        was made. ``identity_not_found``."""
        identity_id = names.made("sa", name)
        account = store.oldest_account(tx.connection, identity_id)
        if account is None:
            raise Refusal(
                "identity_not_found", f"this vault has no {identity_id}", identity_id=identity_id
            )
        whole = account.status == model.ACTIVE and SUPER_ADMIN in account.roles
        if not whole or "admin" not in account.scopes:
            account = account._replace(status=model.ACTIVE, roles=(SUPER_ADMIN,), scopes=("admin",))
            store.put_account(tx, account)
            tx.then(self._authentication.forget)
        return account

    async def get(self, caller: Caller, request: wire.AccountId) -> wire.Account:
        """One account."""

        return await self._look(
            caller, request.id, lambda db, account: _info(db, account, caller.now)
        )

    async def _look(
        self, caller: Caller, wanted: str, shown: Callable[[Connection, Account], T]
    ) -> T:
        """What ``shown`` makes of an account; the ledger names the account's tenant."""

        act = Act("identity_read")

        def question(db: Connection) -> tuple[T, Account]:
            account = self._reach.account(db, caller, wanted)
            return shown(db, account), account

        async def look() -> T:
            seen, account = await self.gate.ask(question)
            self._tenancy.concern(caller, account.tenant_id)
            act.extra.update(object_type="service_account", object_id=account.id)
            return seen

        return await self.gate.read(caller, act, look)

    async def page(self, caller: Caller, request: wire.ListAccounts) -> wire.AccountPage:
        """The accounts of a tenant, by name."""

        def question(db: Connection) -> wire.AccountPage:
            found, total = store.accounts(
                db,
                request.tenant_id,
                request.status,
                (request.q or "").lower(),
                request.page_size,
                (request.page - 1) * request.page_size,
            )
            return wire.AccountPage([_info(db, account, caller.now) for account in found], total)

        async def look() -> wire.AccountPage:
            self._reach.tenant(caller, request.tenant_id)
            return await self.gate.ask(question)

        return await self.gate.read(caller, Act("identity_read"), look)

    async def change(self, caller: Caller, request: wire.ChangeAccount) -> wire.Account:
        """New scopes, groups, name shown or status; what is taken away ends in live tokens too."""
        principal = holder(caller, TENANT_ADMIN)
        sent = {name: getattr(request.body, name) for name in ("display_name", "status")}
        sent = {name: value for name, value in sent.items() if isinstance(value, str)}
        scopes, groups = request.body.scopes, request.body.groups
        if "display_name" in sent:
            names.check_display_name(sent["display_name"])

        def change(tx: Transaction) -> wire.Account:
            account = self._reach.account_below(tx, caller, request.id)
            account = account._replace(**sent)
            if isinstance(scopes, list):
                account = account._replace(scopes=model.check_scopes(scopes, principal))
            _check_last(tx, account)
            store.put_account(tx, account)
            if groups is not UNSET:
                members.join(tx, account.tenant_id, account.identity_id, groups or ())
            if account.status != model.ACTIVE:
                subjects.end_access(tx, account)
            tx.note(object_type="service_account", object_id=account.id)
            tx.note(changed=[*sent, *_sent(scopes=scopes, groups=groups)])
            tx.then(self._authentication.forget)
            return _info(tx.connection, account, tx.now)

        return await self.gate.change(caller, Act("identity_update"), change)

    async def delete(self, caller: Caller, request: wire.AccountId) -> None:
        """End an account with its tokens, credentials, memberships and bindings; its name is never
        given out again."""
        holder(caller, TENANT_ADMIN)

        def delete(tx: Transaction) -> None:
            account = self._reach.account_below(tx, caller, request.id)
            account = account._replace(status="DELETED", roles=(), scopes=())
            _check_last(tx, account)
            store.put_account(tx, account)
            subjects.end_access(tx, account)
            groups_store.drop_memberships(tx, account.tenant_id, account.identity_id)
            self._authentication.on_deleted(tx, account.tenant_id, account.identity_id)
            tx.note(object_type="service_account", object_id=account.id)
            tx.then(self._authentication.forget)

        await self.gate.change(caller, Act("identity_delete"), delete)

    # -- credentials ---------------------------------------------------------------------------

    async def add_credential(self, caller: Caller, request: wire.NewCredential) -> wire.NewSecret:
        """A further client secret, told once; at most five at a time."""
        holder(caller, TENANT_ADMIN)
        body = request.body
        life = None
        if body.expires_in is not None:
            life = duration_field("expires_in", body.expires_in) * SECOND

        def add(tx: Transaction) -> wire.NewSecret:
            account = self._reach.account_below(tx, caller, request.id)
            if len(_alive(tx.connection, account, tx.now)) >= model.CREDENTIALS_MAX:
                raise Refusal(
                    "invalid_state",
                    "an account has at most 5 live credentials; delete one first",
                    reason="too_many_credentials",
                )
            text = codes.token(codes.CLIENT_SECRET, os.urandom(32))
            credential = Credential(
                random_id("cred_"), body.name or "", tx.now, life and tx.now + life, None
            )
            hashed = self._keyring.token_hash(text.encode())
            store.add_credential(tx, account.tenant_id, account.id, credential, hashed)
            tx.note(credential_id=credential.id, object_id=account.id)
            return wire.NewSecret(
                id=credential.id,
                client_id=account.id,
                client_secret=text,
                name=credential.name,
                created_at=instant(credential.created_at),
                expires_at=instant_or_none(credential.expires_at),
            )

        return await self.gate.change(caller, Act("credential_create"), add)

    async def credentials(self, caller: Caller, request: wire.AccountId) -> wire.CredentialList:
        """The live credentials of an account."""
        holder(caller, TENANT_ADMIN)

        def shown(db: Connection, account: Account) -> wire.CredentialList:
            return wire.CredentialList(
                [
                    wire.CredentialItem(
                        id=one.id,
                        client_id=account.id,
                        name=one.name,
                        created_at=instant(one.created_at),
                        expires_at=instant_or_none(one.expires_at),
                        last_used_at=instant_or_none(one.last_used_at),
                    )
                    for one in _alive(db, account, caller.now)
                ]
            )

        return await self._look(caller, request.id, shown)

    async def remove_credential(self, caller: Caller, request: wire.CredentialId) -> None:
        """End a credential and the tokens it gave."""
        holder(caller, TENANT_ADMIN)

        def drop(tx: Transaction) -> None:
            account = self._reach.account_below(tx, caller, request.id)
            if not store.drop_credential(tx, account.id, request.credential_id):
                raise Refusal(
                    "credential_not_found",
                    "this account has no such credential",
                    id=request.credential_id[:64],
                )
            tokens_store.revoke_of_credential(
                tx, account.tenant_id, account.identity_id, request.credential_id
            )
            tx.note(credential_id=request.credential_id, object_id=account.id)
            tx.then(self._authentication.forget)

        await self.gate.change(caller, Act("credential_revoke"), drop)

    # -- roles ---------------------------------------------------------------------------------

    async def roles(self, caller: Caller, request: wire.AccountId) -> wire.Roles:
        """The admin roles of an account; one's own with any token."""
        principal = holder(caller)

        def shown(_db: Connection, account: Account) -> wire.Roles:
            if not _is_self(principal, account) and principal.scopes.isdisjoint(_READERS):
                raise Refusal(
                    "insufficient_scope",
                    "this call needs the scope identity:read",
                    required_scope="identity:read",
                )
            return wire.Roles(account.id, list(account.roles))

        return await self._look(caller, request.id, shown)

    async def change_roles(self, caller: Caller, request: wire.ChangeRoles) -> wire.Roles:
        """Set the whole list of an account's admin roles."""
        principal = holder(caller, PARTNER_ADMIN)
        roles = model.check_roles(request.body.roles)
        if SUPER_ADMIN in roles and SUPER_ADMIN not in principal.roles:
            raise Refusal(
                "forbidden", "only a super_admin makes a super_admin", required_role=SUPER_ADMIN
            )

        def change(tx: Transaction) -> wire.Roles:
            before = self._reach.account_below(tx, caller, request.id)
            after = before._replace(roles=roles)
            if _is_self(principal, before) and after.rank > before.rank:
                raise Refusal("forbidden", "nobody raises himself", reason="self_elevation")
            _check_last(tx, after)
            store.put_account(tx, after)
            tx.note(old=list(before.roles), new=list(roles))
            tx.extra["for"] = before.identity_id
            tx.then(self._authentication.forget)
            author = principal.identity_id
            return wire.Roles(after.id, list(roles), instant(tx.now), author)

        return await self.gate.change(caller, Act("role_change"), change)


def _is_self(principal: Principal, account: Account) -> bool:
    """Names repeat from tenant to tenant."""
    return (principal.tenant_id, principal.identity_id) == (account.tenant_id, account.identity_id)


def _alive(db: Connection, account: Account, now: int) -> list[Credential]:
    return [
        one
        for one in store.credentials(db, account.id)
        if one.expires_at is None or one.expires_at > now
    ]


def _info(db: Connection, account: Account, now: int) -> wire.Account:
    groups = groups_store.direct_groups(db, account.tenant_id, account.identity_id)
    return model.account_info(account, groups, len(_alive(db, account, now)))


def _sent(**fields: object) -> list[str]:
    return [name for name, value in fields.items() if value is not UNSET]


def _check_last(tx: Transaction, after: Account) -> None:
    """The last super_admin stays one, and active."""
    still = SUPER_ADMIN in after.roles and after.status == model.ACTIVE
    before = store.account_by_id(tx.connection, after.id)
    was = before is not None and SUPER_ADMIN in before.roles and before.status == model.ACTIVE
    if was and not still and subjects.super_admins(tx) == 1:
        raise Refusal(
            "invalid_state",
            "this is the last super_admin; make another one first",
            reason="last_super_admin",
        )
