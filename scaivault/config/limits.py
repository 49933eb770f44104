"""``rate_limits``: how many calls a minute each category allows; 0 = no limit."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta
from msgspec.structs import fields

from scaivault.config.sections import Section

PerMinute = Annotated[int, Meta(ge=0, le=10_000_000)]


class RateLimits(Section, frozen=True):
    """One number for each category, counted per identity, or per client address before login."""

    enabled: bool = True
    secrets_read: PerMinute = 1000
    secrets_write: PerMinute = 100
    secrets_delete: PerMinute = 100
    secrets_list: PerMinute = 100
    batch_read: PerMinute = 100
    batch_metadata: PerMinute = 100
    audit_query: PerMinute = 50
    audit_export: PerMinute = 5
    policy_ops: PerMinute = 50
    policy_test: PerMinute = 200
    pki_issue: PerMinute = 50
    pki_admin: PerMinute = 20
    pki_read: PerMinute = 100
    acme_order: PerMinute = 30
    dns_admin: PerMinute = 20
    webhook_ops: PerMinute = 20
    federation_ops: PerMinute = 20
    subscription_ops: PerMinute = 20
    subscription_poll: PerMinute = 240
    dynamic_generate: PerMinute = 100
    dynamic_admin: PerMinute = 20
    lease_ops: PerMinute = 100
    identity_read: PerMinute = 100
    identity_sync: PerMinute = 5
    identity_admin: PerMinute = 50
    auth_tokens: PerMinute = 50
    auth_info: PerMinute = 300
    rotation_admin: PerMinute = 50
    secret_policy_admin: PerMinute = 50
    system_admin: PerMinute = 20
    auth_grant: PerMinute = 60
    unseal: PerMinute = 10
    auth_failed: PerMinute = 60

    def per_minute(self) -> dict[str, int]:
        """Category -> calls a minute; all 0 when limits are switched off."""
        names = [field.name for field in fields(self) if field.name != "enabled"]
        return {name: getattr(self, name) if self.enabled else 0 for name in names}
