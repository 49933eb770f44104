"""The receiver of ScaiKey's webhooks: whose signature counts, what was taken already."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Final

from scaivault.clock import parse_instant
from scaivault.errors import Refusal
from scaivault.gate.caller import Caller
from scaivault.gate.gate import Act, Gate
from scaivault.gate.transaction import Transaction
from scaivault.identity.authentication import Authentication
from scaivault.identity.sync import signature, store
from scaivault.identity.sync.events import Events
from scaivault.wire import strict
from scaivault.wire import sync as wire
from scaivault.wire.faults import decode

log = logging.getLogger("scaivault.identity.sync")

_SECRET_MOST: Final = 4096


class Receiver:
    """One per open vault. ``secret_file``: None where none is configured; it is read for each
    event, so that a new secret needs no restart."""

    def __init__(
        self,
        gate: Gate,
        authentication: Authentication,
        events: Events,
        secret_file: Path | None,
    ) -> None:
        self.gate: Final = gate
        self._authentication: Final = authentication
        self._events: Final = events
        self._secret_file: Final = secret_file

    async def receive(self, caller: Caller, request: wire.ScaiKeyCall) -> wire.Received:
        """News of ScaiKey about partners, tenants, users and groups. The signature of the body is
        the credential; an event that was taken within seven days changes nothing."""
        event = await self._genuine(caller, request)

        def take(tx: Transaction) -> wire.Received:
            result = "duplicate"
            if not store.was_taken(tx, event.event_id):
                result = self._events.take(tx, event)
                tx.then(self._authentication.forget)
            tx.note(event_id=event.event_id, event_type=event.event_type, result=result)
            return wire.Received(result)

        return await self.gate.change(caller, Act("identity_webhook"), take)

    async def _genuine(self, caller: Caller, request: wire.ScaiKeyCall) -> wire.ScaiKeyEvent:
        """The event, once its signature is proven; nothing of a body is read before."""
        secret = await asyncio.to_thread(self._secret)
        signed = signature.parse(request.x_scaikey_signature or "")
        body = bytes(request.body)
        if signed is None or not signature.is_genuine(signed, secret, body):
            raise _unproven("this call needs a good X-ScaiKey-Signature")
        if not signature.is_fresh(signed, caller.now):
            raise _unproven("the signature is older or newer than 5 minutes")
        return _event(body)

    def _secret(self) -> bytes:
        if self._secret_file is None:
            raise Refusal(
                "service_unavailable",
                "identity.scaikey_webhook_secret_file is not configured",
                reason="not_configured",
            )
        try:
            with self._secret_file.open("rb") as file:
                secret = file.read(_SECRET_MOST + 1).strip()
        except OSError as error:
            log.error("identity.scaikey_webhook_secret_file: %s", error.strerror)
            secret = b""
        if not 0 < len(secret) <= _SECRET_MOST:
            raise Refusal(
                "service_unavailable",
                "identity.scaikey_webhook_secret_file has no secret that can be read",
                reason="no_secret",
            )
        return secret


def _unproven(message: str) -> Refusal:
    return Refusal("token_invalid", message)


def _event(body: bytes) -> wire.ScaiKeyEvent:
    """The envelope; ``invalid_request`` for anything else."""
    compact = strict.check(body)
    try:
        event = decode(compact, wire.ScaiKeyEvent)
        parse_instant(event.timestamp)
    except Refusal as refusal:
        raise _no_event(refusal.message) from None
    except ValueError as error:
        raise _no_event(f"timestamp: {error}") from None
    return event


def _no_event(why: str) -> Refusal:
    message = f"the body is no event of ScaiKey: {why}"
    return Refusal("invalid_request", message, reason="envelope")
