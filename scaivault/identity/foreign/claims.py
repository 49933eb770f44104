"""Whom the claims of a proven token mean, as its issuer's mapping reads them.

Two people never become one: a name that is none is refused, not made to fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from scaivault.clock import SECOND
from scaivault.config.identity import Issuer
from scaivault.gate.caller import RANK
from scaivault.identity import model, names
from scaivault.identity.foreign.jwt import refused
from scaivault.wire.names import name_fault

_KNOWN: Final = frozenset(model.SCOPES)
_CLIENT: Final = "client_credentials"

Claims = Mapping[str, Any]


class Meant(NamedTuple):
    """``subject``: the issuer's own word for whoever it is. ``groups``: canonical ids that the
    token claims. ``mfa_at``: instant of the second factor, if the token tells of one."""

    tenant_id: str
    partner_id: str | None
    identity_id: str
    subject: str
    email: str | None
    display_name: str
    scopes: frozenset[str]
    roles: frozenset[str]
    groups: tuple[str, ...]
    mfa_at: int | None

    @property
    def kind(self) -> str:
        """``user`` or ``service_account``."""
        return names.type_of(self.identity_id)

    @property
    def token_kind(self) -> str:
        is_user = self.kind == names.USER
        return model.USER_SESSION if is_user else model.CLIENT_CREDENTIALS


def tenant(issuer: Issuer, claims: Claims) -> str | None:
    """The tenant that a token is for: as it says, or the issuer's fixed one. None when there is
    none, and when the two contradict each other: a fixed tenant is not the token's to change."""
    told = _told(claims, issuer.claims.tenant)
    if told is None or issuer.tenant is None:
        return told or issuer.tenant
    return told if told == issuer.tenant else None


def meant(issuer: Issuer, claims: Claims, now: int, skew: int) -> Meant:
    """Check 8 as far as the token goes; ``token_invalid`` without a subject, a tenant or a name
    that can be one."""
    mapping = issuer.claims
    subject, place = _told(claims, mapping.subject), tenant(issuer, claims)
    if subject is None or place is None:
        raise refused()
    identity_id, email = _identity(issuer, claims, subject)
    shown = _text(claims, mapping.name)
    if shown is None or name_fault(shown) is not None:
        shown = identity_id.partition(":")[2][:128]
    scopes = _KNOWN.intersection(words(claims, mapping.scope))
    return Meant(
        place,
        _partner(_told(claims, mapping.partner)),
        identity_id,
        subject,
        email,
        shown,
        scopes or _KNOWN.intersection(issuer.default_scopes),
        frozenset(_roles(issuer, claims)),
        tuple(_groups(words(claims, mapping.groups, blank=False))),
        _mfa_at(issuer, claims, now, skew),
    )


def words(claims: Claims, name: str | None, *, blank: bool = True) -> list[str]:
    """A list of texts, or one text: with ``blank`` its words (RFC 8693 section 4.2)."""
    value = claims.get(name) if name is not None else None
    if isinstance(value, str):
        return value.split(" ") if blank else [value]
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _told(claims: Claims, name: str | None) -> str | None:
    """A claim that decides who it is: a text that is not empty, or not there at all."""
    value = claims.get(name) if name is not None else None
    if value is not None and (not isinstance(value, str) or not value):
        raise refused()
    return value


def _text(claims: Claims, name: str | None) -> str | None:
    value = claims.get(name) if name is not None else None
    return value if isinstance(value, str) and value else None


def _partner(told: str | None) -> str | None:
    return None if told is None else told.replace("prt_", "ptn_", 1) if told[:4] == "prt_" else told


def _identity(issuer: Issuer, claims: Claims, subject: str) -> tuple[str, str | None]:
    """(canonical id, e-mail of a user)"""
    client = _text(claims, issuer.claims.client_id)
    if claims.get("token_type") == _CLIENT or subject == client:
        return _canonical("sa", client or _text(claims, issuer.claims.name) or ""), None
    email = _email(issuer, claims)
    identity_id = _canonical("user", email or subject)
    return identity_id, None if email is None else identity_id.partition(":")[2]


def _email(issuer: Issuer, claims: Claims) -> str | None:
    """Only one that the issuer does not call unproven, in whatever words: anybody could have
    entered it."""
    email = _text(claims, issuer.claims.email)
    told = claims.get("email_verified")
    proven = told is None or told is True or (isinstance(told, str) and told.lower() == "true")
    counts = proven or issuer.claims.email != "email"
    return email if email is not None and "@" in email and counts else None


def _canonical(prefix: str, name: str) -> str:
    named = _named(prefix, name)
    if named is None:
        raise refused()
    return named


def _roles(issuer: Issuer, claims: Claims) -> list[str]:
    told = words(claims, issuer.claims.role) if issuer.roles_are_trusted else []
    return [role for role in told if role in RANK]


def _groups(told: list[str]) -> list[str]:
    named = (_named("group", one.removeprefix("group:")) for one in told)
    return sorted({found for found in named if found is not None})


def _named(prefix: str, name: str) -> str | None:
    """The canonical id; None for a name that is none. Only blanks around an e-mail address are
    nothing: a client or group that is called like another but for a blank is another one."""
    if "@" not in name and name != name.strip():
        return None
    named = names.canonical(f"{prefix}:{name}")
    return None if named is None else named[1]


def _mfa_at(issuer: Issuer, claims: Claims, now: int, skew: int) -> int | None:
    """``auth_time`` of a login with a second factor (RFC 8176)."""
    at = claims.get("auth_time")
    if not isinstance(at, int | float) or isinstance(at, bool):
        return None
    if set(issuer.mfa_amr).isdisjoint(words(claims, "amr")) or not 0 <= at * SECOND <= now + skew:
        return None
    return min(int(at * SECOND), now)
