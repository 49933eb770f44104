"""``client.partner``: what belongs to the partner of the acting tenant."""

from __future__ import annotations

from scaivault_sdk._async.base import Caller
from scaivault_sdk._async.cached import CachedReads
from scaivault_sdk._async.secrets import Secrets


class Partner:
    """Partner-wide secrets: read by every tenant of the partner, written by its administrators."""

    def __init__(self, caller: Caller, cached: CachedReads | None) -> None:
        self.secrets = Secrets(caller, "/v1/partner/secrets", cached)
