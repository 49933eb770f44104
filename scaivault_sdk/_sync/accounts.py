# Made by scripts/sdk from scaivault_sdk/_async/accounts.py; change it there.
"""Service accounts with their credentials and roles, a part of ``client.identity``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scaivault_sdk._calls import given, segment
from scaivault_sdk._sync.directory import BASE, Directory
from scaivault_sdk._sync.pages import Page
from scaivault_sdk.models.base import models_of
from scaivault_sdk.models.identity import AssignedRoles, ClientCredential, ServiceAccount


class Accounts(Directory):
    """Programs that call the vault."""

    def service_accounts(
        self,
        tenant_id: str | None = None,
        q: str | None = None,
        status: str | None = None,
        *,
        page: int | None = None,
        page_size: int | None = None,
    ) -> Page[ServiceAccount]:
        """A page, by name. ``q``: part of the name."""
        query = {"q": q, "status": status, "page": page, "page_size": page_size}
        return self._in_tenant(tenant_id, "service_accounts", ServiceAccount.from_wire, query)

    def get_service_account(self, account_id: str) -> ServiceAccount:
        """One account."""
        return ServiceAccount.from_wire(self._get(_account(account_id)))

    def create_service_account(
        self,
        name: str,
        scopes: Sequence[str],
        *,
        display_name: str | None = None,
        groups: Sequence[str] | None = None,
        tenant_id: str | None = None,
    ) -> ServiceAccount:
        """A new account; it has no credentials yet."""
        body = given(
            name=name,
            scopes=list(scopes),
            display_name=display_name,
            groups=groups,
            tenant_id=tenant_id,
        )
        return ServiceAccount.from_wire(self._post(f"{BASE}/service-accounts", body))

    def update_service_account(self, account_id: str, **changes: Any) -> ServiceAccount:
        """``changes``: ``scopes``, ``display_name``, ``status`` (``ACTIVE``, ``SUSPENDED``),
        ``groups``."""
        return ServiceAccount.from_wire(self._patch(_account(account_id), changes))

    def delete_service_account(self, account_id: str) -> None:
        """Remove an account; its tokens end at once."""
        self._delete(_account(account_id))

    def credentials(self, account_id: str) -> list[ClientCredential]:
        """An account's client secrets, without them."""
        body = self._get(f"{_account(account_id)}/credentials")
        return models_of(ClientCredential, body.get("credentials"))

    def create_credentials(
        self, account_id: str, *, name: str | None = None, expires_in: str | None = None
    ) -> ClientCredential:
        """A new client secret, told here and never again."""
        body = given(name=name, expires_in=expires_in)
        return ClientCredential.from_wire(self._post(f"{_account(account_id)}/credentials", body))

    def delete_credentials(self, account_id: str, credential_id: str) -> None:
        """End a client secret and its tokens."""
        credential = segment(credential_id, "credential_id")
        self._delete(f"{_account(account_id)}/credentials/{credential}")

    def service_account_roles(self, account_id: str) -> AssignedRoles:
        """The admin roles of an account."""
        return AssignedRoles.from_wire(self._get(f"{_account(account_id)}/roles"))

    def set_service_account_roles(self, account_id: str, roles: Sequence[str]) -> AssignedRoles:
        """Replace them all."""
        body = {"roles": list(roles)}
        return AssignedRoles.from_wire(self._put(f"{_account(account_id)}/roles", body))


def _account(account_id: str) -> str:
    return f"{BASE}/service-accounts/{segment(account_id, 'account_id')}"
