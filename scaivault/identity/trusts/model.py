"""Trusts as they are kept, and whether the claims of a foreign token fit one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from scaivault.clock import MINUTE, instant, instant_or_none
from scaivault.identity.foreign.key_sets import Source
from scaivault.identity.trusts.subject_globs import compiled
from scaivault.wire import trusts as wire

# Whoever has an account there gets tokens of these: a subject must be named.
_SHARED: Final = (
    "githubusercontent.com", "github.com",
    "gitlab.com",
    "amazonaws.com", "api.aws",
    "accounts.google.com", "googleapis.com",
)  # fmt: skip
# Tokens of shorter lives are for one login, so their issuers need not be asked to say so.
SHORT: Final = 10 * MINUTE
SUBJECT_LONGEST: Final = 1024


class Review(NamedTuple):
    """The Kubernetes cluster that is asked about tokens. Paths are of secrets."""

    url: str
    credentials_path: str
    ca_cert_path: str | None


class Trust(NamedTuple):
    """A row of ``trust``. ``max_ttl`` is a duration, as it was sent; ``jwks`` the text of a set;
    ``single_use`` 0, 1 or None; an empty ``allowed_paths`` narrows nothing."""

    tenant_id: str
    id: str
    name: str
    issuer: str
    jwks_url: str | None
    jwks: str | None
    algorithms: tuple[str, ...]
    audience: tuple[str, ...]
    subject: str
    claims_equal: Mapping[str, Any]
    identity_id: str
    max_scopes: tuple[str, ...]
    max_ttl: str
    allowed_paths: tuple[str, ...]
    single_use: int | None
    token_review: Review | None
    is_active: int
    created_at: int
    updated_at: int
    last_used_at: int | None = None

    @property
    def source(self) -> Source:
        """Where its keys are from; called only at addresses that tenants may name."""
        return Source(self.issuer, self.jwks_url, self.jwks, guarded=True)

    def admits(self, claims: Mapping[str, Any]) -> bool:
        """Whether subject and claims of a token are those that the trust asks for."""
        subject = claims.get("sub")
        if not isinstance(subject, str) or len(json.dumps(subject)) > SUBJECT_LONGEST:
            return False  # it goes into a token of ours, which must not become too long
        if not compiled(self.subject).matches(subject):
            return False
        return all(
            _is_one_of(claims.get(name), wanted) for name, wanted in self.claims_equal.items()
        )

    def is_spent_by(self, claims: Mapping[str, Any], life: int) -> bool:
        """Whether a token of this life (us) counts once."""
        if self.single_use is None:
            return isinstance(claims.get("jti"), str) and life < SHORT
        return bool(self.single_use)

    def as_used(self) -> Trust:
        """Without what a use changes."""
        return self._replace(last_used_at=None)


def is_shared(issuer: str) -> bool:
    """Whether anybody can get tokens of this issuer."""
    host = (urlsplit(issuer).hostname or "").removesuffix(".")
    return any(host == one or host.endswith("." + one) for one in _SHARED)


def is_scalar(value: object) -> bool:
    """Whether a claim can be required to be this."""
    return isinstance(value, str | int | float)


def _is_one_of(found: object, wanted: object) -> bool:
    allowed = wanted if isinstance(wanted, list) else [wanted]
    return is_scalar(found) and any(_equals(found, one) for one in allowed)


def _equals(found: object, wanted: object) -> bool:
    """As JSON values: ``true`` is not 1."""
    return isinstance(found, bool) == isinstance(wanted, bool) and found == wanted


def info(trust: Trust) -> wire.Trust:
    """As the API shows it."""
    review = trust.token_review
    return wire.Trust(
        id=trust.id,
        name=trust.name,
        issuer=trust.issuer,
        jwks_url=trust.jwks_url,
        jwks=None if trust.jwks is None else json.loads(trust.jwks),
        algorithms=list(trust.algorithms),
        audience=list(trust.audience),
        subject=trust.subject,
        claims_equal=dict(trust.claims_equal),
        identity=trust.identity_id,
        max_scopes=list(trust.max_scopes),
        max_ttl=trust.max_ttl,
        allowed_paths=list(trust.allowed_paths) or None,
        single_use=None if trust.single_use is None else bool(trust.single_use),
        token_review=None if review is None else wire.TokenReview(*review),
        is_active=bool(trust.is_active),
        created_at=instant(trust.created_at),
        updated_at=instant(trust.updated_at),
        last_used_at=instant_or_none(trust.last_used_at),
    )
