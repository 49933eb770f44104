"""The parts of this room, put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from scaivault.config.identity import Identity as Settings
from scaivault.config.identity import Issuer
from scaivault.gate.gate import Gate
from scaivault.identity.authentication import Authentication
from scaivault.identity.people.revoking import Revoking
from scaivault.identity.sync.events import Events
from scaivault.identity.sync.groups import Groups
from scaivault.identity.sync.people import People
from scaivault.identity.sync.places import Places
from scaivault.identity.sync.receiver import Receiver
from scaivault.identity.sync.run import Lend, SyncRun
from scaivault.identity.sync.runs import Sync
from scaivault.tenancy import Tenancy

_SCAIKEY: Final = "scaikey"


class Synchronization:
    """One per open vault. ``lend``: reads a secret for the vault itself; ``closing``: whether to
    stop."""

    def __init__(
        self,
        gate: Gate,
        tenancy: Tenancy,
        authentication: Authentication,
        revoking: Revoking,
        settings: Settings,
        *,
        lend: Lend,
        closing: Callable[[], bool],
    ) -> None:
        people, groups = People(revoking, settings.issuers), Groups(authentication)
        events = Events(_name(settings.issuers), tenancy, people, groups, Places(tenancy))
        secret_file = settings.scaikey_webhook_secret_file
        self.receiver: Final = Receiver(gate, authentication, events, secret_file)
        self.sync: Final = Sync(gate, tenancy)
        self.run: Final = SyncRun(
            gate, tenancy, authentication, people, groups, settings.issuers, lend=lend,
            closing=closing,
        )  # fmt: skip


def _name(issuers: tuple[Issuer, ...]) -> str:
    """What ScaiKey is called: as its issuer in the configuration is."""
    return next((one.name for one in issuers if one.type == _SCAIKEY), _SCAIKEY)
