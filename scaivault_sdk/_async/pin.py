"""``partner_id`` as a pin: no call leaves for a tenant of another partner."""

from __future__ import annotations

from typing import Any

from scaivault_sdk._async.transport import Transport
from scaivault_sdk._calls import Call, segment
from scaivault_sdk.errors import APIError, ConfigurationError


class Pin:
    """Asked before each call; finds out once.

    The server lets nobody but a ``super_admin`` act in a tenant of another partner, so for all
    others the partner of the token decides. For a ``super_admin`` in another tenant, that tenant
    is looked up.
    """

    def __init__(self, partner_id: str | None, tenant_id: str | None) -> None:
        self._partner = partner_id
        self._tenant = tenant_id
        self._holds = partner_id is None

    async def check(self, transport: Transport) -> None:
        """``ConfigurationError`` when the acting tenant belongs to another partner."""
        if self._holds:
            return
        partner = await self._acting_partner(transport)
        if partner != self._partner:
            raise ConfigurationError(
                f"partner_id is {self._partner}; the acting tenant belongs to "
                f"{partner or 'a partner that cannot be found out'}"
            )
        self._holds = True

    async def _acting_partner(self, transport: Transport) -> Any:
        caller = (await transport.call(Call("GET", "/v1/auth/whoami"), {})).body
        foreign = self._tenant is not None and self._tenant != caller.get("tenant_id")
        if not foreign or "super_admin" not in (caller.get("roles") or ()):
            return caller.get("partner_id")
        where = f"/v1/identity/tenants/{segment(self._tenant or '', 'tenant_id')}"
        try:
            return (await transport.call(Call("GET", where), {})).body.get("partner_id")
        except APIError:
            return None
