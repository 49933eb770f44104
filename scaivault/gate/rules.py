"""The decision: may this caller do this on this path, now?

One function answers for single calls, lists, batches, expansions, subscriptions, webhooks with
an owner and background principals; for lists ``sight`` says beforehand where it is yes. Rules only
add rights. In order:

1. The token carries lists of paths, and one of them does not hold the path: no.
2. An admin role covers the tenant: yes.
3. The rules of all live policies of the caller, gathered beforehand in ``Compiled``.
4. A rule whose pattern fits, that lists the permission or ``admin``, and whose conditions all
   hold: yes.
5. Rules fit but each fails a condition: no, for the first condition of the first such rule
   (policies by creation, then the rule's place).
6. Otherwise: no.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Final, NamedTuple

from scaivault.errors import Refusal
from scaivault.gate import globs
from scaivault.gate.conditions import NONE, Conditions, Context, parse_conditions
from scaivault.gate.trie import Folder, Trie

__all__ = [
    "BY_POLICY",
    "PERMISSIONS",
    "Compiled",
    "Conditions",
    "Context",
    "Decision",
    "Rule",
    "decide",
    "deciding",
    "outside_token",
    "parse_conditions",
    "reaches",
    "refusal",
]

PERMISSIONS: Final = ("read", "write", "delete", "list", "rotate", "admin")

_FOLDERS: Final = 1024  # that the decisions of one request remember
_KNOWN: Final = frozenset(PERMISSIONS)
_CODES: Final = {
    "ip_ranges": "ip_not_allowed",
    "require_mfa": "mfa_required",
    "time_window": "time_window_violation",
}
_MESSAGES: Final = {
    "access_denied": "no policy permits {permission} on this path",
    "ip_not_allowed": "the rule that permits this does not admit the caller's address",
    "mfa_required": "the rule that permits this wants a fresh MFA; verify again and retry",
    "time_window_violation": "the rule that permits this does not hold at this hour",
}
BY_POLICY: Final = frozenset(_MESSAGES)
"""The codes of refusals that come from a rule, or from the lack of one."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of one policy; ``policy_created`` is an instant, ``index`` its place there."""

    policy_id: str
    policy_created: int
    index: int
    pattern: str
    permissions: frozenset[str]
    conditions: Conditions = NONE

    def matches(self, path: str) -> bool:
        """Whether the pattern fits the path."""
        return globs.matches(self.pattern, path)

    def grants(self, permission: str) -> bool:
        """Whether the rule lists the permission, or ``admin``, which is all of them."""
        return permission in PERMISSIONS and not self.permissions.isdisjoint((permission, "admin"))


class Decision(NamedTuple):
    """The answer and why. ``code`` is of ``errors.CODES`` and ``None`` when allowed.

    ``reason``: ``granted granted_by_role`` | ``token_paths no_policy_bound no_path_match
    permission_not_granted condition_failed``. ``rule`` is the one that grants, or the one whose
    ``failed_condition`` is told; ``policy_id`` is its policy.
    """

    allowed: bool
    code: str | None
    reason: str
    failed_condition: str | None = None
    policy_id: str | None = None
    rule: Rule | None = None


_BY_ROLE: Final = Decision(True, None, "granted_by_role")
_OUTSIDE_TOKEN: Final = Decision(False, "access_denied", "token_paths")
_NO_POLICY: Final = Decision(False, "access_denied", "no_policy_bound")
_NO_PATH: Final = Decision(False, "access_denied", "no_path_match")
_NO_PERMISSION: Final = Decision(False, "access_denied", "permission_not_granted")

_Ranked = tuple[int, Rule]
# permission -> conditions -> the first rule of one pattern that grants it under them, in order
_Grants = dict[str, dict[Conditions, _Ranked]]
_rank: Final = itemgetter(0)


