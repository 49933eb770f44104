"""ScaiKey as a sender of webhooks."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
from pathlib import Path
from typing import Any

from scaivault.clock import SECOND, instant
from tests.support.house import Answer, House

WHERE = "/v1/identity/webhooks/scaikey"
SECRET = "sk-receiver-secret"
PARTNER, TENANT = "ptn_acme", "tnt_acme"


def mac(secret: str, time: str, body: bytes) -> str:
    return hmac.new(secret.encode(), time.encode() + b"." + body, hashlib.sha256).hexdigest()


def signed(house: House, body: bytes, *, late: int = 0, secret: str = SECRET) -> str:
    """The header. ``late``: seconds between the signing and now."""
    time = str(house.clock.now() // SECOND - late)
    return f"t={time},v1={mac(secret, time, body)}"


async def post(house: House, body: bytes, signature: str | None, **more: Any) -> Answer:
    headers = {} if signature is None else {"X-ScaiKey-Signature": signature}
    return await house.call("POST", WHERE, raw=body, token=None, headers=headers, **more)


class ScaiKey:
    """Sends events of the partner and tenant ``acme``, which ``found`` brings to life."""

    def __init__(self, house: House) -> None:
        self.house = house
        self._numbers = itertools.count(1)

    @staticmethod
    def settings(folder: Path) -> dict[str, Any]:
        """Flags of a house whose secret lies in a file."""
        file = folder / "scaikey.secret"
        file.write_text(SECRET + "\n")
        return {"identity__scaikey_webhook_secret_file": str(file)}

    def envelope(
        self, kind: str, about: str, data: dict[str, Any] | None = None, **changed: Any
    ) -> dict[str, Any]:
        """``at``: seconds before or after now."""
        at = self.house.clock.now() + changed.pop("at", 0) * SECOND
        usual = {
            "event_id": f"evt_{next(self._numbers)}",
            "event_type": kind,
            "timestamp": instant(at),
            "resource": {"type": kind.partition(".")[0], "id": about},
            "actor": {"id": "usr_admin", "type": "user"},
            "data": data or {},
            "tenant_id": None if kind.startswith("partner.") else TENANT,
            "partner_id": PARTNER,
        }
        return usual | changed

    async def send(self, kind: str, about: str, **more: Any) -> str:
        """An event; what became of it. Fields of the envelope and ``at`` by name, all else is
        data."""
        named = ("at", "event_id", "tenant_id", "partner_id", "timestamp")
        outer = {name: more.pop(name) for name in named if name in more}
        return await self.deliver(self.envelope(kind, about, more, **outer))

    async def deliver(self, envelope: dict[str, Any]) -> str:
        body = json.dumps(envelope).encode()
        answer = await post(self.house, body, signed(self.house, body))
        assert answer.status == 200, answer.body
        status: str = answer.json["status"]
        return status

    async def found(self) -> None:
        assert await self.send("partner.created", PARTNER, name="Acme", slug="acme") == "applied"
        assert await self.send("tenant.created", TENANT, name="Acme", slug="main") == "applied"

    async def user(self, about: str, email: str, **more: Any) -> str:
        return await self.send("user.created", about, email=email, name=about, **more)
