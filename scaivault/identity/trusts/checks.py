"""What may stand in a trust."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from scaivault.clock import HOUR, MINUTE, SECOND
from scaivault.errors import Refusal, faults
from scaivault.gate.globs import check_glob
from scaivault.gate.paths import check_path
from scaivault.identity.foreign import keys
from scaivault.identity.model import scopes_fault
from scaivault.identity.trusts import model
from scaivault.identity.trusts.subject_globs import names_nobody
from scaivault.outbound import AddressRefused, Guard, parse_target
from scaivault.wire import trusts as wire
from scaivault.wire.names import name_fault
from scaivault.wire.values import duration_field

SHORTEST: Final = MINUTE
LONGEST: Final = 12 * HOUR
_CLAIM_LONGEST: Final = 256
_VALUE_LONGEST: Final = 1024
_VALUES_MOST: Final = 100
# A hundred keys of 2048 bits. Whoever sends a token has the sets of all trusts read that may be
# meant, before anything is proven.
_JWKS_LONGEST: Final = 64 * 1024
# How subjects of shared issuers begin, whoever they are of.
_KINDS: Final = (
    "repo:", "repository:", "repository_owner:",
    "project_path:", "project_id:", "namespace_path:", "namespace_id:",
    "arn:aws:iam::", "arn:aws:sts::",
)  # fmt: skip
_WILDCARD: Final = re.compile(r"[*?]")
# RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1: whoever has these can sign.
_PRIVATE: Final = frozenset(("d", "p", "q", "dp", "dq", "qi", "oth", "k"))


class Checks:
    """``guard``: which addresses may be called; ``local``: our own issuer's name."""

    def __init__(self, guard: Guard, local: str) -> None:
        self._guard: Final = guard
        self._local: Final = local

    def check(self, body: wire.TrustBody) -> None:
        """All that can be told without looking anything up: ``validation_error`` for all fields at
        once, then ``invalid_duration``, ``invalid_glob``, ``invalid_path``."""
        found = {
            "name": name_fault(body.name),
            "issuer": self._issuer_fault(body.issuer),
            "subject": _subject_fault(body),
            "max_scopes": scopes_fault(body.max_scopes),
            "jwks": _jwks_fault(body.jwks),
            **_claim_faults(body.claims_equal),
        }
        if body.jwks_url is not None:
            both = "give jwks_url or jwks, not both"
            found["jwks_url"] = both if body.jwks is not None else self._url_fault(body.jwks_url)
        review = body.token_review
        if review is not None:
            found["token_review.url"] = self._url_fault(review.url)
        told = {name: fault for name, fault in found.items() if fault is not None}
        if told:
            raise faults(told)
        _check_max_ttl(body.max_ttl)
        for index, glob in enumerate(body.allowed_paths or ()):
            check_glob(glob, f"allowed_paths[{index}]")
        for path in review_paths(body):
            check_path(path)

    def _issuer_fault(self, issuer: str) -> str | None:
        if issuer == self._local:
            return "is this vault itself: its tokens are narrowed, not trusted"
        return self._url_fault(issuer)

    def _url_fault(self, url: str) -> str | None:
        try:
            self._guard.check_literal(parse_target(url))
        except (ValueError, AddressRefused) as fault:
            return str(fault)
        return None


def review_paths(body: wire.TrustBody) -> list[str]:
    """The secrets that a trust will have the vault read."""
    review = body.token_review
    paths = () if review is None else (review.credentials_path, review.ca_cert_path)
    return [path for path in paths if path is not None]


def patched(trust: model.Trust, patch: wire.TrustPatch) -> wire.TrustBody:
    """The trust as it would be sent after a change."""
    known = msgspec.structs.asdict(model.info(trust))
    sent = msgspec.structs.asdict(patch)
    changes = {name: value for name, value in sent.items() if value is not msgspec.UNSET}
    if changes.get("claims_equal", {}) is None:
        changes["claims_equal"] = {}
    names = {field.name for field in msgspec.structs.fields(wire.TrustBody)}
    kept = {name: value for name, value in known.items() if name in names}
    return wire.TrustBody(**{**kept, **changes})


def _subject_fault(body: wire.TrustBody) -> str | None:
    shared = model.is_shared(body.issuer)
    if not names_nobody(body.subject):
        if shared and _leaves_owner_open(body.subject) and not body.claims_equal:
            return "must say whose it is ahead of the first wildcard, or claims_equal must"
        return None
    if shared:
        return "must name a subject: everybody can get tokens of this issuer"
    if not body.claims_equal:
        return "must name a subject, or claims_equal must say whose tokens are meant"
    return None


def _leaves_owner_open(subject: str) -> bool:
    """Whether a pattern fits subjects of people whom it does not name: ``repo:*``,
    ``repo:*/shop:*``. Anybody can call a repository ``shop``."""
    head, *rest = _WILDCARD.split(subject, maxsplit=1)
    return bool(rest) and any(kind.startswith(head) for kind in _KINDS)


def _claim_faults(claims: Mapping[str, Any]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name, wanted in claims.items():
        listed = wanted if isinstance(wanted, list) else [wanted]
        if not 1 <= len(name) <= _CLAIM_LONGEST:
            found["claims_equal"] = f"each claim must have 1 to {_CLAIM_LONGEST} characters"
        elif not 1 <= len(listed) <= _VALUES_MOST or not all(map(_is_value, listed)):
            found[f"claims_equal.{name}"] = (
                f"must be a text of at most {_VALUE_LONGEST} characters, a number, true or false,"
                f" or a list of 1 to {_VALUES_MOST} of these"
            )
    return found


def _is_value(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= _VALUE_LONGEST
    return model.is_scalar(value) and not (isinstance(value, float) and not math.isfinite(value))


def _jwks_fault(jwks: dict[str, Any] | None) -> str | None:
    if jwks is None:
        return None
    try:
        usable = keys.keys_of(jwks)
        length = len(json.dumps(jwks))
    except ValueError as fault:
        return str(fault)
    if length > _JWKS_LONGEST:
        return f"is longer than {_JWKS_LONGEST // 1024} KiB: give jwks_url, or the keys alone"
    if any(isinstance(jwk, dict) and not _PRIVATE.isdisjoint(jwk) for jwk in jwks["keys"]):
        return "holds a private key: give the public halves only"
    return None if usable else "has no key that can prove a token (RSA from 2048, P-256, Ed25519)"


def _check_max_ttl(text: str) -> None:
    if not SHORTEST <= duration_field("max_ttl", text) * SECOND <= LONGEST:
        raise Refusal("invalid_duration", "max_ttl: must be 1m to 12h", field="max_ttl")
