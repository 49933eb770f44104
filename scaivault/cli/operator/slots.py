"""``operator slots``: the ways in which the vault can be unsealed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import click

from scaivault.cli import ask
from scaivault.cli.failure import Failure, usage
from scaivault.cli.http import SLOW, Api, rows
from scaivault.cli.keepsakes import Keepsakes
from scaivault.cli.operator.credential import Credential, Given, credential_flags, whole
from scaivault.cli.operator.init import new_passphrase, present
from scaivault.cli.operator.shapes import Slot, checked_id, parameters, slots_table
from scaivault.cli.output import Table
from scaivault.cli.session import common_flags, session


@click.group()
@common_flags
def slots() -> None:
    """The ways in which the vault can be unsealed."""


@slots.command("list")
@common_flags
def list_slots() -> None:
    """All slots, when each was last used and verified."""
    current = session()
    answer = current.api().get("/v1/system/slots")
    current.show(answer, slots_table(rows(answer.body, "slots")))


@slots.command()
@click.argument("kind", metavar="TYPE")
@click.option("--label", metavar="S", help="What people call it.")
@click.option("--param", "params", multiple=True, metavar="k=v", help="A setting of the type.")
@click.option("--passphrase-file", metavar="F", help="The new passphrase; else asked for.")
@click.option("--generate", is_flag=True, help="A recovery key instead of a passphrase.")
@click.option("--shares", type=click.IntRange(2, 32), metavar="N", help="Shares to make.")
@click.option("--threshold", type=click.IntRange(2, 32), metavar="K", help="Shares that open it.")
@click.option("--output-dir", metavar="DIR", help="One 0600 file for each secret.")
@common_flags
def add(kind: str, output_dir: str | None, **options: Any) -> None:
    """A new slot. It is opened once before the answer; shares and recovery key are shown once."""
    current = session()
    body = _new_slot(kind, **options)
    with Keepsakes(output_dir) if output_dir else nullcontext() as keepsakes:
        answer = current.api().post("/v1/system/slots", body, timeout=SLOW)
        present(current, answer, keepsakes, slots_table([answer.body]))


@slots.command()
@click.argument("slot_id", metavar="ID")
@credential_flags(slot=False, auto=False)
@common_flags
def verify(slot_id: str, given: Given) -> None:
    """Prove that a slot still opens the vault. Nothing but its date of verification changes."""
    current = session()
    api = current.api()
    path = f"/v1/system/slots/{checked_id(slot_id, 'ID')}/verify"
    answer = api.post(path, _proof(api, slot_id, given), timeout=SLOW)
    body = answer.body
    row = [body.get(name) for name in ("id", "valid", "complete", "shares_valid")]
    current.show(answer, Table(("ID", "VALID", "COMPLETE", "SHARES"), [row]))
    if not body.get("valid"):
        raise Failure(
            "slot_invalid",
            f"{slot_id} does not open with this; try again, then replace it",
        )
    if body.get("complete") is False:
        current.note("These shares are genuine, but too few to prove that the slot opens.")


@slots.command()
@click.argument("slot_id", metavar="ID")
@click.option("--force", is_flag=True, help="Even if no other slot was used or verified.")
@ask.yes_flag
@common_flags
def remove(slot_id: str, force: bool, yes: bool) -> None:
    """Remove a slot for good. The last one, and the last portable one, stay."""
    path = f"/v1/system/slots/{checked_id(slot_id, 'ID')}"
    ask.agreed(f"Remove slot {slot_id}? What opens it will open nothing.", yes=yes)
    current = session()
    query = {"force": "true"} if force else None
    current.show(current.api().call("DELETE", path, query=query))


def _new_slot(
    kind: str,
    label: str | None,
    params: tuple[str, ...],
    passphrase_file: str | None,
    generate: bool,
    shares: int | None,
    threshold: int | None,
) -> dict[str, Any]:
    body: dict[str, Any] = {"type": kind}
    if kind == "passphrase" and generate:
        body["generate"] = True
    elif kind == "passphrase":
        body["passphrase"] = new_passphrase(passphrase_file, label)
    elif passphrase_file or generate:
        raise usage(f"--passphrase-file and --generate are for passphrase slots, not {kind}")
    settings = {name: value for text in params for name, value in parameters(text).items()}
    optional = {"label": label, "shares": shares, "threshold": threshold, "params": settings}
    return {**body, **{name: value for name, value in optional.items() if value}}


def _proof(api: Api, slot_id: str, given: Given) -> Credential:
    """The credential of the slot, as its type asks for it: automatic ones need none."""
    credential = given.read()
    if credential is not None:
        return credential
    slot = find(rows(api.get("/v1/system/slots").body, "slots"), slot_id)
    return {} if slot.get("auto") else whole(given, [slot])


def find(slots: Sequence[Slot], slot_id: str) -> Slot:
    """The slot with this id."""
    for slot in slots:
        if slot.get("id") == slot_id:
            return slot
    raise Failure("slot_not_found", f"there is no slot {slot_id}", 4)
