"""Which policies a caller sees and keeps.

A tenant sees its own policies and, read-only, those of its partner; of the latter only what they
give in that tenant. Only ``partner_admin`` and ``super_admin`` keep a partner's policies, and see
whom they are bound to everywhere."""

from __future__ import annotations

from scaivault.errors import Refusal
from scaivault.gate.caller import PARTNER_ADMIN, RANK, SUPER_ADMIN, Caller
from scaivault.gate.transaction import Transaction
from scaivault.policies import store
from scaivault.policies.model import Policy
from scaivault.storage.file import Connection


def owners(caller: Caller, scope: str | None) -> tuple[str | None, str | None]:
    """Whose policies a list of this scope shows."""
    return (
        caller.tenant if scope != "partner" else None,
        caller.partner_id if scope != "tenant" else None,
    )


def seen(caller: Caller) -> str | None:
    """The one tenant whose bindings the caller sees; None: all."""
    return None if _keeps_partners(caller) else caller.tenant


def knows(caller: Caller, tenant_id: str, partner_id: str) -> bool:
    """Whether the caller may learn who lives in a tenant: in his own, and as far as his role
    reaches."""
    if caller.principal is None:
        return False
    rank = caller.principal.rank
    return (
        tenant_id == caller.tenant
        or rank >= RANK[SUPER_ADMIN]
        or (rank >= RANK[PARTNER_ADMIN] and partner_id == caller.partner_id)
    )


def found(db: Connection, caller: Caller, policy_id: str) -> Policy:
    """A policy that the caller sees; any other is not there."""
    policy = store.policy(db, caller.tenant, caller.partner_id, policy_id)
    if policy is None:
        raise Refusal("policy_not_found", "there is no such policy", id=policy_id[:64])
    return policy


def kept(tx: Transaction, policy_id: str) -> Policy:
    """A policy that the caller may change; the row names it, also where it is refused. What
    happens to a partner's is of no one tenant, and its rows and events say so."""
    policy = found(tx.connection, tx.caller, policy_id)
    tx.note(policy_id=policy.id)
    if policy.scope == "partner":
        check_partner(tx.caller)
        tx.concern(None, policy.owner_id)
    return policy


def check_partner(caller: Caller) -> None:
    """Policies of scope partner are kept by those who stand above tenants."""
    if not _keeps_partners(caller):
        raise Refusal(
            "forbidden",
            "only a partner_admin keeps policies of scope partner",
            required_role=PARTNER_ADMIN,
        )


def _keeps_partners(caller: Caller) -> bool:
    # He acts in a tenant of his own partner, or is super_admin: tenancy has seen to that.
    principal = caller.principal
    return principal is not None and principal.rank >= RANK[PARTNER_ADMIN]
