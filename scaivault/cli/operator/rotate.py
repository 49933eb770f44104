"""``operator rotate-root`` and ``operator rotate-key``."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Final

import click

from scaivault.cli import ask
from scaivault.cli.failure import usage
from scaivault.cli.http import SLOW, Answer, Api, rows
from scaivault.cli.keepsakes import Keepsakes
from scaivault.cli.operator.credential import Credential, Given, whole
from scaivault.cli.operator.init import present
from scaivault.cli.operator.shapes import Slot, checked_id
from scaivault.cli.output import Table, note
from scaivault.cli.session import Session, common_flags, session

# Rewriting every page of a large database; all requests wait meanwhile.
_REKEY: Final = 3600.0
# Seconds between looks at a running rotation: soon at first, then rarely.
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 5.0


@click.command()
@click.option(
    "--drop-slot", "drop", multiple=True, metavar="ID", help="Do not carry this slot over."
)
@click.option(
    "--credential-file",
    "files",
    multiple=True,
    metavar="ID=F",
    help="Passphrase of slot ID, or its shares one a line; else asked for.",
)
@click.option("--rekey-file", is_flag=True, help="Rewrite the database file with a new key too.")
@click.option("--reason", metavar="S", help="For the audit trail.")
@click.option("--output-dir", metavar="DIR", help="One 0600 file for each new share.")
@click.option("--yes", is_flag=True, help="Do not ask before slots are dropped.")
@common_flags
def rotate_root(
    drop: tuple[str, ...],
    files: tuple[str, ...],
    rekey_file: bool,
    reason: str | None,
    output_dir: str | None,
    yes: bool,
) -> None:
    """A new root key. Each passphrase and each Shamir slot must be opened once, or be dropped.

    Shamir slots get new shares, shown once; the old ones open nothing any more.
    """
    current = session()
    if drop:
        ask.agreed(f"Drop {', '.join(drop)}? What opens them will open nothing.", yes=yes)
    api = current.api()
    listed = rows(api.get("/v1/system/slots").body, "slots")
    credentials = _credentials(listed, drop, _by_slot(files))
    body = {"credentials": credentials, "drop_slots": list(drop), "rekey_file": rekey_file}
    if reason:
        body["reason"] = reason
    with Keepsakes(output_dir) if output_dir else nullcontext() as keepsakes:
        timeout = _REKEY if rekey_file else SLOW
        answer = api.post("/v1/system/rotate-root", body, timeout=timeout)
        present(current, answer, keepsakes, _root_table(answer.body))


@click.command()
@click.option("--tenant", metavar="ID", help="The tenant whose key is replaced.")
@click.option("--partner", metavar="ID", help="The partner whose key is replaced.")
@click.option("--wait", is_flag=True, help="Until every data key is wrapped anew.")
@common_flags
def rotate_key(tenant: str | None, partner: str | None, wait: bool) -> None:
    """A new key for a tenant or a partner. New versions use it at once; the old key is
    destroyed when no data key needs it any more."""
    if (tenant is None) == (partner is None):
        raise usage("give one of --tenant ID and --partner ID")
    kind, key = ("tenants", tenant) if tenant is not None else ("partners", partner)
    path = f"/v1/system/{kind}/{checked_id(key or '', f'--{kind[:-1]}')}/rotate-key"
    current = session()
    api = current.api()
    answer = api.post(path, timeout=SLOW)
    if wait:
        answer = follow(current, api, path, answer)
    current.show(answer, _key_table(answer.body))


def follow(
    current: Session,
    api: Api,
    path: str,
    answer: Answer,
    pause: Callable[[float], None] = time.sleep,
) -> Answer:
    """Look again, at growing intervals, until the rotation is done. Ctrl-C ends only the
    looking."""
    seconds = _FIRST_PAUSE
    while answer.body.get("status") == "rewrapping":
        remaining, total = answer.body.get("deks_remaining"), answer.body.get("deks_total")
        current.note(f"{remaining} of {total} data keys remain")
        pause(seconds)
        seconds = min(seconds * 1.5, _LONGEST_PAUSE)
        answer = api.get(path)
    return answer


def _by_slot(files: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for text in files:
        slot_id, equals, name = text.partition("=")
        if not equals or not name or slot_id in pairs:
            raise usage("--credential-file takes ID=F, once for a slot")
        pairs[slot_id] = name
    return pairs


def _credentials(
    slots: Sequence[Slot], drop: Sequence[str], files: Mapping[str, str]
) -> list[Credential]:
    """One for each slot that cannot re-wrap by itself and is not dropped."""
    known = {str(slot.get("id")) for slot in slots}
    unknown = [slot_id for slot_id in (*drop, *files) if slot_id not in known]
    if unknown:
        raise usage(f"there is no slot {unknown[0]}; see: scaivault operator slots list")
    return [
        _credential(slot, files.get(str(slot.get("id"))))
        for slot in slots
        if slot.get("type") in ("passphrase", "shamir") and slot.get("id") not in drop
    ]


def _credential(slot: Slot, file: str | None) -> Credential:
    slot_id = str(slot.get("id"))
    if file is None:
        note(f"Slot {slot_id} ({slot.get('label')}):")
        return whole(Given(slot_id), [slot])
    if slot.get("type") == "shamir":
        return Given(slot_id, share_files=(file,)).read() or {}
    return Given(slot_id, passphrase_file=file).read() or {}


def _root_table(body: Mapping[str, Any]) -> Table:
    fields = ("root_key_version", "slots_rewrapped", "slots_dropped")
    return Table(("ROOT KEY", "REWRAPPED", "DROPPED"), [[body.get(field) for field in fields]])


def _key_table(body: Mapping[str, Any]) -> Table:
    fields = ("key_version", "previous_version", "status", "deks_total", "deks_remaining")
    owner = body.get("tenant_id") or body.get("partner_id")
    return Table(
        ("OWNER", "KEY", "BEFORE", "STATUS", "DATA KEYS", "REMAINING"),
        [[owner, *(body.get(field) for field in fields)]],
    )
