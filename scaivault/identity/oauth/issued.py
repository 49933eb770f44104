"""What the ways to a JWT of ours have in common: scopes, row, answer, and whom the ledger names."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from typing import Final

from scaivault.clock import SECOND
from scaivault.errors import Refusal
from scaivault.gate.caller import Caller, Principal
from scaivault.identity import model
from scaivault.identity.model import Subject, Token
from scaivault.ids import random_id
from scaivault.tenancy import Tenancy
from scaivault.wire import grants as wire

GRANT: Final = "token_exchange"


def shrunk(asked: str | None, held: AbstractSet[str]) -> tuple[str, ...]:
    """The scopes of those asked for that are held; all when none are asked for. ``admin`` is every
    scope."""
    if asked is None or not asked.split():
        return tuple(sorted(held))
    known = {*held, *model.SCOPES} if "admin" in held else held
    return tuple(sorted(known & set(asked.split())))


def no_scope(asked: str | None) -> Refusal:
    """403 for a token that could do nothing."""
    first = (asked or "").split()[:1]
    details = {"required_scope": first[0][:64]} if first else {}
    return Refusal("insufficient_scope", "none of the scopes asked for can be given", **details)


def issued(kind: str, who: Subject, scopes: tuple[str, ...], now: int, ttl: int) -> Token:
    """The row of a new JWT, which is not kept yet; ``ttl`` in microseconds. It ends at a whole
    second, as the JWT can say it. What else it is bound to is the caller's to add."""
    ends = (now + ttl) // SECOND * SECOND
    return Token(
        random_id("tok_"), kind, who.tenant_id, who.identity_id, "", scopes, None, now, ends
    )


@contextmanager
def logging_in(caller: Caller, tenancy: Tenancy, who: Subject, kind: str) -> Iterator[None]:
    """``caller`` is ``who``, without a right, for the rows of the login; nobody when it fails."""
    caller.tenant_id, caller.partner_id = tenancy.places(who.tenant_id)
    caller.principal = Principal(
        identity_id=who.identity_id,
        identity_type=who.kind,
        display_name=who.display_name,
        tenant_id=who.tenant_id,
        partner_id=caller.partner_id or "",
        scopes=frozenset(),
        roles=frozenset(),
        token_id="",
        token_kind=kind,
        issuer=model.LOCAL,
        issued_at=0,
        expires_at=0,
    )
    try:
        yield
    except Refusal:
        caller.principal = None
        raise


def answer(row: Token, text: str) -> wire.Exchanged:
    """RFC 8693 section 2.2.1."""
    seconds = row.expires_at // SECOND - row.created_at // SECOND  # exp - iat
    return wire.Exchanged(text, wire.ACCESS_TOKEN, "Bearer", seconds, " ".join(row.scopes))
