"""Names, scopes and the shapes of identity rows."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from typing import Final, NamedTuple

from msgspec import UNSET, Struct

from scaivault.clock import instant, instant_or_none
from scaivault.errors import Refusal, check_fields
from scaivault.gate.caller import RANK, Principal
from scaivault.identity import names
from scaivault.wire import accounts, tokens
from scaivault.wire import identity as wire

SCOPES: Final = (
    "secrets:read",
    "secrets:write",
    "secrets:delete",
    "secrets:list",
    "secrets:rotate",
    "policies:read",
    "policies:write",
    "audit:read",
    "audit:export",
    "pki:issue",
    "pki:admin",
    "dynamic:read",
    "dynamic:generate",
    "dynamic:manage",
    "federation:read",
    "federation:write",
    "subscriptions:read",
    "subscriptions:write",
    "identity:read",
    "identity:admin",
    "admin",
)
PAT: Final = "personal_access_token"
CLIENT_CREDENTIALS: Final = "client_credentials"
USER_SESSION: Final = "user_session"
EXCHANGED: Final = "exchanged"
TOKEN_KINDS: Final = (PAT, CLIENT_CREDENTIALS, USER_SESSION, EXCHANGED)
ACTIVE: Final = "ACTIVE"
SUSPENDED: Final = "SUSPENDED"
DELETED: Final = "DELETED"
LOCAL: Final = "local"


def rank(roles: Collection[str]) -> int:
    """0 for none, up to 3 for super_admin."""
    return max((RANK[role] for role in roles), default=0)


class Account(NamedTuple):
    """A row of ``service_account``."""

    tenant_id: str
    id: str
    identity_id: str
    display_name: str
    status: str
    scopes: tuple[str, ...]
    roles: tuple[str, ...]
    created_at: int
    issuer: str = LOCAL
    revoked_before: int | None = None
    last_seen_at: int | None = None

    @property
    def kind(self) -> str:
        return names.SERVICE_ACCOUNT

    @property
    def rank(self) -> int:
        return rank(self.roles)

    def within(self, scopes: Iterable[str]) -> frozenset[str]:
        """Those of a token's scopes that count: no token goes beyond an account of our own, of
        which ``admin`` is every scope; an outside issuer says in each token what it may."""
        if self.issuer != LOCAL or "admin" in self.scopes:
            return frozenset(scopes)
        return frozenset(self.scopes).intersection(scopes)


class User(NamedTuple):
    """A row of ``user``. ``email`` is None where the issuer tells only a subject."""

    tenant_id: str
    id: str
    identity_id: str
    email: str | None
    display_name: str
    status: str
    roles: tuple[str, ...]
    created_at: int
    issuer: str = LOCAL
    revoked_before: int | None = None
    mfa_enabled: int = 0
    last_seen_at: int | None = None
    last_synced_at: int | None = None
    as_of: int | None = None
    external_id: str | None = None

    @property
    def kind(self) -> str:
        return names.USER

    @property
    def rank(self) -> int:
        return rank(self.roles)

    def within(self, scopes: Iterable[str]) -> frozenset[str]:
        """Those of a token's scopes that count: of a user's all, his policies are the limit."""
        return frozenset(scopes)


Subject = Account | User
"""Who can hold a token."""


class Token(NamedTuple):
    """A row of ``token``. ``allowed_paths``: lists of globs, of each of which a path must match
    one. ``parent_id``: the token that this one ends with, at the latest."""

    id: str
    kind: str
    tenant_id: str
    identity_id: str
    name: str
    scopes: tuple[str, ...]
    credential_id: str | None
    created_at: int
    expires_at: int
    last_used_at: int | None = None
    revoked_at: int | None = None
    allowed_paths: tuple[tuple[str, ...], ...] = ()
    ip_ranges: tuple[str, ...] = ()
    parent_id: str | None = None
    trust_id: str | None = None
    mfa_verified_at: int | None = None


class Credential(NamedTuple):
    """A row of ``credential`` but for its hash."""

    id: str
    name: str
    created_at: int
    expires_at: int | None
    last_used_at: int | None


def pack(words: tuple[str, ...]) -> str:
    return json.dumps(list(words))


def unpack(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


def sent(body: Struct) -> list[str]:
    """The fields that a partial change names."""
    return [name for name in body.__struct_fields__ if getattr(body, name) is not UNSET]


def check_scopes(scopes: list[str], holder: Principal) -> tuple[str, ...]:
    """Known words, each once, none beyond what ``holder`` has."""
    check_fields({"scopes": scopes_fault(scopes)})
    check_held(scopes, holder)
    return tuple(sorted(set(scopes)))


def check_held(scopes: Iterable[str], holder: Principal) -> None:
    """``forbidden`` unless ``holder`` has all of these known words."""
    missing = () if "admin" in holder.scopes else sorted(set(scopes) - holder.scopes)
    if missing:
        raise Refusal(
            "forbidden",
            "you cannot hand on a scope that your own token does not hold: " + " ".join(missing),
            reason="scope_not_held",
        )


def scopes_fault(scopes: list[str]) -> str | None:
    """None when all are known words."""
    return None if set(SCOPES).issuperset(scopes) else f"must be of: {' '.join(SCOPES)}"


def check_roles(roles: list[str]) -> tuple[str, ...]:
    for role in roles:
        if role not in RANK:
            raise Refusal("invalid_role", f"roles are {', '.join(RANK)}", role=role[:64])
    return tuple(sorted(set(roles), key=lambda role: RANK[role]))


def paths_info(lists: tuple[tuple[str, ...], ...]) -> list[str] | None:
    """A token's lists of globs as one list: the narrowest, which was added last, comes first."""
    return [glob for globs in reversed(lists) for glob in globs] or None


