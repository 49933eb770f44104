"""``operator init``: make a vault, and bring its keys to those who will keep them."""

from __future__ import annotations

import os
import re
from contextlib import nullcontext
from typing import Any

import click

from scaivault.cli import ask
from scaivault.cli.failure import usage
from scaivault.cli.http import SLOW, Answer
from scaivault.cli.keepsakes import Keepsakes, shown_once, table_of, without_once
from scaivault.cli.operator.shapes import parameters
from scaivault.cli.output import Table, as_document, show
from scaivault.cli.session import Session, common_flags, session


@click.command()
@click.option("--passphrase", is_flag=True, help="A passphrase slot; it is asked for.")
@click.option("--passphrase-file", metavar="F", help="A passphrase slot, from a file.")
@click.option("--shares", type=click.IntRange(2, 32), metavar="N", help="A slot of N shares.")
@click.option("--threshold", type=click.IntRange(2, 32), metavar="K", help="K of them open it.")
@click.option("--tpm2", is_flag=True, hidden=True, help="A slot of this machine's TPM.")
@click.option("--keyfile", metavar="F", help="A key file slot; made when missing.")
@click.option("--slot", "slots", multiple=True, metavar="TYPE:k=v,…", help="Any other slot.")
@click.option("--no-recovery", is_flag=True, help="No recovery key.")
@click.option("--partner", metavar="S", help="Name of the first partner.")
@click.option("--tenant", metavar="S", help="Name of the first tenant.")
@click.option(
    "--root-token-ttl",
    metavar="D",
    help="Life of the root token; 90d, or identity.pat_max_ttl if that is less.",
)
@click.option("--output-dir", metavar="DIR", help="One 0600 file for each secret.")
@common_flags
def init(output_dir: str | None, **options: Any) -> None:
    """Make a new vault.

    Without any slot option a recovery key alone opens it. Shares, recovery key and root token
    are shown this once, or written to files with --output-dir (then nothing of them is shown,
    with --json neither).
    """
    current = session()
    body = _body(**options)
    with Keepsakes(output_dir) if output_dir else nullcontext() as keepsakes:
        answer = current.api().post("/v1/system/init", body, timeout=SLOW)
        present(current, answer, keepsakes, _vault_table(answer.body))


def present(current: Session, answer: Answer, keepsakes: Keepsakes | None, table: Table) -> None:
    """Show an answer that holds secrets once: with them, or with the files they went to."""
    secrets = shown_once(answer.body)
    if keepsakes is None or not secrets:
        current.show(answer, table, table_of(secrets))
        if secrets and not current.json:
            current.note("Keep these values now: they are not shown again.")
        return
    files = [str(path) for path in keepsakes.keep(secrets)]
    if current.json:
        as_document({**without_once(answer.body), "files": files})
    else:
        show(table, Table(("FILE",), [[name] for name in files]))


def _vault_table(body: dict[str, Any]) -> Table:
    fields = ("vault_id", "partner_id", "tenant_id", "sealed", "root_token_expires_at")
    return Table(
        ("VAULT", "PARTNER", "TENANT", "SEALED", "ROOT TOKEN UNTIL"),
        [[body.get(field) for field in fields]],
    )


def _body(
    passphrase: bool,
    passphrase_file: str | None,
    shares: int | None,
    threshold: int | None,
    tpm2: bool,
    keyfile: str | None,
    slots: tuple[str, ...],
    no_recovery: bool,
    partner: str | None,
    tenant: str | None,
    root_token_ttl: str | None,
) -> dict[str, Any]:
    if (shares is None) != (threshold is None):
        raise usage("--shares and --threshold go together")
    asked: list[dict[str, Any]] = []
    if passphrase or passphrase_file:
        asked.append({"type": "passphrase", "passphrase": new_passphrase(passphrase_file)})
    if shares is not None:
        asked.append({"type": "shamir", "shares": shares, "threshold": threshold})
    if tpm2:
        asked.append({"type": "tpm2"})
    if keyfile:
        asked.append(_keyfile(keyfile))
    asked.extend(slot_asked(text) for text in slots)
    body: dict[str, Any] = {"slots": asked} if asked else {}
    if no_recovery:
        body["recovery"] = False
    for field, name in (("partner", partner), ("tenant", tenant)):
        if name:
            body[field] = {"name": name, "slug": _slug(name)}
    if root_token_ttl:
        body["root_token_ttl"] = root_token_ttl
    return body


def slot_asked(text: str) -> dict[str, Any]:
    """``TYPE:k=v,…`` -> a slot of the request. ``label``, ``shares`` and ``threshold`` are the
    slot's own; the rest are its params. A passphrase is asked for, never part of the text."""
    kind, _, rest = text.partition(":")
    params = parameters(rest)
    if "passphrase" in params:
        raise usage("a passphrase is never an argument; leave it out and it is asked for")
    slot: dict[str, Any] = {"type": kind}
    for own in ("label", "shares", "threshold"):
        if own in params:
            slot[own] = str(params.pop(own)) if own == "label" else params.pop(own)
    if kind == "passphrase":
        slot["passphrase"] = new_passphrase(None, slot.get("label"))
    if params:
        slot["params"] = params
    return slot


def new_passphrase(file: str | None, label: str | None = None) -> str:
    """A passphrase for a slot to be: from the file, or typed twice."""
    if file is not None:
        return ask.from_file(file)
    prompt = f"New passphrase for {label}" if label else "New passphrase"
    return ask.hidden(prompt, instead="--passphrase-file", confirm=True)


def _keyfile(name: str) -> dict[str, Any]:
    path = os.path.abspath(name)
    return {"type": "keyfile", "params": {"path": path, "create": not os.path.lexists(path)}}


def _slug(name: str) -> str:
    """What the server takes as slug: ``[a-z0-9-]{2,40}``; it says so when too little is left."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
