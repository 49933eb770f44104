"""``identity``: who may vouch for callers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from scaivault.config.quantities import DAY, HOUR, MINUTE, Delay, Duration, Url
from scaivault.config.sections import Item, Section


class Claims(Item, frozen=True):
    """Which claim of an issuer's token carries what; ``None``: this issuer sends no such thing."""

    subject: str = "sub"
    email: str | None = "email"
    name: str | None = "name"
    tenant: str | None = "tenant_id"
    partner: str | None = "partner_id"
    scope: str | None = "scope"
    role: str | None = "role"
    client_id: str | None = "client_id"
    groups: str | None = None


class Sync(Item, frozen=True):
    """Where an issuer's users and groups are read from."""

    base_url: Url
    credentials_path: str
    protocol: Literal["scim2"] = "scim2"
    interval: Duration = Duration(1 * HOUR)


class Issuer(Item, frozen=True):
    """An issuer of tokens outside the vault.

    ``issuer`` is compared with the token's ``iss`` byte for byte, so it is text and no ``Url``
    (which drops a slash at the end); it may hold ``{tenant_id}`` once.
    """

    name: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    issuer: Annotated[str, Meta(pattern=r"^https?://\S+$", max_length=1024)]
    type: Literal["oidc", "scaikey"] = "oidc"
    jwks_url: Url | None = None
    ca_file: Path | None = None
    audience: Annotated[tuple[str, ...], Meta(min_length=1)] = ("scaivault",)
    algorithms: Annotated[tuple[Literal["RS256", "ES256", "EdDSA"], ...], Meta(min_length=1)] = (
        "RS256",
        "ES256",
    )
    claims: Claims = Claims()
    tenant: str | None = None
    default_scopes: tuple[str, ...] = ()
    trust_roles: bool | None = None
    auto_provision: bool = True
    mfa_amr: tuple[str, ...] = ("mfa", "otp", "hwk", "swk")
    sync: Sync | None = None

    @property
    def roles_are_trusted(self) -> bool:
        """Whether the role claim counts: as set, else only for ``scaikey``."""
        return self.type == "scaikey" if self.trust_roles is None else self.trust_roles


class Local(Section, frozen=True):
    """``identity.local``: the issuer built in."""

    enabled: bool = True
    issuer: str = ""
    token_ttl: Duration = Duration(1 * HOUR)
    key_rotation: Duration = Duration(90 * DAY)


class Identity(Section, frozen=True):
    """``identity``."""

    local: Local = Local()
    pat_default_ttl: Duration = Duration(90 * DAY)
    pat_max_ttl: Duration = Duration(365 * DAY)
    issuers: tuple[Issuer, ...] = ()
    scaikey_webhook_secret_file: Path | None = None
    clock_skew: Delay = Delay(60)
    jwks_refresh: Duration = Duration(10 * MINUTE)
