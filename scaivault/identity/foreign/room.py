"""Tokens of the issuers in the configuration: the checks in their order, and what they stand for.

Nothing is kept of such a token but that it was ended early. Whom it names is looked up, and taken
down the first time, as a user or service account of that issuer."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final, NamedTuple

from scaivault.clock import MINUTE, SECOND, instant
from scaivault.config.identity import Identity as Settings
from scaivault.config.identity import Issuer
from scaivault.errors import Refusal
from scaivault.gate.caller import Principal
from scaivault.gate.gate import Gate
from scaivault.gate.transaction import Transaction
from scaivault.identity import model, names, subjects
from scaivault.identity.foreign import claims, jwt, store
from scaivault.identity.foreign.claims import Meant
from scaivault.identity.foreign.issuers import Found, Issuers
from scaivault.identity.foreign.jwt import Times, Unverified, refused
from scaivault.identity.foreign.key_sets import KeySets, Unreachable
from scaivault.identity.foreign.keys import Key
from scaivault.identity.foreign.provisioning import Provisioning
from scaivault.identity.model import Subject
from scaivault.identity.store import groups as groups_store
from scaivault.ids import digits
from scaivault.storage.file import Connection
from scaivault.tenancy import Tenancy
from scaivault.wire import system as wire

_SUBJECT_SHOWN: Final = 256
_WORSE: Final = ("ok", "warn", "error")


class _Asked(NamedTuple):
    """A proven token, and whom it means."""

    found: Found
    token: Unverified
    whom: Meant
    times: Times
    partner_id: str

    @property
    def iss(self) -> str:
        return self.token.issuer


class _Known(NamedTuple):
    """What the file has about a token and whom it means, all of one instant. ``meant``: whose
    subject the issuer meant by the identity so far."""

    subject: Subject | None
    meant: str | None
    revoked: bool
    groups: tuple[str, ...]


class Foreign:
    """One per open vault."""

    def __init__(self, gate: Gate, tenancy: Tenancy, settings: Settings, key_sets: KeySets) -> None:
        self._gate: Final = gate
        self._tenancy: Final = tenancy
        self._skew: Final = int(settings.clock_skew * SECOND)
        self._issuers: Final = Issuers(settings.issuers, self._skew)
        self._key_sets: Final = key_sets
        self._provisioning: Final = Provisioning(gate)
        # A remembered token is checked anew this often: it does not outlive its key even where
        # no job fetches the keys.
        self._remembered: Final = settings.jwks_refresh * SECOND + MINUTE

    async def authenticate(self, token: Unverified, now: int) -> tuple[Principal, int]:
        """Whom a token stands for, and until when that may be remembered; a refusal of the 401
        family otherwise, which tells the ledger what is known of issuer and subject."""
        found = self._issuers.of(token, self._tenancy.tenants)
        if found is None:
            raise refused()
        notes: dict[str, object] = {"issuer": found.settings.name}
        try:
            principal = await self._proven(found, token, now, notes)
        except Refusal as refusal:
            refusal.notes.update(notes)
            raise
        return principal, min(principal.expires_at + self._skew, now + self._remembered)

    def health(self, now: int) -> list[wire.IssuerCheck]:
        """Of each issuer, how fetching its keys went; of a pattern, where it went worst."""
        return [self._health(one, now) for one in self._issuers.listed]

    def _health(self, issuer: Issuer, now: int) -> wire.IssuerCheck:
        seen = [self._key_sets.fetched(source) for source in self._issuers.sources[issuer.name]]
        told = [one for one in seen if one is not None]
        ages = [one.age for one in told if one.age is not None]
        return wire.IssuerCheck(
            issuer.name,
            issuer.type,
            max((one.status for one in told), key=_WORSE.index, default="ok"),
            sum(one.keys for one in told),
            instant(now - max(ages)) if ages else None,
        )

    def is_live(self, db: Connection, principal: Principal) -> bool:
        """Whether neither a token that was proven nor all access of its identity ended since."""
        who = subjects.subject(db, principal.tenant_id, principal.identity_id)
        if who is None or who.status != model.ACTIVE:
            return False
        ended = who.revoked_before
        early = ended is not None and principal.issued_at <= ended
        return not early and not store.is_revoked(db, principal.token_id)

    def revoke(self, tx: Transaction, principal: Principal) -> None:
        """End a token before its time."""
        store.revoke(tx, principal.token_id, principal.expires_at + self._skew)

    def forget_subjects(self, tx: Transaction, who: Subject) -> dict[str, int]:
        """For when all access of an identity ends: whoever logs in next is whom it means."""
        store.forget_subjects(tx, who.tenant_id, who.identity_id)
        return {}

    # -- the checks ----------------------------------------------------------------------------

    async def _proven(
        self, found: Found, token: Unverified, now: int, notes: dict[str, object]
    ) -> Principal:
        key = await self._key(found, token)
        proven = jwt.verify(token, key, found.accepted, now)
        subject = proven.get(found.settings.claims.subject)
        if isinstance(subject, str):
            notes["subject"] = subject[:_SUBJECT_SHOWN]
        whom = claims.meant(found.settings, proven, now, self._skew)
        partner_id = self._partner(whom)
        asked = _Asked(found, token, whom, jwt.times(proven, now, self._skew), partner_id)
        known = await self._gate.ask(lambda db: _known(db, asked))
        if _is_new(known):
            known = await self._taken_up(asked)
        return _principal(asked, known, _admitted(asked, known))

    async def _key(self, found: Found, token: Unverified) -> Key:
        if token.algorithm not in found.accepted.algorithms:
            raise refused()
        try:
            return await self._key_sets.key(found.source, token.kid, token.algorithm)
        except Unreachable:
            raise refused() from None

    def _partner(self, whom: Meant) -> str:
        """The partner of the token's tenant, which must be known; a token that names another
        partner contradicts itself."""
        tenant = self._tenancy.tenants.get(whom.tenant_id)
        if tenant is None or self._tenancy.is_gone(tenant.id):
            raise refused()
        if whom.partner_id not in {None, tenant.partner_id}:
            raise refused()
        return tenant.partner_id

    async def _taken_up(self, asked: _Asked) -> _Known:
        """Somebody is taken down, and whom the issuer means by him; look again."""
        async with self._provisioning.one_by_one:
            known = await self._gate.ask(lambda db: _known(db, asked))
            if known.subject is None:
                await self._create(asked)
                known = await self._gate.ask(lambda db: _known(db, asked))
            if not _is_new(known):
                return known
            who = _admitted(asked, known)
            await self._provisioning.note_subject(asked.whom, asked.iss, who, asked.partner_id)
            return await self._gate.ask(lambda db: _known(db, asked))

    async def _create(self, asked: _Asked) -> None:
        issuer = asked.found.settings
        if not issuer.auto_provision:
            raise refused()
        await self._provisioning.create(asked.whom, asked.iss, issuer.name, asked.partner_id)


def token_id_of(token: Unverified) -> str:
    """The id of a token that has no row: of its issuer and ``jti``, else of what was signed. Not
    of the whole text: the signature of an ES256 token can be rewritten (``s`` to ``n - s``)."""
    jti = token.claims.get("jti")
    has_own = isinstance(jti, str) and bool(jti)
    digest = blake2b(digest_size=13, person=b"jti" if has_own else b"signed")
    digest.update(blake2b(token.issuer.encode()).digest())
    digest.update(str(jti).encode() if has_own else token.text.rpartition(".")[0].encode())
    return "tok_" + digits(int.from_bytes(digest.digest(), "big") >> 4, 20)


def _known(db: Connection, asked: _Asked) -> _Known:
    whom = asked.whom
    place = whom.tenant_id, whom.identity_id
    groups = set(groups_store.effective(db, *place))
    if whom.groups:
        groups.update(store.with_parents(db, whom.tenant_id, whom.groups))
    return _Known(
        subjects.subject(db, *place),
        store.subject_meant(db, *place, asked.iss),
        store.is_revoked(db, token_id_of(asked.token)),
        tuple(sorted(groups)),
    )


def _is_new(known: _Known) -> bool:
    """Whether nobody is known yet, or not yet whom this issuer means by the user."""
    subject = known.subject
    return subject is None or (subject.kind == names.USER and known.meant is None)


def _admitted(asked: _Asked, known: _Known) -> Subject:
    """Checks 8 and 9: whom the token means is active and this issuer's to speak for, and neither
    the token nor what came before it was revoked."""
    subject, issuer = known.subject, asked.found.settings
    if subject is None:
        raise refused()
    if subject.status != model.ACTIVE:
        raise _revoked()
    # Service accounts of our own are lent to foreign tokens by trusts, never by having a name.
    is_local_user = subject.issuer == model.LOCAL and subject.kind == names.USER
    if subject.issuer != issuer.name and not is_local_user:
        raise refused()
    if known.meant not in {None, asked.whom.subject}:  # the address is another person's now
        raise refused()
    ended = subject.revoked_before
    if known.revoked or (ended is not None and asked.times.issued <= ended):
        raise _revoked()
    return subject


def _principal(asked: _Asked, known: _Known, subject: Subject) -> Principal:
    issuer, whom = asked.found.settings, asked.whom
    # Roles given to an account of our own are not for an issuer that is not trusted with roles.
    trusted = issuer.roles_are_trusted or subject.issuer == issuer.name
    return Principal(
        identity_id=subject.identity_id,
        identity_type=subject.kind,
        display_name=subject.display_name,
        tenant_id=whom.tenant_id,
        partner_id=asked.partner_id,
        scopes=subject.within(whom.scopes),
        roles=whom.roles.union(subject.roles if trusted else ()),
        token_id=token_id_of(asked.token),
        token_kind=whom.token_kind,
        issuer=issuer.name,
        issued_at=asked.times.issued,
        expires_at=asked.times.expires,
        mfa_verified_at=whom.mfa_at,
        groups=known.groups,
    )


def _revoked() -> Refusal:
    return Refusal("token_revoked", "this token was revoked; get a new one")
