"""A token of an outside issuer at the front door: whom it stands for, and what is kept of him."""

from __future__ import annotations

from scaivault.clock import instant
from tests.support.house import House
from tests.support.issuing import Provider


async def test_the_token_stands_for_its_user(house: House, provider: Provider) -> None:
    token = provider.token()
    seen = (await house.get("/v1/auth/whoami", token=token)).json
    tenant = house.vault.tenancy.tenants[provider.tenant]
    assert seen.pop("token_id").startswith("tok_")
    assert seen == {
        "identity_id": "user:mira@harbor.example",
        "identity_type": "user",
        "display_name": "Mira Quist",
        "tenant_id": tenant.id,
        "partner_id": tenant.partner_id,
        "scopes": ["secrets:list", "secrets:read"],
        "groups": [],
        "roles": [],
        "mfa_verified_at": None,
        "token_expires_at": instant(provider.clock.now() + 600_000_000),
        "token_kind": "user_session",
        "issuer": "corp",
        "allowed_paths": None,
        "ip_ranges": None,
    }
