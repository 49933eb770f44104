"""Questions about rights: what policy would say, who could, what somebody can.

They are answered from what decides about requests, not from rows."""

from __future__ import annotations

from typing import Final

from scaivault.clock import instant_or_none, parse_instant
from scaivault.errors import Refusal, faults
from scaivault.gate.caller import Caller, Principal
from scaivault.gate.cursors import Cursors, Pages
from scaivault.gate.gate import Act, Gate, unavailable
from scaivault.gate.paths import check_path
from scaivault.gate.rules import Context, Decision, Rule, decide
from scaivault.policies import identities, reach, store
from scaivault.policies.identities import Directory, Subject
from scaivault.policies.model import NO_CONDITIONS, Held, conditions_of, unpacked
from scaivault.policies.shelf import Grant, Shelf, compiled
from scaivault.storage.failures import StorageFailed
from scaivault.storage.file import Connection
from scaivault.wire import policies as wire
from scaivault.wire.addresses import parse_address

_READERS: Final = frozenset(("policies:read", "admin"))

_Everybody = dict[tuple[str, str], wire.Able]  # by canonical id and tenant: there are namesakes


class Rights:
    """One per open vault."""

    def __init__(self, gate: Gate, cursors: Cursors, shelf: Shelf, directory: Directory) -> None:
        self.gate: Final = gate
        self._shelf: Final = shelf
        self._directory: Final = directory
        self._pages: Final = Pages(cursors, "who-can")

    # -- what would be said --------------------------------------------------------------------

    async def test(self, caller: Caller, request: wire.TestPolicies) -> wire.TestResult:
        """Ask what policy alone would say to an identity; token, scope and state of the identity
        are not looked at. Leaves no audit row."""
        body = request.body
        context = _context(body.context, caller.now)
        identities.check_reference(body.identity_id)
        check_path(body.path)
        self.gate.reach(caller, body.path, permission=body.permission)

        def question(db: Connection) -> wire.TestResult:
            subject = identities.subject(db, self._directory, caller.tenant, body.identity_id)
            grants = self._shelf.grants(
                caller.tenant, caller.partner_id, subject.bound_as, context.now
            )
            return _tested(body, subject, grants, context)

        try:
            return await self.gate.ask(question)
        except StorageFailed as failed:
            raise unavailable(failed) from failed

    # -- who could -----------------------------------------------------------------------------

    async def who_can(self, caller: Caller, request: wire.WhoCan) -> wire.AblePage:
        """Every identity that could do something on a path, by any policy or admin role.
        Conditions are shown, not held against anything. Who holds a role from outside the tenant
        is told only to callers whose own role reaches that far."""
        place = self._pages.place(
            caller, request, ["", ""], path=request.path, permission=request.permission
        )
        missing = [name for name in ("path", "permission") if name not in place.filters]
        if missing:
            raise faults(dict.fromkeys(missing, "is required"))
        path, permission = place.filters["path"], place.filters["permission"]
        check_path(path)

        def question(db: Connection) -> list[tuple[list[str], wire.Able]]:
            everybody = self._able(db, caller, path, permission)
            behind = sorted(who for who in everybody if list(who) > place.position)
            return [(list(who), everybody[who]) for who in behind[: place.limit + 1]]

        async def look() -> wire.AblePage:
            self.gate.reach(caller, path, permission=permission)
            found = await self.gate.ask(question)
            page = self._pages.cut(caller, place, found, lambda entry: entry[0])
            able = [entry[1] for entry in page.items]
            return wire.AblePage(path, permission, able, page.cursor, page.has_more)

        return await self.gate.read(caller, Act("policy_read", path=path), look)

    def _able(self, db: Connection, caller: Caller, path: str, permission: str) -> _Everybody:
        found: _Everybody = {}

        def add(kind: str, identity_id: str, way: wire.Way, home: str = caller.tenant) -> None:
            able = found.setdefault((identity_id, home), wire.Able(kind, identity_id, []))
            able.via.append(way)

        for grant in self._bound_in(db, caller):
            binding = grant.binding
            ways = _ways(grant, path, permission)
            for way in ways:
                add(binding.identity_type, binding.identity_id, way)
            if ways and binding.identity_type == "group":
                for member in self._directory.members(db, caller.tenant, binding.identity_id):
                    for way in _ways(grant, path, permission, binding.identity_id):
                        add(*member, way)
        holders = self._directory.holders(db, caller.tenant, caller.partner_id)
        for home, partner, kind, identity_id, role in holders:
            if reach.knows(caller, home, partner):
                add(kind, identity_id, _way_by(role), home)
        return found

    def _bound_in(self, db: Connection, caller: Caller) -> list[Grant]:
        """All that is bound to anybody in the tenant, policies by creation."""
        bindings = store.bindings_in(db, caller.tenant, caller.now)
        who = dict.fromkeys(binding.identity_id for binding in bindings)
        grants = self._shelf.grants(caller.tenant, caller.partner_id, who, caller.now)
        return sorted(grants, key=_place)

    # -- what somebody can ---------------------------------------------------------------------

    async def effective(self, caller: Caller, request: wire.EffectiveRights) -> wire.Effective:
        """All that policy gives to one identity; without ``identity_id`` to the caller, which
        takes no scope."""
        principal = _principal_of(caller)
        if request.identity_id is not None:
            identities.check_reference(request.identity_id)

        def question(db: Connection) -> wire.Effective:
            subject = self._asked(db, caller, principal, request.identity_id)
            # Of the caller himself abroad only roles count.
            abroad = request.identity_id is None and principal.tenant_id != caller.tenant
            bound_as = () if abroad else subject.bound_as
            grants = self._shelf.grants(caller.tenant, caller.partner_id, bound_as, caller.now)
            rules = [
                (_place(grant), index, rule, grant)
                for grant in grants
                for index, rule in enumerate(unpacked(grant.held.policy.rules))
            ]
            rules.sort(key=lambda entry: entry[:2])  # stable: one's own bindings first
            return wire.Effective(
                subject.identity_type,
                subject.identity_id,
                list(subject.groups),
                list(subject.roles),
                [_effective(grant, index, rule, subject) for _, index, rule, grant in rules],
            )

        act = Act("policy_read")

        async def look() -> wire.Effective:
            seen = await self.gate.ask(question)
            act.extra["for"] = seen.identity_id
            return seen

        return await self.gate.read(caller, act, look)

    def _asked(
        self, db: Connection, caller: Caller, principal: Principal, reference: str | None
    ) -> Subject:
        """Whose rights are asked for; those of others take a scope."""
        home = principal.tenant_id == caller.tenant
        if reference is not None:
            subject = identities.subject(db, self._directory, caller.tenant, reference)
            if not (home and subject.identity_id == principal.identity_id):
                _check_reader(principal)
            return subject
        return Subject(
            principal.identity_type,
            principal.identity_id,
            principal.groups if home else (),
            identities.by_rank(principal.roles),
        )


