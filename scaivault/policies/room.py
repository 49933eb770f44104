"""The policies themselves: made, looked at, changed, deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec import UNSET

from scaivault.errors import Refusal, invalid
from scaivault.gate.caller import Caller
from scaivault.gate.cursors import Cursors, Pages
from scaivault.gate.gate import Act, Gate
from scaivault.gate.transaction import Transaction
from scaivault.ids import random_id
from scaivault.policies import answers, model, reach, store
from scaivault.policies.model import Binding, Policy
from scaivault.policies.shelf import Shelf
from scaivault.storage.file import Connection
from scaivault.wire import policies as wire

_CHANGEABLE: Final = ("name", "description", "rules", "is_active")


class Policies:
    """One per open vault."""

    def __init__(self, gate: Gate, cursors: Cursors, shelf: Shelf) -> None:
        self.gate: Final = gate
        self.shelf: Final = shelf
        self._pages: Final = Pages(cursors, "policies", unsent={"include_inactive": False})

    # -- looking -------------------------------------------------------------------------------

    async def page(self, caller: Caller, request: wire.ListPolicies) -> wire.PolicyPage:
        """The tenant's policies and its partner's, by name."""
        place = self._pages.place(
            caller, request, ["", ""],
            scope=request.scope, include_inactive=request.include_inactive,
        )  # fmt: skip

        def question(db: Connection) -> list[tuple[Policy, int]]:
            return store.page(
                db,
                reach.owners(caller, place.filters.get("scope")),
                place.filters["include_inactive"],
                place.position,
                reach.seen(caller),
                caller.now,
                place.limit + 1,
            )

        async def look() -> wire.PolicyPage:
            rows = await self.gate.ask(question)
            page = self._pages.cut(caller, place, rows, lambda row: [row[0].name, row[0].id])
            return wire.PolicyPage(
                [answers.item(*row) for row in page.items], page.cursor, page.has_more
            )

        return await self.gate.read(caller, Act("policy_read"), look)

    async def get(self, caller: Caller, request: wire.PolicyId) -> wire.Policy:
        """One policy with its rules and live bindings; of a partner's policy a tenant sees the
        bindings of its own identities."""
        act = Act("policy_read")

        async def look() -> wire.Policy:
            seen = await self.gate.ask(
                lambda db: _shown(db, caller, reach.found(db, caller, request.id), caller.now)
            )
            act.extra["policy_id"] = seen.id
            return seen

        return await self.gate.read(caller, act, look)

    # -- changing ------------------------------------------------------------------------------

    async def create(self, caller: Caller, request: wire.NewPolicy) -> wire.Policy:
        """A policy of the tenant, or with ``scope`` partner one of its partner. It gives nothing
        until it is bound."""
        body = request.body
        owner = caller.tenant
        if body.scope == "partner":
            reach.check_partner(caller)
            owner = caller.partner_id or ""
        rules = model.checked(body.name, body.rules, self.shelf.mfa_max_age) or ""

        def create(tx: Transaction) -> wire.Policy:
            policy = Policy(
                owner, random_id("pol_"), body.name, body.description, rules, body.is_active,
                tx.now, tx.now, str(caller.identity_id),
            )  # fmt: skip
            if policy.scope == "partner":
                tx.concern(None, owner)
            _check_name_free(tx, owner, body.name)
            store.add_policy(tx, policy)
            tx.note(policy_id=policy.id)
            tx.emit(
                "policy.created", None, policy_id=policy.id, name=policy.name,
                scope=policy.scope, rule_count=len(body.rules), created_by=policy.created_by,
            )  # fmt: skip
            tx.then(lambda: self.shelf.put(policy))
            return answers.policy(policy, ())

        return await self.gate.change(caller, Act("policy_create"), create)

    async def replace(self, caller: Caller, request: wire.ReplacePolicy) -> wire.Policy:
        """New rules, name and description; bindings stay."""
        body = request.body
        rules = model.checked(body.name, body.rules, self.shelf.mfa_max_age) or ""

        def replaced(policy: Policy) -> Policy:
            if body.scope not in (None, policy.scope):
                raise invalid(scope="is fixed when a policy is made; make another policy")
            is_active = policy.is_active if body.is_active is None else body.is_active
            return policy._replace(
                name=body.name, description=body.description, rules=rules, is_active=is_active
            )

        return await self._update(caller, request.id, replaced)

    async def change(self, caller: Caller, request: wire.ChangePolicy) -> wire.Policy:
        """What is sent is changed; rules only as a whole. Bindings stay."""
        body = request.body
        sent = {name: getattr(body, name) for name in _CHANGEABLE}
        sent = {name: value for name, value in sent.items() if value is not UNSET}
        rules = model.checked(sent.get("name"), sent.get("rules"), self.shelf.mfa_max_age)
        if rules is not None:
            sent["rules"] = rules
        if "description" in sent:
            sent["description"] = sent["description"] or ""
        return await self._update(caller, request.id, lambda policy: policy._replace(**sent))

    async def _update(
        self, caller: Caller, policy_id: str, change: Callable[[Policy], Policy]
    ) -> wire.Policy:
        def update(tx: Transaction) -> wire.Policy:
            before = reach.kept(tx, policy_id)
            after = change(before)
            changed = [
                name for name in _CHANGEABLE if getattr(before, name) != getattr(after, name)
            ]
            if "name" in changed:
                _check_name_free(tx, after.owner_id, after.name)
            tx.note(**model.told(before.rules, after.rules))
            if changed:
                after = after._replace(updated_at=tx.now)
                store.change_policy(tx, after)
                tx.emit(
                    "policy.updated", None, policy_id=after.id, name=after.name,
                    changed=changed, updated_by=caller.identity_id,
                )  # fmt: skip
                tx.then(lambda: self.shelf.put(after))
            return answers.policy(after, _live(tx.connection, after, None, tx.now))

        return await self.gate.change(caller, Act("policy_update"), update)

    async def delete(self, caller: Caller, request: wire.DeletePolicy) -> None:
        """Delete a policy that is not bound, or with ``force`` also its bindings."""

        def delete(tx: Transaction) -> None:
            policy = reach.kept(tx, request.id)
            bindings = store.bindings(tx.connection, policy)
            live = sum(binding.is_live(tx.now) for binding in bindings)
            if live and not request.force:
                raise Refusal(
                    "policy_in_use",
                    "the policy is bound; remove its bindings first, or delete with force=true",
                    binding_count=live,
                )
            for binding in bindings:
                reason = "forced" if binding.is_live(tx.now) else "expired"
                self.take_away(tx, binding, policy.name, reason)
            store.drop_policy(tx, policy)
            tx.emit(
                "policy.deleted", None, policy_id=policy.id, name=policy.name,
                forced=request.force, bindings_removed=len(bindings),
                deleted_by=caller.identity_id,
            )  # fmt: skip
            tx.then(lambda: self.shelf.drop(policy.id))

        await self.gate.change(caller, Act("policy_delete"), delete)

    # -- for other rooms -----------------------------------------------------------------------

    def bindings_removed(
        self, tx: Transaction, tenant_id: str, identity_id: str, reason: str = "identity_deleted"
    ) -> int:
        """Take away all bindings of an identity that is deleted (canonical id), with a row and an
        event each; how many."""
        bindings = store.bindings_of(tx.connection, tenant_id, identity_id)
        for binding in bindings:
            name = store.policy_name(tx.connection, binding.policy_id)
            self.take_away(tx, binding, name, reason)
        return len(bindings)

    def take_away(self, tx: Transaction, binding: Binding, policy: str, reason: str) -> None:
        """A binding goes as a side effect: with a row of its own, in the tenant where it gave
        rights. ``policy``: the name of its policy."""
        before = (tx.caller.tenant_id, tx.caller.partner_id)
        tx.concern(binding.tenant_id, tx.caller.partner_id)
        tx.also(
            "policy_unbind", None, policy_id=binding.policy_id, binding_id=binding.id,
            reason=reason, **{"for": binding.identity_id},
        )  # fmt: skip
        self.unbind(tx, binding, policy, reason)
        tx.concern(*before)

    def unbind(self, tx: Transaction, binding: Binding, policy: str, reason: str) -> None:
        """Remove the row and announce it; the ledger row is the caller's part."""
        store.drop_binding(tx, binding)
        tx.emit(
            "policy.binding.deleted", None, policy_id=binding.policy_id, policy_name=policy,
            binding_id=binding.id, identity_type=binding.identity_type,
            identity_id=binding.identity_id, reason=reason, deleted_by=tx.caller.identity_id,
        )  # fmt: skip
        tx.then(lambda: self.shelf.unbind(binding))


def _shown(db: Connection, caller: Caller, policy: Policy, now: int) -> wire.Policy:
    return answers.policy(policy, _live(db, policy, reach.seen(caller), now))


def _live(db: Connection, policy: Policy, seen: str | None, now: int) -> list[Binding]:
    return [
        binding
        for binding in store.bindings(db, policy)
        if binding.is_live(now) and seen in (None, binding.tenant_id)
    ]


def _check_name_free(tx: Transaction, owner: str, name: str) -> None:
    if store.name_taken(tx.connection, owner, name):
        raise Refusal("already_exists", "a policy has this name already", field="name")
