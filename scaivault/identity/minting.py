"""New tokens of our own."""

from __future__ import annotations

import os

from scaivault.clock import instant
from scaivault.crypto import codes
from scaivault.gate.transaction import Transaction
from scaivault.identity import model, tokens_store
from scaivault.identity.model import Subject, Token
from scaivault.ids import random_id
from scaivault.seal.keyring import Keyring


def personal(
    tx: Transaction,
    keyring: Keyring,
    who: Subject,
    name: str,
    scopes: tuple[str, ...],
    ttl: int,
    text: str | None = None,
) -> tuple[str, Token]:
    """A personal access token: (its text, its row). Only a keyed hash of the text is kept.
    ``text`` is given for throw-away vaults only."""
    text = text or codes.token(codes.TOKEN, os.urandom(32))
    row = Token(
        random_id("tok_"), model.PAT, who.tenant_id, who.identity_id, name, scopes,
        None, tx.now, tx.now + ttl,
    )  # fmt: skip
    tokens_store.add_token(tx, row, keyring.token_hash(text.encode()))
    tx.note(token_id=row.id, scopes=list(scopes), expires_at=instant(row.expires_at))
    tx.extra["for"] = who.identity_id
    return text, row
