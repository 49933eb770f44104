# Made by scripts/sdk from scaivault_sdk/_async/auth.py; change it there.
"""``client.auth``."""

from __future__ import annotations

from scaivault_sdk._calls import Call, segment
from scaivault_sdk._sync.base import Namespace
from scaivault_sdk.models.identity import AuthConfig, TokenInfo, WhoAmI


class Auth(Namespace):
    """Who is calling, and with what."""

    def whoami(self) -> WhoAmI:
        """The caller, with scopes, groups and roles."""
        return WhoAmI.from_wire(self._get("/v1/auth/whoami"))

    def config(self) -> AuthConfig:
        """Where tokens come from; needs none."""
        answer = self._caller.send(Call("GET", "/v1/auth/config", open=True))
        return AuthConfig.from_wire(answer.body)

    def get_token(self, token_id: str = "self") -> TokenInfo:
        """A token, without its text; by default the one in use."""
        return TokenInfo.from_wire(self._get(_at(token_id)))

    def revoke_token(self, token_id: str) -> None:
        """End a token; ``self`` is the one in use."""
        self._delete(_at(token_id))


def _at(token_id: str) -> str:
    return f"/v1/auth/tokens/{segment(token_id, 'token_id')}"
