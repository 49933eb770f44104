"""The token endpoint: client credentials (RFC 6749 section 4.4), and the exchange of tokens."""

from __future__ import annotations

import hmac
import re
from typing import Final

from scaivault.clock import SECOND
from scaivault.errors import Refusal, faults
from scaivault.gate.caller import Caller
from scaivault.gate.gate import Act, Gate
from scaivault.gate.transaction import Transaction
from scaivault.identity import model
from scaivault.identity.issuer import Issuer
from scaivault.identity.model import Account
from scaivault.identity.oauth.exchange import Exchange
from scaivault.identity.oauth.issued import issued, logging_in
from scaivault.identity.store import accounts as accounts_store
from scaivault.identity.store import tokens as tokens_store
from scaivault.seal.keyring import Keyring
from scaivault.storage.file import Connection
from scaivault.tenancy import Tenancy
from scaivault.wire import grants as wire

_CLIENT: Final = re.compile(r"sa_[0-9a-v]{20,32}\Z")
# RFC 6749 section 5.2 has one word for all of these.
_NOT_GRANTED: Final = ("access_denied", "forbidden", "ip_not_allowed", "tenant_access_denied")


def _no_client() -> Refusal:
    return Refusal("token_invalid", "client_id and client_secret do not fit together")


class Grants:
    """One per open vault."""

    def __init__(
        self, gate: Gate, keyring: Keyring, tenancy: Tenancy, issuer: Issuer, exchange: Exchange
    ) -> None:
        self.gate: Final = gate
        self._keyring: Final = keyring
        self._tenancy: Final = tenancy
        self._issuer: Final = issuer
        self._exchange: Final = exchange

    async def grant(self, caller: Caller, request: wire.Grant) -> wire.AccessToken | wire.Exchanged:
        """An access token: for a client id and secret (RFC 6749 section 4.4), or for another token
        (RFC 8693)."""
        self._issuer.check_enabled()
        if request.body.grant_type == wire.GRANT:
            return await self._exchanged(caller, request.body)
        return await self._credentials(caller, request.body)

    async def _exchanged(self, caller: Caller, body: wire.GrantBody) -> wire.Exchanged:
        if body.subject_token is None:
            raise faults({"subject_token": "is required"})
        if body.client_secret is not None:
            raise Refusal(
                "invalid_request",
                "the subject token is the credential of an exchange: send no client_secret",
                reason="two_credentials",
            )
        asked = wire.ExchangeBody(
            subject_token=body.subject_token,
            subject_token_type=body.subject_token_type or wire.JWT,
            role=body.role,
            tenant_id=body.tenant_id,
            scope=body.scope,
            allowed_paths=body.allowed_paths,
            ttl=body.ttl,
        )
        try:
            return await self._exchange.exchange(caller, wire.Exchange(asked))
        except Refusal as refused:
            if refused.status == 401 or refused.code in _NOT_GRANTED:
                refused.grant_error = "invalid_grant"
            raise

    async def _credentials(self, caller: Caller, body: wire.GrantBody) -> wire.AccessToken:
        if _CLIENT.match(body.client_id or ""):  # nothing else: it may be a secret in a wrong place
            caller.notes["client_id"] = body.client_id
        account, credential_id, scopes = await self._checked(body, caller.now)
        row = issued(model.CLIENT_CREDENTIALS, account, scopes, caller.now, self._issuer.ttl)
        row = row._replace(credential_id=credential_id)

        def login(tx: Transaction) -> None:
            # What ends an account or a credential ends its tokens too, but not one made after.
            if not accounts_store.still_lets_in(tx, account, credential_id):
                raise _no_client()
            tokens_store.add_token(tx, row, None)
            accounts_store.credential_used(tx, credential_id)

        act = Act("auth_login")
        act.records_refusal = False
        act.extra.update(
            grant=model.CLIENT_CREDENTIALS, credential_id=credential_id, token_id=row.id
        )
        with logging_in(caller, self._tenancy, account, row.kind):
            await self.gate.change(caller, act, login)
        text = self._issuer.sign(row, account, caller.partner_id or "")
        return wire.AccessToken(text, "Bearer", self._issuer.ttl // SECOND, " ".join(scopes))

    async def _checked(
        self, body: wire.GrantBody, now: int
    ) -> tuple[Account, str, tuple[str, ...]]:
        """The account, the credential and the scopes of a grant."""
        if body.grant_type != model.CLIENT_CREDENTIALS:
            raise Refusal(
                "invalid_request",
                f"grant_type must be client_credentials or {wire.GRANT}",
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
            return accounts_store.account_by_id(db, client), accounts_store.credential_hashes(
                db, client
            )

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
    """The scopes of a new token: those asked for, within the account's, of which ``admin`` is every
    scope; all when none are."""
    if asked is None or not asked.split():
        return account.scopes
    wanted = tuple(dict.fromkeys(asked.split()))
    held = account.within(model.SCOPES)
    missing = [scope for scope in wanted if scope not in held]
    if missing:
        raise Refusal(
            "insufficient_scope",
            "the account does not hold every scope that was asked for",
            required_scope=missing[0][:64],
        )
    return wanted
