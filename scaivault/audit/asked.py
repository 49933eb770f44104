"""What a query asks for, checked and in one spelling, so that a cursor can compare it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from scaivault.audit.actions import ACTIONS
from scaivault.audit.filters import Filter, Sight
from scaivault.clock import instant, parse_instant
from scaivault.errors import Refusal, faults
from scaivault.gate.caller import PARTNER_ADMIN, RANK, SUPER_ADMIN, Caller, Principal
from scaivault.gate.paths import check_prefix
from scaivault.storage.file import Connection
from scaivault.wire.addresses import parse_address

Known = Callable[[Connection, str, str], tuple[str, str] | None]
"""(type, canonical id) of an identity of a tenant that is or once was; None for a text that names
none."""

_ROLES: Final = {"partner": PARTNER_ADMIN, "vault": SUPER_ADMIN}
_RECORD: Final = re.compile(r"(usr|sa|grp)_[0-9a-v]{20,32}\Z")
_TYPES: Final = {"usr": "user", "sa": "service_account", "grp": "group"}
_TIME: Final = "must be an RFC 3339 time or a date"


class Asked:
    """The filters of one request; ``fields`` as they go into ``Filter`` and into cursors."""

    def __init__(self) -> None:
        self.fields: Final[dict[str, Any]] = {}
        self._faults: Final[dict[str, str]] = {}

    def times(self, since: str | None, until: str | None) -> None:
        """``from`` and ``to``."""
        for field, name, text in (("since", "from", since), ("until", "to", until)):
            if text is None:
                continue
            try:
                # Nothing was before 1970, and a year of three digits would not sort as text.
                self.fields[field] = instant(max(0, parse_instant(text)))
            except (ValueError, OverflowError):
                self._faults[name] = _TIME
        first, last = self.fields.get("since"), self.fields.get("until")
        if first is not None and last is not None and last <= first:
            self._faults["to"] = "must be later than from"

    def actions(self, text: str | None) -> None:
        """One action or several, by comma."""
        if text is None:
            return
        named = set(text.split(","))
        if unknown := sorted(named - ACTIONS):
            self._faults["action"] = _no_action(unknown[0][:64])
        else:
            self.fields["actions"] = sorted(named)

    def identity(self, named: tuple[str, str] | None) -> None:
        """(type, canonical id) of what ``identity`` found; None: it found nothing."""
        if named is None:
            self._faults["identity_id"] = (
                "must be user:<email>, sa:<name>, group:<name>, an id such as sa_…, or none"
            )
        else:
            self.fields["identity_id"] = named[1]

    def address(self, text: str | None) -> None:
        if text is None:
            return
        try:
            self.fields["source_ip"] = str(parse_address(text))
        except ValueError:
            self._faults["source_ip"] = "must be an IP address"

    def plain(self, **fields: Any) -> None:
        """Filters that mean what they say; None: not sent."""
        self.fields.update({name: value for name, value in fields.items() if value is not None})

    def check(self) -> None:
        """422 with all faults at once; 400 for a prefix that no path begins with."""
        if self._faults:
            raise faults(self._faults)
        check_prefix(self.fields.get("path_prefix", ""))


def _no_action(name: str) -> str:
    if not name:
        return "names an empty action"
    # Imported for a slip only.
    from difflib import get_close_matches

    near = ", ".join(get_close_matches(name, sorted(ACTIONS), 3, 0.5))
    return f"{name!r} is no action of the audit log" + (f"; near it: {near}" if near else "")


def identity(db: Connection, known: Known, tenant: str, text: str) -> tuple[str, str] | None:
    """(type, canonical id) of an identity in any form; a record id that is not of the tenant
    stands for itself, and so finds nothing. None: no form of an identity."""
    named = known(db, tenant, text)
    if named is None and (record := _RECORD.match(text)) is not None:
        return _TYPES[record[1]], text
    return named


def filter_of(fields: dict[str, Any]) -> Filter:
    """The filter that ``fields`` (of a request or of a cursor) stand for."""
    wanted = {name: fields[name] for name in Filter.__struct_fields__ if name in fields}
    if "actions" in wanted:
        wanted["actions"] = frozenset(wanted["actions"])
    return Filter(**wanted)


def sight(caller: Caller, scope: str = "tenant") -> Sight:
    """What the caller may see; 403 for a scope that takes a role he has not."""
    principal = caller.principal
    if principal is None:
        raise Refusal("authentication_required", "this call needs a token")
    if scope == "tenant":
        return Sight("tenant", caller.tenant, caller.partner_id, principal.allowed_paths)
    _check_role(principal, _ROLES[scope], scope)
    if scope == "partner":
        return Sight("partner", None, caller.partner_id, principal.allowed_paths)
    return Sight("vault", None, None, principal.allowed_paths)


def scopes(caller: Caller) -> list[str]:
    """The scopes whose rows the caller's role lets him see."""
    rank = caller.principal.rank if caller.principal is not None else 0
    return ["tenant", *(scope for scope, role in _ROLES.items() if rank >= RANK[role])]


def _check_role(principal: Principal, role: str, scope: str) -> None:
    if principal.rank < RANK[role]:
        raise Refusal("forbidden", f"the scope {scope} takes the role {role}", required_role=role)
