"""The token endpoint: client credentials (RFC 6749 section 4.4)."""

from __future__ import annotations

import hmac
import re
from typing import Final

from scaivault.errors import Refusal
from scaivault.gate.caller import Caller, Principal
from scaivault.gate.gate import Act, Gate
from scaivault.gate.transaction import Transaction
from scaivault.identity import model, store, tokens_store
from scaivault.identity.issuer import Issuer
from scaivault.identity.model import Account, Token
from scaivault.ids import random_id
from scaivault.seal.keyring import Keyring
from scaivault.storage.file import Connection
from scaivault.tenancy import Tenancy
from scaivault.wire import identity as wire

_CLIENT: Final = re.compile(r"sa_[0-9a-v]{20,32}\Z")


def _no_client() -> Refusal:
    return Refusal("token_invalid", "client_id and client_secret do not fit together")


class Grants:
    """One per open vault."""

    def __init__(self, gate: Gate, keyring: Keyring, tenancy: Tenancy, issuer: Issuer) -> None:
        self.gate: Final = gate
        self._keyring: Final = keyring
        self._tenancy: Final = tenancy
        self._issuer: Final = issuer

    async def grant(self, caller: Caller, request: wire.Grant) -> wire.AccessToken:
        """RFC 6749 section 4.4: an access token for a client id and secret."""
        body = request.body
        if _CLIENT.match(body.client_id or ""):  # nothing else: it may be a secret in a wrong place
            caller.notes["client_id"] = body.client_id
        account, credential_id, scopes = await self._checked(body, caller.now)
        act = Act("auth_login")
        act.extra.update(grant=model.CLIENT_CREDENTIALS, credential_id=credential_id)
        caller.principal = _as_client(account, self._tenancy)
        caller.tenant_id = account.tenant_id
        caller.partner_id = caller.principal.partner_id
        row = Token(
            random_id("tok_"), model.CLIENT_CREDENTIALS, account.tenant_id, account.identity_id,
            "", scopes, credential_id, caller.now, caller.now + self._issuer.ttl,
        )  # fmt: skip

        def login(tx: Transaction) -> None:
            # What ends an account or a credential ends its tokens too, but not one made after.
            if not store.still_lets_in(tx, account, credential_id):
                raise _no_client()
            tokens_store.add_token(tx, row, None)
            store.credential_used(tx, credential_id)
            tx.note(token_id=row.id)

        await self.gate.change(caller, act, login)
        text = self._issuer.sign(row, account, caller.partner_id)
        return wire.AccessToken(text, "Bearer", self._issuer.ttl // 1_000_000, " ".join(scopes))

    async def _checked(
        self, body: wire.GrantBody, now: int
    ) -> tuple[Account, str, tuple[str, ...]]:
        """The account, the credential and the scopes of a grant."""
        if body.grant_type != model.CLIENT_CREDENTIALS:
            raise Refusal(
                "invalid_request",
                "grant_type must be client_credentials",
                reason="unsupported_grant_type",
            )
        found = await self._client(body.client_id or "", body.client_secret or "", now)
        if found is None:
            raise _no_client()
        return *found, _granted(body.scope, found[0])

    async def _client(self, client: str, secret: str, now: int) -> tuple[Account, str] | None:
        """The account and credential that fit, with equal work whether the client exists."""
        hashed = self._keyring.token_hash(secret.encode())

        def question(db: Connection) -> tuple[Account | None, list[tuple[str, bytes, int | None]]]:
            return store.account_by_id(db, client), store.credential_hashes(db, client)

        account, kept = await self.gate.ask(question)
        fitting = None
        for credential_id, known, expires_at in kept or [("", bytes(32), None)]:
            alive = expires_at is None or expires_at > now
            if hmac.compare_digest(hashed, known) and alive:
                fitting = credential_id
        if account is None or fitting is None or account.status != model.ACTIVE:
            return None
        if not self._tenancy.admits(account.tenant_id, account.roles):
            return None
        return account, fitting


def _granted(asked: str | None, account: Account) -> tuple[str, ...]:
    """The scopes of a new token: those asked for, within the account's; all when none are."""
    if asked is None or not asked.split():
        return account.scopes
    wanted = tuple(dict.fromkeys(asked.split()))
    missing = [scope for scope in wanted if scope not in account.scopes]
    if missing:
        raise Refusal(
            "insufficient_scope",
            "the account does not hold every scope that was asked for",
            required_scope=missing[0][:64],
        )
    return wanted


def _as_client(account: Account, tenancy: Tenancy) -> Principal:
    return Principal(
        identity_id=account.identity_id,
        identity_type="service_account",
        display_name=account.display_name,
        tenant_id=account.tenant_id,
        partner_id=tenancy.tenants[account.tenant_id].partner_id,
        scopes=frozenset(),
        roles=frozenset(),
        token_id="",
        token_kind=model.CLIENT_CREDENTIALS,
        issuer="local",
        issued_at=0,
        expires_at=0,
    )