def _principal_of(caller: Caller) -> Principal:
    if caller.principal is None:
        raise Refusal("authentication_required", "this call needs a token")
    return caller.principal


def _check_reader(principal: Principal) -> None:
    if principal.scopes.isdisjoint(_READERS):
        raise Refusal(
            "insufficient_scope",
            "the rights of others take the scope policies:read",
            required_scope="policies:read",
        )


def _place(grant: Grant) -> tuple[int, str]:
    """Policies stand by creation."""
    policy = grant.held.policy
    return policy.created_at, policy.id


def _context(given: wire.TestContext, now: int) -> Context:
    """What conditions are held against; a verified MFA is a fresh one."""
    found = {}
    if given.timestamp is not None:
        try:
            now = parse_instant(given.timestamp)
        except ValueError as fault:
            found["context.timestamp"] = f"is {fault}"
    if given.source_ip is not None:
        try:
            parse_address(given.source_ip)
        except ValueError:
            found["context.source_ip"] = "must be an IPv4 or IPv6 address"
    if found:
        raise faults(found)
    return Context(given.source_ip, now if given.mfa_verified else None, now)


def _tested(
    body: wire.TestBody, subject: Subject, grants: list[Grant], context: Context
) -> wire.TestResult:
    rules = compiled(grants)
    decision = decide(
        allowed_paths=(),
        covered_by_role=bool(subject.roles),
        rules=rules,
        permission=body.permission,
        path=body.path,
        context=context,
    )
    policies = {grant.held.policy.id: grant.held for grant in grants}
    return wire.TestResult(
        allowed=decision.allowed,
        permission=body.permission,
        path=body.path,
        matched_rule=_matched(decision, subject, grants),
        evaluated=[
            _evaluated(rule, policies[rule.policy_id], body, context) for rule in rules.rules
        ],
        reason=decision.reason,
    )


def _matched(decision: Decision, subject: Subject, grants: list[Grant]) -> wire.MatchedRule | None:
    """What grants; of several bindings of one policy the identity's own."""
    if not decision.allowed:
        return None
    rule = decision.rule
    if rule is None:
        return wire.MatchedRule(None, None, None, "**", f"role:{subject.roles[-1]}")
    by = next(grant for grant in grants if grant.held.policy.id == rule.policy_id)
    return wire.MatchedRule(
        rule.policy_id, by.held.policy.name, rule.index, rule.pattern, by.binding.identity_id
    )


def _evaluated(rule: Rule, held: Held, body: wire.TestBody, context: Context) -> wire.EvaluatedRule:
    matched = rule.matches(body.path)
    failed = None
    fits = matched and rule.grants(body.permission)
    if fits:
        failed = rule.conditions.failure(context)
    return wire.EvaluatedRule(
        policy_id=rule.policy_id,
        name=held.policy.name,
        rule_index=rule.index,
        matched_path=matched,
        granted=fits and failed is None,
        failed_condition=failed,
    )


def _ways(grant: Grant, path: str, permission: str, group: str | None = None) -> list[wire.Way]:
    """The rules of one binding that fit."""
    binding, held = grant
    fitting = [rule for rule in held.rules if rule.grants(permission) and rule.matches(path)]
    if not fitting:
        return []
    sent = unpacked(held.policy.rules)
    return [
        wire.Way(
            policy_id=held.policy.id,
            policy_name=held.policy.name,
            binding_id=binding.id,
            rule_index=rule.index,
            path_pattern=rule.pattern,
            conditions=conditions_of(sent[rule.index]),
            group=group,
            role=None,
            expires_at=instant_or_none(binding.expires_at),
        )
        for rule in fitting
    ]


def _way_by(role: str) -> wire.Way:
    return wire.Way(None, None, None, None, None, NO_CONDITIONS, None, role, None)


def _effective(grant: Grant, index: int, rule: wire.Rule, subject: Subject) -> wire.EffectiveRule:
    binding, policy = grant.binding, grant.held.policy
    by_group = binding.identity_type == "group" and binding.identity_id != subject.identity_id
    return wire.EffectiveRule(
        policy_id=policy.id,
        policy_name=policy.name,
        binding_id=binding.id,
        rule_index=index,
        path_pattern=rule.path_pattern,
        permissions=list(rule.permissions),
        conditions=conditions_of(rule),
        group=binding.identity_id if by_group else None,
        expires_at=instant_or_none(binding.expires_at),
    )
