# Made by scripts/sdk from scaivault_sdk/_async/directory.py; change it there.
"""What ``client.identity`` looks up: whose an id is, which roles there are, when was synced."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from scaivault_sdk._calls import Call, segment
from scaivault_sdk._sync.base import Namespace, T
from scaivault_sdk._sync.pages import Page
from scaivault_sdk.errors import ConfigurationError
from scaivault_sdk.models.base import models_of
from scaivault_sdk.models.identity import AdminRole, Identity, SyncRun

BASE = "/v1/identity"


class Directory(Namespace):
    """Look-ups, and the ground of the other parts."""

    def _in_tenant(
        self,
        tenant_id: str | None,
        name: str,
        item: Callable[[Any], T],
        query: Mapping[str, Any],
    ) -> Page[T]:
        """A page of what the tenant named, or the client's, or the token's own, lists."""
        tenant_id = tenant_id or self._caller.tenant_id
        if tenant_id is None:
            body = self._get("/v1/auth/whoami")
            tenant_id = body.get("tenant_id")
            if not isinstance(tenant_id, str):
                raise ConfigurationError("the token belongs to no tenant; name the one you mean")
        tenant = segment(tenant_id, "tenant_id")
        where = f"{BASE}/tenants/{tenant}/{name.replace('_', '-')}"
        return self._numbered(where, name, item, query)

    def resolve(self, identity_type: str, identity_id: str) -> Identity:
        """What an id stands for. ``identity_type``: ``user``, ``service_account``, ``group``."""
        kind, one = segment(identity_type, "identity_type"), segment(identity_id, "identity_id")
        return Identity.from_wire(self._get(f"{BASE}/resolve/{kind}/{one}"))

    def roles(self) -> list[AdminRole]:
        """The admin roles there are, from the lowest."""
        body = self._get(f"{BASE}/roles")
        return models_of(AdminRole, body.get("roles"))

    def sync(self, partner_id: str | None = None, tenant_id: str | None = None) -> SyncRun:
        """Fetch identities anew from where they are kept: of a tenant, of a partner (by default
        the client's), or all that the caller may see. It goes on by itself, ``sync_history`` tells
        how it ended; while one runs for the same, that one is answered."""
        query = {"partner_id": partner_id or self._caller.partner_id, "tenant_id": tenant_id}
        answer = self._caller.send(Call("POST", f"{BASE}/sync", query))
        return SyncRun.from_wire(answer.body)

    def sync_history(
        self, *, page: int | None = None, page_size: int | None = None
    ) -> Page[SyncRun]:
        """A page of runs, newest first."""
        query = {"page": page, "page_size": page_size}
        return self._numbered(f"{BASE}/sync/history", "history", SyncRun.from_wire, query)
