"""``serve --dev``: a vault to play with, made, opened and told about."""

from __future__ import annotations

import sys

from scaivault.gate.caller import background
from scaivault.ids import timed_id
from scaivault.system.room import System
from scaivault.wire import system as wire


async def found_dev_vault(system: System, token: str | None) -> wire.Initialized:
    """Init with a key file in the throw-away directory, so that no passphrase is stretched."""
    now = system.clock.now()
    caller = background("dev", timed_id("req_", now), now, system.clock.monotonic())
    slot = wire.SlotBody(
        type="keyfile",
        label="dev",
        params={"path": str(system.folder.path / "dev.key"), "create": True},
    )
    system.dev_token = token
    made: wire.Initialized = await system.init(
        caller, wire.Init(wire.InitBody(slots=[slot], recovery=False))
    )
    sys.stdout.write(_told(system.settings.server.base_url, made.root_token))
    sys.stdout.flush()
    return made


def _told(url: str, token: str) -> str:
    json, data = '-H "Content-Type: application/json"', '{"data":{"password":"s3cret"}}'
    bearer = '-H "Authorization: Bearer $SCAIVAULT_TOKEN"'
    return f"""
ScaiVault runs in development mode: everything is gone when it stops. Not for real secrets.

  export SCAIVAULT_URL={url}
  export SCAIVAULT_TOKEN={token}

Try:

  curl -X PUT $SCAIVAULT_URL/v1/secrets/app/db {bearer} {json} -d '{data}'
  curl $SCAIVAULT_URL/v1/secrets/app/db {bearer}
  curl "$SCAIVAULT_URL/v1/secrets?prefix=app/" {bearer}

Stop with Ctrl-C.
"""
