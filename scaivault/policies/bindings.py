"""Whom policies are bound to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from scaivault.clock import parse_instant
from scaivault.errors import Refusal, invalid
from scaivault.gate.caller import Caller
from scaivault.gate.cursors import Cursors, Pages
from scaivault.gate.gate import Act
from scaivault.gate.transaction import Transaction
from scaivault.ids import random_id
from scaivault.policies import answers, identities, reach, store
from scaivault.policies.identities import Directory
from scaivault.policies.model import Binding, Policy
from scaivault.policies.room import Policies
from scaivault.storage.file import Connection
from scaivault.wire import policies as wire

Places = Callable[[str], tuple[str | None, str | None]]

_EXPIRED_STEP: Final = 100


class Bindings:
    """One per open vault. ``places``: (tenant, partner) of an id that owns rows."""

    def __init__(
        self, policies: Policies, cursors: Cursors, directory: Directory, places: Places
    ) -> None:
        self.gate: Final = policies.gate
        self._policies: Final = policies
        self._directory: Final = directory
        self._places: Final = places
        self._pages: Final = Pages(cursors, "bindings")

    async def page(self, caller: Caller, request: wire.ListBindings) -> wire.BindingPage:
        """The live bindings of a policy, by creation; of a partner's policy a tenant sees those
        of its own identities."""
        act = Act("policy_read")
        place = self._pages.place(caller, request, [-1, ""], policy=request.id)

        def question(db: Connection) -> list[Binding]:
            policy = reach.found(db, caller, request.id)
            act.extra["policy_id"] = policy.id
            return store.live_bindings(
                db, policy, reach.seen(caller), caller.now, place.position, place.limit + 1
            )

        async def look() -> wire.BindingPage:
            rows = await self.gate.ask(question)
            page = self._pages.cut(caller, place, rows, lambda row: [row.created_at, row.id])
            return wire.BindingPage(
                [answers.binding(row) for row in page.items], page.cursor, page.has_more
            )

        return await self.gate.read(caller, act, look)

    async def create(self, caller: Caller, request: wire.NewBinding) -> wire.Binding:
        """Give a policy to a user, service account or group; it counts from the next request. The
        identity need not be known yet, unless it is named by a record id."""
        body = request.body
        identities.check_form(body.identity_type, body.identity_id)
        expires_at = _expiry(body.expires_at, caller.now)

        def create(tx: Transaction) -> wire.Binding:
            acting = caller.tenant
            policy = reach.kept(tx, request.id)
            tenant = self._tenant(policy, acting, body.tenant_id)
            tx.concern(*self._places(tenant))
            identity = identities.bound(tx.connection, self._directory, tenant, body)
            self._replace_expired(tx, policy, tenant, identity)
            binding = Binding(
                policy.owner_id, policy.id, random_id("bind_"), tenant, body.identity_type,
                identity, expires_at, tx.now, str(caller.identity_id),
            )  # fmt: skip
            store.add_binding(tx, binding)
            shown = answers.binding(binding)
            tx.note(**_row(binding))
            tx.emit(
                "policy.binding.created", None, policy_id=policy.id, policy_name=policy.name,
                binding_id=binding.id, identity_type=binding.identity_type,
                identity_id=identity, expires_at=shown.expires_at, created_by=shown.created_by,
            )  # fmt: skip
            tx.then(lambda: self._policies.shelf.bind(binding))
            return shown

        return await self.gate.change(caller, Act("policy_bind"), create)

    def _tenant(self, policy: Policy, acting: str, named: str | None) -> str:
        """Where the identity lives."""
        if named in (None, acting):
            return acting
        if policy.scope != "partner":
            raise invalid(tenant_id="is for policies of scope partner; leave it out")
        if self._places(named or "") != (named, policy.owner_id):
            raise Refusal(
                "tenant_not_found", "the policy's partner has no such tenant", tenant_id=named
            )
        return named or acting

    def _replace_expired(self, tx: Transaction, policy: Policy, tenant: str, identity: str) -> None:
        known = store.binding_of(tx.connection, policy.id, tenant, identity)
        if known is None:
            return
        if known.is_live(tx.now):
            raise Refusal(
                "already_exists",
                "the policy is bound to this identity already",
                field="identity_id",
            )
        self._policies.take_away(tx, known, policy.name, "expired")

    async def delete(self, caller: Caller, request: wire.BindingId) -> None:
        """Take a policy away from an identity, from the next request on."""

        def delete(tx: Transaction) -> None:
            policy = reach.kept(tx, request.id)
            binding = store.binding(tx.connection, policy.id, request.binding_id)
            if binding is None:
                raise Refusal(
                    "binding_not_found",
                    "the policy has no such binding",
                    id=request.binding_id[:64],
                )
            tx.concern(*self._places(binding.tenant_id))
            tx.note(**_row(binding))
            self._policies.unbind(tx, binding, policy.name, "removed")

        await self.gate.change(caller, Act("policy_unbind"), delete)

    async def expire(self, caller: Caller) -> int:
        """Remove bindings whose time is over; how many."""
        due = await self.gate.ask(lambda db: store.expired(db, caller.now, _EXPIRED_STEP))
        for binding in due:
            await self._expire_one(caller, binding)
        return len(due)

    async def _expire_one(self, caller: Caller, binding: Binding) -> None:
        act = Act("policy_unbind")
        act.extra.update(_row(binding), reason="expired")

        def expire(tx: Transaction) -> None:
            if store.binding(tx.connection, binding.policy_id, binding.id) is None:
                raise Refusal("binding_not_found", "the binding is gone already", id=binding.id)
            tx.concern(*self._places(binding.tenant_id))
            name = store.policy_name(tx.connection, binding.policy_id)
            self._policies.unbind(tx, binding, name, "expired")

        await self.gate.change(caller, act, expire)


def _row(binding: Binding) -> dict[str, Any]:
    return {
        "policy_id": binding.policy_id,
        "binding_id": binding.id,
        "for": binding.identity_id,
    }


def _expiry(text: str | None, now: int) -> int | None:
    if text is None:
        return None
    try:
        at = parse_instant(text)
    except ValueError as fault:
        raise invalid(expires_at=f"is {fault}") from None
    if at <= now:
        raise invalid(expires_at="must lie in the future")
    return at