class Compiled:
    """All rules of one caller, merged. Immutable: a change of policy makes a new one.

    The cost of a decision grows with the patterns that fit the path, not with those that are
    there. Of the rules with one and the same pattern and the same conditions only the first is
    held against a request: the others hold and fail with it.
    """

    __slots__ = ("_patterns", "_trie", "rules")

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules: Final = tuple(
            sorted(rules, key=lambda rule: (rule.policy_created, rule.policy_id, rule.index))
        )
        patterns: dict[str, _Grants] = {}
        for ranked in enumerate(self.rules):
            _add(patterns.setdefault(ranked[1].pattern, {}), ranked)
        self._patterns: Final = patterns
        self._trie: Final = Trie(patterns)

    def decide(self, permission: str, path: str, context: Context) -> Decision:
        """Steps 3 to 6."""
        return self._told(self._trie.matching(path), permission, context)

    def deciding(self, permission: str, context: Context) -> Callable[[str], Decision]:
        """``decide`` for the paths of one request, which have folders in common: each folder is
        entered once, and one whose paths no pattern tells apart is decided once."""
        top = self._trie.top
        folders: dict[str, Folder[_Grants]] = {"": top}
        settled: dict[Folder[_Grants], Decision] = {}

        def enter(name: str) -> Folder[_Grants]:
            folder = folders.get(name)
            if folder is None:
                above, _, segment = name.rpartition("/")
                folder = folders[name] = enter(above).into(segment)
            return folder

        def decision(path: str) -> Decision:
            name, _, segment = path.rpartition("/")
            folder = folders.get(name)
            if folder is None:
                if len(folders) >= _FOLDERS:
                    folders.clear()
                    settled.clear()
                    folders[""] = top
                folder = enter(name)
            told = settled.get(folder)
            if told is None:
                told = self._told(folder.fitting(segment), permission, context)
                if folder.alike:
                    settled[folder] = told
            return told

        return decision

    def _told(self, matched: list[_Grants], permission: str, context: Context) -> Decision:
        if not matched:
            return _NO_PATH if self.rules else _NO_POLICY
        fitting = [ranked for grants in matched for ranked in grants.get(permission, {}).values()]
        if len(matched) > 1:
            fitting.sort(key=_rank)
        return _judge(fitting, context)

    def granting(self, permission: str, context: Context) -> frozenset[str]:
        """The patterns of all rules that grant the permission in this context: step 4 says yes
        to a path that one of them fits, and to no other."""
        return frozenset(
            pattern
            for pattern, grants in self._patterns.items()
            if any(conditions.failure(context) is None for conditions in grants.get(permission, ()))
        )


def _add(grants: _Grants, ranked: _Ranked) -> None:
    rule = ranked[1]
    granted = PERMISSIONS if "admin" in rule.permissions else rule.permissions & _KNOWN
    for permission in granted:
        grants.setdefault(permission, {}).setdefault(rule.conditions, ranked)


def _judge(fitting: Iterable[_Ranked], context: Context) -> Decision:
    first: Decision | None = None
    for _, rule in fitting:
        failed = rule.conditions.failure(context)
        if failed is None:
            return Decision(True, None, "granted", None, rule.policy_id, rule)
        if first is None:
            code = _CODES[failed]
            first = Decision(False, code, "condition_failed", failed, rule.policy_id, rule)
    return _NO_PERMISSION if first is None else first


def decide(
    *,
    allowed_paths: Sequence[Sequence[str]],
    covered_by_role: bool,
    rules: Compiled,
    permission: str,
    path: str,
    context: Context,
) -> Decision:
    """Whether the caller holds ``permission`` on ``path`` (a legal path) in ``context``.

    ``allowed_paths``: the token's lists of patterns; the path must match one of each, and an
    empty list matches nothing. ``covered_by_role``: an admin role covers the acting tenant.
    """
    if not reaches(allowed_paths, path):
        return _OUTSIDE_TOKEN
    if covered_by_role:
        return _BY_ROLE
    return rules.decide(permission, path, context)


def deciding(
    *,
    allowed_paths: Sequence[Sequence[str]],
    covered_by_role: bool,
    rules: Compiled,
    permission: str,
    context: Context,
) -> Callable[[str], Decision]:
    """``decide`` for many paths of one request."""
    decision = _by_role if covered_by_role else rules.deciding(permission, context)
    if not allowed_paths:
        return decision
    return lambda path: decision(path) if reaches(allowed_paths, path) else _OUTSIDE_TOKEN


def _by_role(_: str) -> Decision:
    return _BY_ROLE


def reaches(allowed_paths: Sequence[Sequence[str]], path: str) -> bool:
    """Step 1: whether the path matches a pattern of each of a token's lists."""
    return all(
        any(globs.matches(pattern, path) for pattern in patterns) for patterns in allowed_paths
    )


def outside_token(path: str, **details: str) -> Refusal:
    """The error for a path that the token is narrowed away from."""
    message = "the token is narrowed to other paths"
    return Refusal("access_denied", message, path=path, **details, reason="token_paths")


def refusal(decision: Decision, permission: str, path: str) -> Refusal:
    """The error of a decision that is no; tells nothing of whether the path exists."""
    code = decision.code
    if code is None:
        raise ValueError("an allowed decision has no refusal")
    message = _MESSAGES[code].format(permission=permission)
    if decision.failed_condition is not None:
        return Refusal(
            code,
            message,
            failed_condition=decision.failed_condition,
            policy_id=decision.policy_id,
        )
    if decision.reason == "token_paths":
        return outside_token(path, permission=permission)
    return Refusal(code, message, path=path, permission=permission)
