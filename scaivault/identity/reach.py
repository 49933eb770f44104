"""Which identities a caller sees, and which of them he may change.

What lies outside is simply not there. Nobody changes, deletes, gives credentials to or revokes an
identity that ranks above himself."""

from __future__ import annotations

from typing import Final

from scaivault.errors import Refusal
from scaivault.gate.caller import RANK, Caller, Principal
from scaivault.gate.transaction import Transaction
from scaivault.identity import names
from scaivault.identity.model import DELETED, LOCAL, Account, Subject, Token, User
from scaivault.identity.store import accounts as accounts_store
from scaivault.identity.store import groups as groups_store
from scaivault.identity.store import users as users_store
from scaivault.identity.store.groups import Group
from scaivault.storage.file import Connection
from scaivault.tenancy import Tenancy


def holder(caller: Caller, role: str | None = None) -> Principal:
    """The caller's principal, who must hold ``role`` or a higher one."""
    principal = caller.principal
    if principal is None:
        raise Refusal("authentication_required", "this call needs a token")
    if role is not None and principal.rank < RANK[role]:
        raise Refusal("forbidden", f"this call takes the role {role}", required_role=role)
    return principal


def is_self(principal: Principal, of: Subject | Token) -> bool:
    """Whether an identity or a token is the caller's own. Ids repeat from tenant to tenant."""
    return (principal.tenant_id, principal.identity_id) == (of.tenant_id, of.identity_id)


def check_rank(principal: Principal, who: Subject) -> None:
    """``forbidden`` when an identity ranks above the caller."""
    if who.rank > principal.rank:
        raise Refusal(
            "forbidden",
            "this identity ranks above you",
            required_role=max(who.roles, key=lambda role: RANK[role]),
        )


def check_local(issuer: str) -> None:
    """``forbidden`` for an object that an outside issuer keeps (its name): what is changed here
    would not last beyond the issuer's next word."""
    if issuer != LOCAL:
        raise Refusal(
            "forbidden",
            f"the issuer {issuer} keeps this object; change it there",
            reason="externally_managed",
        )


def not_found(reference: str) -> Refusal:
    """404 for an identity that is not there, or not the caller's to see."""
    return Refusal("identity_not_found", "there is no such identity", identity_id=reference[:128])


class Reach:
    """Finds what a verb names, by record id or canonical id. A canonical id is one of the tenant
    acted upon; a record id may be of any tenant that the caller's role covers."""

    def __init__(self, tenancy: Tenancy) -> None:
        self._tenancy: Final = tenancy

    def aim(self, caller: Caller, tenant_id: str | None) -> None:
        """Act upon the tenant that a body names, if it names another one than the request: its
        refusals are those of the X-Tenant-ID header."""
        if tenant_id not in {None, caller.tenant_id}:
            self._tenancy.resolve(caller, tenant_id)

    def account(self, db: Connection, caller: Caller, wanted: str) -> Account:
        """A service account, to look at."""
        if wanted.startswith("sa:"):
            account = accounts_store.account_by_identity(db, caller.tenant, wanted)
        else:
            account = accounts_store.account_by_id(db, wanted)
        if account is None or account.status == DELETED or not self._sees(caller, account):
            raise not_found(wanted)
        return account

    def user(self, db: Connection, caller: Caller, wanted: str) -> User:
        """A user, to look at."""
        named = names.canonical(wanted)
        if named is not None:
            user = users_store.user_by_identity(db, caller.tenant, named[1])
        else:
            user = users_store.user_by_id(db, wanted)
        if user is None or user.status == DELETED or not self._sees(caller, user):
            raise not_found(wanted)
        return user

    def subject(self, db: Connection, caller: Caller, kind: str, wanted: str) -> Subject:
        """A user or a service account (``kind``), to look at."""
        find = self.user if kind == names.USER else self.account
        return find(db, caller, wanted)

    def subject_below(self, tx: Transaction, caller: Caller, kind: str, wanted: str) -> Subject:
        """A user or a service account that does not rank above the caller, to take something from
        or to give it a role. The ledger names it and its tenant."""
        who = self.subject(tx.connection, caller, kind, wanted)
        self._check_below(tx, caller, who)
        return who

    def user_below(self, tx: Transaction, caller: Caller, wanted: str) -> User:
        """A user of our own who does not rank above the caller, to take something from."""
        user = self.user(tx.connection, caller, wanted)
        self._check_below(tx, caller, user)
        check_local(user.issuer)
        return user

    def _check_below(self, tx: Transaction, caller: Caller, who: Subject) -> None:
        self.check_there(who.tenant_id, who.id)
        tx.concern(*self._tenancy.places(who.tenant_id))
        tx.extra["for"] = who.identity_id
        check_rank(holder(caller), who)

    def account_to_change(self, tx: Transaction, caller: Caller, wanted: str) -> Account:
        """A service account of our own that does not rank above the caller."""
        account = self.account(tx.connection, caller, wanted)
        self._check_change(tx, caller, account)
        return account

    def account_with_secrets(self, tx: Transaction, caller: Caller, wanted: str) -> Account:
        """A service account of our own that does not rank above the caller, to give it a client
        secret or to take one."""
        account = self.account(tx.connection, caller, wanted)
        self.check_there(account.tenant_id, account.id)
        tx.concern(*self._tenancy.places(account.tenant_id))
        tx.note(object_id=account.id)
        check_rank(holder(caller), account)
        check_local(account.issuer)
        return account

    def user_to_change(self, tx: Transaction, caller: Caller, wanted: str) -> User:
        """A user of our own who does not rank above the caller."""
        user = self.user(tx.connection, caller, wanted)
        self._check_change(tx, caller, user)
        return user

    def _check_change(self, tx: Transaction, caller: Caller, who: Subject) -> None:
        self.check_there(who.tenant_id, who.id)
        tx.concern(*self._tenancy.places(who.tenant_id))
        tx.note(object_type=who.kind, object_id=who.id)
        check_rank(holder(caller), who)
        check_local(who.issuer)

    def check_there(self, tenant_id: str, record_id: str) -> None:
        """Nothing changes in a deleted tenant: it comes back as it was. ``identity_not_found``."""
        if self._tenancy.is_gone(tenant_id):
            raise not_found(record_id)

    def group(self, db: Connection, caller: Caller, wanted: str) -> Group:
        """A group, to look at."""
        if wanted.startswith("group:"):
            group = groups_store.group_by_identity(db, caller.tenant, wanted)
        else:
            group = groups_store.group_by_id(db, wanted)
        if group is None or group.deleted_at is not None or not self._sees(caller, group):
            raise not_found(wanted)
        return group

    def group_to_change(self, tx: Transaction, caller: Caller, wanted: str) -> Group:
        """A group of our own, to change; the ledger names its tenant and the group."""
        group = self.group(tx.connection, caller, wanted)
        self.check_there(group.tenant_id, group.id)
        tx.concern(*self._tenancy.places(group.tenant_id))
        tx.note(object_type="group", object_id=group.id)
        check_local(group.issuer)
        return group

    def tenant(self, caller: Caller, tenant_id: str) -> None:
        """A tenant, to list what is in it: the ledger names it."""
        if not self._tenancy.sees(holder(caller), tenant_id):
            raise Refusal("tenant_not_found", "there is no such tenant", tenant_id=tenant_id[:64])
        self._tenancy.concern(caller, tenant_id)

    def _sees(self, caller: Caller, found: Subject | Group) -> bool:
        return self._tenancy.sees(holder(caller), found.tenant_id)
