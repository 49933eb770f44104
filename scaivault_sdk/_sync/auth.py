# Made by scripts/sdk from scaivault_sdk/_async/auth.py; change it there.
"""``client.auth``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from scaivault_sdk._calls import Call, given, segment
from scaivault_sdk._sync.base import Namespace
from scaivault_sdk._sync.pages import Page
from scaivault_sdk.models.identity import (
    AccessToken,
    AuthConfig,
    Introspection,
    MfaVerification,
    NewToken,
    TokenInfo,
    TotpEnrolment,
    WhoAmI,
)

_TOKENS = "/v1/auth/tokens"
_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:"  # RFC 8693, section 3


class Auth(Namespace):
    """Who is calling, and with what: tokens, exchange, the second factor."""

    def whoami(self) -> WhoAmI:
        """The caller, with scopes, groups and roles."""
        return WhoAmI.from_wire(self._get("/v1/auth/whoami"))

    def config(self) -> AuthConfig:
        """Where tokens come from; needs none."""
        answer = self._caller.send(Call("GET", "/v1/auth/config", open=True))
        return AuthConfig.from_wire(answer.body)

    def introspect(self, token: str) -> Introspection:
        """What a token is worth; one of no use is no error."""
        body = {"token": token}
        answer = self._post("/v1/auth/introspect", body, changes=False)
        return Introspection.from_wire(answer)

    def exchange(
        self,
        subject_token: str,
        *,
        subject_token_type: str = "jwt",
        audience: str | None = None,
        role: str | None = None,
        scope: Sequence[str] | None = None,
        allowed_paths: Sequence[str] | None = None,
        ttl: str | None = None,
        tenant_id: str | None = None,
    ) -> AccessToken:
        """A token of the vault for one of another issuer (RFC 8693), as its trusts allow; the
        client itself needs no token for it. With ``subject_token_type="access_token"`` a narrower
        token for a token of the vault.

        ``subject_token_type``: ``jwt``, ``id_token`` or ``access_token``, in full form too.
        ``role``: the service account that is wanted, ``tenant_id`` its tenant, where trusts leave
        a choice. ``scope``, ``allowed_paths`` and ``ttl`` only ever narrow.
        """
        kind = subject_token_type
        body = given(
            subject_token=subject_token,
            subject_token_type=kind if ":" in kind else _TOKEN_TYPE + kind,
            audience=audience,
            role=role,
            tenant_id=tenant_id or self._caller.tenant_id,
            scope=_words(scope),
            allowed_paths=allowed_paths,
            ttl=ttl,
        )
        call = Call("POST", "/v1/auth/exchange", body=body, open=True, slow=True)
        return AccessToken.from_wire((self._caller.send(call)).body)

    # -- tokens ---------------------------------------------------------------------------------

    def create_token(
        self,
        name: str,
        scopes: Sequence[str],
        *,
        expires_in: str | None = None,
        expires_at: datetime | str | None = None,
        allowed_paths: Sequence[str] | None = None,
        ip_ranges: Sequence[str] | None = None,
        identity_id: str | None = None,
    ) -> NewToken:
        """A personal access token, told here and never again. ``identity_id``: for another user,
        by an administrator. ``allowed_paths``: globs, of which a path must match one;
        ``ip_ranges``: networks that it works from."""
        body = given(
            name=name,
            scopes=list(scopes),
            expires_in=expires_in,
            expires_at=expires_at,
            allowed_paths=allowed_paths,
            ip_ranges=ip_ranges,
            identity_id=identity_id,
        )
        return NewToken.from_wire(self._post(_TOKENS, body))

    def list_tokens(
        self,
        identity_id: str | None = None,
        token_kind: str | None = None,
        status: str | None = None,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[TokenInfo]:
        """A page of tokens, newest first: the caller's own, or another's, by an administrator.
        ``status``: ``active`` (the default), ``expired``, ``revoked``."""
        query: dict[str, Any] = {
            "identity_id": identity_id,
            "token_kind": token_kind,
            "status": status,
            "limit": limit,
            "cursor": cursor,
        }
        return self._page(_TOKENS, "tokens", TokenInfo.from_wire, query)

    def get_token(self, token_id: str = "self") -> TokenInfo:
        """A token, without its text; by default the one in use."""
        return TokenInfo.from_wire(self._get(_token(token_id)))

    def revoke_token(self, token_id: str) -> None:
        """End a token; ``self`` is the one in use."""
        self._delete(_token(token_id))

    # -- second factor --------------------------------------------------------------------------

    def enrol_mfa(self) -> TotpEnrolment:
        """A new second factor (TOTP, RFC 6238) for the caller; the first code that ``verify_mfa``
        takes confirms it."""
        return TotpEnrolment.from_wire(self._post("/v1/auth/mfa/totp"))

    def verify_mfa(self, code: str) -> MfaVerification:
        """Show the second factor. It counts for the token in use, and for no other."""
        return MfaVerification.from_wire(self._post("/v1/auth/mfa/verify", {"code": code}))

    def remove_mfa(self) -> None:
        """Give the second factor up; needs a code not long before."""
        self._delete("/v1/auth/mfa/totp")


def _words(scope: Sequence[str] | None) -> str | None:
    return scope if scope is None or isinstance(scope, str) else " ".join(scope)


def _token(token_id: str) -> str:
    return f"{_TOKENS}/{segment(token_id, 'token_id')}"
