"""Trusts in other issuers, a part of ``client.identity``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scaivault_sdk._async.directory import BASE, Directory
from scaivault_sdk._async.pages import Page
from scaivault_sdk._calls import given, segment
from scaivault_sdk.models.identity import Trust

_TRUSTS = f"{BASE}/trusts"


class Trusts(Directory):
    """Whose foreign tokens ``client.auth.exchange`` takes, and what they give."""

    async def trusts(self, *, limit: int | None = None, cursor: str | None = None) -> Page[Trust]:
        """A page, newest first."""
        query = {"limit": limit, "cursor": cursor}
        return await self._page(_TRUSTS, "trusts", Trust.from_wire, query)

    async def get_trust(self, trust_id: str) -> Trust:
        """One trust."""
        return Trust.from_wire(await self._get(_trust(trust_id)))

    async def create_trust(
        self,
        name: str,
        issuer: str,
        subject: str,
        identity: str,
        max_scopes: Sequence[str],
        **settings: Any,
    ) -> Trust:
        """Trust tokens of ``issuer`` (``https://…``) whose ``sub`` fits the glob ``subject``: they
        are exchanged for tokens of the service account ``identity`` with at most ``max_scopes``.

        ``settings``: ``claims_equal`` (claim -> value, or list of values), ``max_ttl``,
        ``allowed_paths``, ``audience``, ``algorithms``, ``jwks_url`` or ``jwks``, ``single_use``,
        ``token_review``, ``is_active``, ``tenant_id``; None counts as left out.
        """
        body = given(
            name=name,
            issuer=issuer,
            subject=subject,
            identity=identity,
            max_scopes=list(max_scopes),
            **settings,
        )
        return Trust.from_wire(await self._post(_TRUSTS, body))

    async def update_trust(self, trust_id: str, **changes: Any) -> Trust:
        """Only what is given, as in ``create_trust``. Tokens issued under the trust end."""
        return Trust.from_wire(await self._patch(_trust(trust_id), changes))

    async def delete_trust(self, trust_id: str) -> None:
        """Trust no longer. Tokens issued under it end."""
        await self._delete(_trust(trust_id))


def _trust(trust_id: str) -> str:
    return f"{_TRUSTS}/{segment(trust_id, 'trust_id')}"
