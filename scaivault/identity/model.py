"""Names, scopes and the shapes of identity rows."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from scaivault.clock import instant, instant_or_none
from scaivault.errors import Refusal, faults
from scaivault.gate.caller import RANK, Principal
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
ACTIVE: Final = "ACTIVE"
CREDENTIALS_MAX: Final = 5


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

    @property
    def rank(self) -> int:
        return max((RANK[role] for role in self.roles), default=0)


class Token(NamedTuple):
    """A row of ``token``."""

    id: str
    kind: str
    tenant_id: str
    identity_id: str
    name: str
    scopes: tuple[str, ...]
    credential_id: str | None
    created_at: int
    expires_at: int
    last_used_at: int | None
    revoked_at: int | None


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


def check_scopes(scopes: list[str], holder: Principal) -> tuple[str, ...]:
    """Known words, each once, none beyond what ``holder`` has."""
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown:
        raise faults({"scopes": f"must be of: {' '.join(SCOPES)}"})
    if "admin" not in holder.scopes and not holder.scopes.issuperset(scopes):
        raise Refusal(
            "forbidden",
            "you cannot hand on a scope that your own token does not hold",
            reason="scope_not_held",
        )
    return tuple(sorted(set(scopes)))


def check_roles(roles: list[str]) -> tuple[str, ...]:
    for role in roles:
        if role not in RANK:
            raise Refusal("invalid_role", f"roles are {', '.join(RANK)}", role=role[:64])
    return tuple(sorted(set(roles), key=lambda role: RANK[role]))


def token_info(token: Token, now: int) -> wire.TokenInfo:
    status = "expired" if token.expires_at <= now else "active"
    if token.revoked_at is not None:
        status = "revoked"
    return wire.TokenInfo(
        id=token.id,
        token_kind=token.kind,
        name=token.name,
        identity_id=token.identity_id,
        tenant_id=token.tenant_id,
        scopes=list(token.scopes),
        allowed_paths=None,
        ip_ranges=None,
        parent_id=None,
        created_at=instant(token.created_at),
        expires_at=instant(token.expires_at),
        last_used_at=instant_or_none(token.last_used_at),
        mfa_verified_at=None,
        revoked_at=instant_or_none(token.revoked_at),
        status=status,
    )


def account_info(
    account: Account, groups: list[str], credentials: int, last_seen: int | None
) -> wire.Account:
    """``groups``: record ids of those it is itself a member of."""
    return wire.Account(
        id=account.id,
        identity_id=account.identity_id,
        tenant_id=account.tenant_id,
        name=account.identity_id.removeprefix("sa:"),
        display_name=account.display_name,
        status=account.status,
        scopes=list(account.scopes),
        groups=groups,
        roles=list(account.roles),
        issuer="local",
        credentials_active=credentials,
        last_seen_at=instant_or_none(last_seen),
        created_at=instant(account.created_at),
    )


def whoami(principal: Principal) -> wire.WhoAmI:
    paths: list[Any] = [glob for globs in principal.allowed_paths for glob in globs]
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
        allowed_paths=paths or None,
        ip_ranges=list(principal.ip_ranges) or None,
    )
