"""The parts of this room, put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from scaivault.config.identity import Identity as Settings
from scaivault.config.identity import Issuer
from scaivault.gate.gate import Gate
from scaivault.identity.authentication import Authentication
from scaivault.identity.outside.circles import Circles
from scaivault.identity.outside.events import Events
from scaivault.identity.outside.people import People
from scaivault.identity.outside.places import Places
from scaivault.identity.outside.receiver import Receiver
from scaivault.identity.outside.run import Lend, SyncRun
from scaivault.identity.outside.runs import Sync
from scaivault.identity.revoking import Revoking
from scaivault.tenancy import Tenancy

_SCAIKEY: Final = "scaikey"


class Outside:
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
        people, circles = People(revoking, settings.issuers), Circles(authentication)
        events = Events(_name(settings.issuers), tenancy, people, circles, Places(tenancy))
        secret_file = settings.scaikey_webhook_secret_file
        self.receiver: Final = Receiver(gate, authentication, events, secret_file)
        self.sync: Final = Sync(gate, tenancy)
        self.run: Final = SyncRun(
            gate, tenancy, authentication, people, circles, settings.issuers, lend=lend,
            closing=closing,
        )  # fmt: skip


def _name(issuers: tuple[Issuer, ...]) -> str:
    """What ScaiKey is called: as its issuer in the configuration is."""
    return next((one.name for one in issuers if one.type == _SCAIKEY), _SCAIKEY)
