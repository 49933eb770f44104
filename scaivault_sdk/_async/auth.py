"""``client.auth``."""

from __future__ import annotations

from scaivault_sdk._async.base import Namespace
from scaivault_sdk._calls import Call, segment
from scaivault_sdk.models.identity import AuthConfig, TokenInfo, WhoAmI


class Auth(Namespace):
    """Who is calling, and with what."""

    async def whoami(self) -> WhoAmI:
        """The caller, with scopes, groups and roles."""
        return WhoAmI.from_wire(await self._get("/v1/auth/whoami"))

    async def config(self) -> AuthConfig:
        """Where tokens come from; needs none."""
        answer = await self._caller.send(Call("GET", "/v1/auth/config", open=True))
        return AuthConfig.from_wire(answer.body)

    async def get_token(self, token_id: str = "self") -> TokenInfo:
        """A token, without its text; by default the one in use."""
        return TokenInfo.from_wire(await self._get(_at(token_id)))

    async def revoke_token(self, token_id: str) -> None:
        """End a token; ``self`` is the one in use."""
        await self._delete(_at(token_id))


def _at(token_id: str) -> str:
    return f"/v1/auth/tokens/{segment(token_id, 'token_id')}"
