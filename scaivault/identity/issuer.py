"""The local issuer: ES256 access tokens (RFC 9068) and the keys that are published for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import jwt
import msgspec

from scaivault.clock import HOUR, MINUTE, SECOND
from scaivault.crypto.memory import wipe
from scaivault.crypto.signing import IssuerKey
from scaivault.errors import Refusal
from scaivault.gate.transaction import Transaction
from scaivault.identity.model import Subject, Token
from scaivault.seal.envelope import Envelope, Sealed, field
from scaivault.storage.file import Connection

AUDIENCE: Final = "scaivault"
SKEW: Final = MINUTE
_LONGEST: Final = 8 * 1024
_PURPOSE: Final = "issuer"
_TYPE: Final = "at+jwt"
_SIGN: Final = ["ES256"]
_PATHS_MOST: Final = 1024
# The library would ask the host's clock for the times; they are checked here against ours.
_SIGNATURE_ONLY: Final[Any] = {
    "verify_signature": True,
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}


class Claims(NamedTuple):
    """What a token of ours says, once its signature is proven."""

    token_id: str
    identity_id: str
    tenant_id: str
    issued_at: int
    expires_at: int


class _Key(NamedTuple):
    key: IssuerKey
    created_at: int
    retired_at: int | None


def _invalid() -> Refusal:
    return Refusal("token_invalid", "this token cannot be verified; get a new one")


class Issuer:
    """``name``: the ``iss`` of its tokens; ``ttl``: their life, in microseconds. One that is not
    ``enabled`` issues none, and vouches for none that it issued before; it keeps its keys."""

    def __init__(self, name: str, ttl: int, rotation: int, *, enabled: bool = True) -> None:
        self.name: Final = name
        self.enabled: Final = enabled
        self.ttl: Final = ttl
        self.rotation: Final = rotation
        self._keys: dict[str, _Key] = {}

    # -- keys ----------------------------------------------------------------------------------

    def load(self, connection: Connection, envelope: Envelope) -> None:
        """Open the signing keys."""
        for kid, created_at, retired_at, *sealed in connection.execute(
            "SELECT id, created_at, retired_at, key_version, dek, private_key FROM signing_key"
            " WHERE purpose = ? ORDER BY created_at",
            (_PURPOSE,),
        ).fetchall():
            private = envelope.open(
                "-", field("signing_key", kid, "private_key"), 0, Sealed(*sealed)
            )
            self._keys[kid] = _Key(IssuerKey(private), created_at, retired_at)
            wipe(private)

    def due(self, db: Connection, now: int) -> bool:
        """Whether a new signing key should be made, or an old one no longer be published."""
        return self.enabled and (self._aged(now) or bool(self._over(db, now)))

    def _aged(self, now: int) -> bool:
        newest = max((key.created_at for key in self._keys.values()), default=None)
        return newest is None or now - newest >= self.rotation

    def _over(self, db: Connection, now: int) -> list[str]:
        return [
            kid
            for kid, key in self._keys.items()
            if key.retired_at is not None and not _is_needed(db, key.retired_at, now)
        ]

    def rotate(self, tx: Transaction) -> None:
        """A new signing key, if the present one is old enough; an old one stays published until
        its last token is an hour over."""
        over = self._over(tx.connection, tx.now)
        for kid in over:
            tx.execute("DELETE FROM signing_key WHERE id = :id", {"id": kid})
        tx.then(lambda: self._drop(over))
        if self._aged(tx.now):
            self._replace(tx)

    def _drop(self, over: list[str]) -> None:
        self._keys = {kid: known for kid, known in self._keys.items() if kid not in over}

    def _replace(self, tx: Transaction) -> None:
        key = IssuerKey.generate()
        kid = key.public.kid
        private = key.private()
        sealed = tx.seal("-", field("signing_key", kid, "private_key"), 0, private)
        wipe(private)
        tx.execute(
            "UPDATE signing_key SET retired_at = :now WHERE purpose = :purpose"
            " AND retired_at IS NULL",
            {"now": tx.now, "purpose": _PURPOSE},
        )
        tx.execute(
            "INSERT INTO signing_key (id, purpose, public_key, created_at, key_version, dek,"
            " private_key) VALUES (:id, :purpose, :public, :now, :key_version, :dek, :value)",
            {
                "id": kid,
                "purpose": _PURPOSE,
                "public": msgspec.json.encode(key.public.jwk()).decode(),
                "now": tx.now,
                **sealed._asdict(),
            },
        )
        now = tx.now

        def adopt() -> None:
            kept = {
                old: known._replace(retired_at=known.retired_at or now)
                for old, known in self._keys.items()
            }
            self._keys = {**kept, kid: _Key(key, now, None)}

        tx.then(adopt)

    def published(self) -> list[dict[str, str]]:
        """The public keys (RFC 7517), newest first."""
        if not self.enabled:
            return []
        ordered = sorted(self._keys.values(), key=lambda key: -key.created_at)
        return [known.key.public.jwk() for known in ordered]

    # -- tokens --------------------------------------------------------------------------------

    def check_enabled(self) -> None:
        """``invalid_request`` where no tokens are issued."""
        if not self.enabled:
            raise Refusal(
                "invalid_request",
                "this vault issues no tokens (identity.local.enabled): use one of your identity"
                " provider, or a personal access token",
                reason="unsupported_grant_type",
            )

    def sign(
        self, token: Token, who: Subject, partner_id: str, act: Mapping[str, Any] | None = None
    ) -> str:
        """The access token that ``token`` is the row of. ``act``: whose token it was exchanged
        for (RFC 8693 section 4.1)."""
        kid, known = next((k, v) for k, v in self._keys.items() if v.retired_at is None)
        claims: dict[str, Any] = {
            "iss": self.name,
            "aud": AUDIENCE,
            "sub": token.identity_id,
            "iat": token.created_at // SECOND,
            "nbf": token.created_at // SECOND,
            "exp": token.expires_at // SECOND,
            "jti": token.id,
            "tenant_id": token.tenant_id,
            "partner_id": partner_id,
            "scope": " ".join(token.scopes),
            "client_id": who.id,
            "token_type": token.kind,
            **_optional(token),
        }
        if act is not None:
            claims["act"] = dict(act)
        return jwt.encode(claims, known.key.key, "ES256", {"typ": _TYPE, "kid": kid})

    def verify(self, text: str, now: int) -> Claims:
        """The claims of a token of ours; ``token_invalid`` or ``token_expired`` otherwise.

        Steps: size and three parts; header (type, our key id, nothing critical); signature (ES256);
        times; issuer and audience; the claims that the vault needs. The caller must still look
        up whether the token was revoked and its identity is active."""
        if not self.enabled or len(text) > _LONGEST or text.count(".") != 2:
            raise _invalid()
        try:
            header = jwt.get_unverified_header(text)
        except (jwt.InvalidTokenError, RecursionError):
            raise _invalid() from None
        kid = header.get("kid")
        known = self._keys.get(kid) if isinstance(kid, str) else None
        if known is None or "crit" in header or header.get("typ") != _TYPE:
            raise _invalid()
        try:
            payload = jwt.decode(text, known.key.public.key, _SIGN, _SIGNATURE_ONLY)
        except jwt.InvalidTokenError:
            raise _invalid() from None
        return self._claims(payload, now)

    def _claims(self, payload: dict[str, Any], now: int) -> Claims:
        times = [payload.get(name) for name in ("iat", "nbf", "exp")]
        names = [payload.get(name) for name in ("jti", "sub", "tenant_id")]
        if not all(type(at) is int for at in times) or not all(isinstance(n, str) for n in names):
            raise _invalid()
        issued, before, expires = (int(at) * SECOND for at in times if at is not None)
        if max(issued, before) > now + SKEW:
            raise _invalid()
        if now >= expires + SKEW:
            raise Refusal("token_expired", "this token is over; get a new one")
        audience = payload.get("aud")
        accepted = audience if isinstance(audience, list) else [audience]
        if payload.get("iss") != self.name or AUDIENCE not in accepted:
            raise _invalid()
        return Claims(str(names[0]), str(names[1]), str(names[2]), issued, expires)


def _is_needed(db: Connection, retired_at: int, now: int) -> bool:
    """Whether a token that a key signed before it was retired lives still, or did an hour ago. One
    that was just being made then may have been written down a little later."""
    if now < retired_at + HOUR:
        return True
    found = db.execute(
        "SELECT 1 FROM token WHERE expires_at > :since AND created_at <= :retired"
        " AND kind <> 'personal_access_token' LIMIT 1",
        {"since": now - HOUR, "retired": retired_at + MINUTE},
    )
    return found.fetchone() is not None


def _optional(token: Token) -> dict[str, Any]:
    """What only some tokens say. The row is what counts: paths that would make the token too long
    to be sent are left out."""
    told: dict[str, Any] = {}
    paths = [list(globs) for globs in token.allowed_paths]
    if paths and len(msgspec.json.encode(paths)) <= _PATHS_MOST:
        told["allowed_paths"] = paths[0] if len(paths) == 1 else paths
    if token.mfa_verified_at is not None:
        told["auth_time"] = token.mfa_verified_at // SECOND
        told["amr"] = ["mfa"]
    return told
