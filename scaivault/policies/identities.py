"""Identities as policies name them: what fits a binding, and what is known of them elsewhere."""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

from scaivault.errors import Refusal, invalid
from scaivault.gate.caller import RANK
from scaivault.identity.names import canonical
from scaivault.storage.file import Connection
from scaivault.wire import policies as wire

ENGINES: Final = "system:dynamic-engines"

_FORMS: Final = {
    "user": ("user:", "usr_"),
    "group": ("group:", "grp_"),
    "service_account": ("sa:", "sa_", "dynamic:", ENGINES),
}
_RECORDS: Final = {"usr_": "user", "sa_": "service_account", "grp_": "group"}
_TYPES: Final = {"system": "service_account"}  # what bindings call it


class Directory(Protocol):
    """What the identity room knows. Asked inside a reader or a transaction; ``tenant_id`` is where
    the identity lives."""

    def find(self, db: Connection, tenant_id: str, reference: str) -> tuple[str, str] | None:
        """(type, canonical id) of an identity in any form; None for an unknown record id."""
        ...

    def effective(self, db: Connection, tenant_id: str, identity_id: str) -> tuple[str, ...]:
        """The groups it belongs to, directly and through groups."""
        ...

    def members(self, db: Connection, tenant_id: str, group_id: str) -> list[tuple[str, str]]:
        """(type, canonical id) of all who belong to a group."""
        ...

    def roles(self, db: Connection, tenant_id: str, identity_id: str) -> tuple[str, ...]:
        """The admin roles it holds."""
        ...

    def holders(
        self, db: Connection, tenant_id: str, partner_id: str | None
    ) -> list[tuple[str, str, str, str, str]]:
        """(tenant, partner, type, canonical id, role) of all whose role covers a tenant, wherever
        they live."""
        ...


class Subject(NamedTuple):
    """An identity that somebody asks about."""

    identity_type: str
    identity_id: str
    groups: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()

    @property
    def bound_as(self) -> tuple[str, ...]:
        """The identities whose bindings count for it, its own first. What is bound to all dynamic
        engines counts for each of them."""
        every = (ENGINES,) if self.identity_id.startswith("dynamic:") else ()
        return (self.identity_id, *every, *self.groups)


def check_form(identity_type: str, reference: str) -> None:
    """``invalid_policy`` for an id that is not of the type."""
    fits = reference.startswith(_FORMS[identity_type])
    record = reference.startswith(tuple(_RECORDS))
    named = None if record else canonical(reference)
    system = reference.startswith("system:") and reference != ENGINES
    if not fits or system or (named is None and not record):
        raise Refusal(
            "invalid_policy",
            f"identity_id is no id of a {identity_type}",
            field="identity_id",
            reason="identity_type",
        )


def bound(db: Connection, directory: Directory, tenant_id: str, body: wire.NewBindingBody) -> str:
    """The canonical id of a binding's identity; ``check_form`` has passed."""
    found = directory.find(db, tenant_id, body.identity_id)
    if found is None:
        raise Refusal(
            "identity_not_found",
            "there is no such identity in this tenant",
            identity_id=body.identity_id[:128],
        )
    return found[1]


def check_reference(reference: str) -> None:
    """422 for what cannot name an identity at all."""
    if not reference.startswith(tuple(_RECORDS)) and canonical(reference) is None:
        raise invalid(
            identity_id="must be user:<e-mail>, sa:<name>, group:<name> or an id of a record"
        )


def subject(db: Connection, directory: Directory, tenant_id: str, reference: str) -> Subject:
    """What is known of an identity; of an unknown one its name. ``check_reference`` has passed."""
    found = directory.find(db, tenant_id, reference) or canonical(reference)
    if found is None:
        kind = _RECORDS[reference[: reference.index("_") + 1]]
        return Subject(kind, reference)
    kind, identity_id = found
    return Subject(
        _TYPES.get(kind, kind),
        identity_id,
        directory.effective(db, tenant_id, identity_id),
        by_rank(directory.roles(db, tenant_id, identity_id)),
    )


def by_rank(roles: tuple[str, ...] | frozenset[str]) -> tuple[str, ...]:
    """Admin roles, the lowest first."""
    return tuple(sorted(roles, key=lambda role: RANK[role]))