def foreign_token(principal: Principal) -> Token:
    """What would be the row of an outside issuer's token, which has none; by its issuer's name."""
    return Token(
        principal.token_id, principal.token_kind, principal.tenant_id, principal.identity_id,
        principal.issuer, tuple(sorted(principal.scopes)), None, principal.issued_at,
        principal.expires_at, mfa_verified_at=principal.mfa_verified_at,
    )  # fmt: skip


def token_info(token: Token, now: int) -> tokens.TokenInfo:
    status = "expired" if token.expires_at <= now else "active"
    if token.revoked_at is not None:
        status = "revoked"
    return tokens.TokenInfo(
        id=token.id,
        token_kind=token.kind,
        name=token.name,
        identity_id=token.identity_id,
        tenant_id=token.tenant_id,
        scopes=list(token.scopes),
        allowed_paths=paths_info(token.allowed_paths),
        ip_ranges=list(token.ip_ranges) or None,
        parent_id=token.parent_id,
        created_at=instant(token.created_at),
        expires_at=instant(token.expires_at),
        last_used_at=instant_or_none(token.last_used_at),
        mfa_verified_at=instant_or_none(token.mfa_verified_at),
        revoked_at=instant_or_none(token.revoked_at),
        status=status,
    )


def account_info(account: Account, groups: list[str], credentials: int) -> accounts.Account:
    """``groups``: record ids of those it is itself a member of."""
    return accounts.Account(
        id=account.id,
        identity_id=account.identity_id,
        tenant_id=account.tenant_id,
        name=account.identity_id.removeprefix("sa:"),
        display_name=account.display_name,
        status=account.status,
        scopes=list(account.scopes),
        groups=groups,
        roles=list(account.roles),
        issuer=account.issuer,
        credentials_active=credentials,
        last_seen_at=instant_or_none(account.last_seen_at),
        created_at=instant(account.created_at),
    )


def whoami(principal: Principal) -> wire.WhoAmI:
    return wire.WhoAmI(
        identity_id=principal.identity_id,
        identity_type=principal.identity_type,
        display_name=principal.display_name,
        tenant_id=principal.tenant_id,
        partner_id=principal.partner_id,
        scopes=sorted(principal.scopes),
        groups=list(principal.groups),
        roles=sorted(principal.roles, key=lambda role: RANK[role]),
        mfa_verified_at=instant_or_none(principal.mfa_verified_at),
        token_expires_at=instant(principal.expires_at),
        token_id=principal.token_id,
        token_kind=principal.token_kind,
        issuer=principal.issuer,
        allowed_paths=paths_info(principal.allowed_paths),
        ip_ranges=list(principal.ip_ranges) or None,
    )
