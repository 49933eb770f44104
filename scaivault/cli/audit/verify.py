"""``audit verify``: the chain, checked by the server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from scaivault.cli.audit.shapes import time_flags
from scaivault.cli.failure import DAMAGE, GENERAL, usage
from scaivault.cli.http import Answer
from scaivault.cli.output import as_json
from scaivault.cli.session import client_flags, session
from scaivault.cli.tables import facts, list_of

_ADDED = ("rows_checked", "rows_pruned", "checkpoints_checked")
_FACTS = (
    *("valid", "complete", "first_seq", "last_seq", *_ADDED),
    *("unsigned_tail", "head", "last_checkpoint"),
)


@click.command()
@time_flags
@click.option("--from-seq", type=click.IntRange(1), metavar="N", help="From this row on.")
@click.option("--to-seq", type=click.IntRange(1), metavar="N", help="Up to this row.")
@click.option("--expect", metavar="SEQ:HASH", help="A head noted earlier, outside the vault.")
@client_flags
def verify(
    from_: str | None, to: str | None, from_seq: int | None, to_seq: int | None, expect: str | None
) -> int:
    """Check the chain of the log, to its end; exit 7 on damage, 1 when a range of times is too long
    for one answer.

    A server that was taken over could answer anything: `operator audit-verify` checks its files.
    """
    if (from_ or to) and (from_seq or to_seq):
        raise usage("give numbers or times, not both")
    current = session()
    vault = current.vault()
    check = vault.client.audit.verify
    numbers = {"from_seq": from_seq, "to_seq": to_seq}
    parts = [vault.ask(check, from_=from_, to=to, expect=expect, **numbers)]
    # One answer covers a million rows. Numbers cannot go on where times were asked for.
    while parts[-1].body.get("complete") is False and not (from_ or to):
        following = parts[-1].body.get("next_seq")
        parts.append(vault.ask(check, from_seq=following, to_seq=to_seq, expect=expect))
    whole = _whole(parts)
    told = facts({name: whole.body.get(name) for name in _FACTS})
    columns = {"PROBLEM": "kind", "SEQ": "seq", "DETAIL": "detail"}
    current.show(whole, told, list_of(whole.body, "problems", columns))
    if whole.body.get("valid") is not True:
        return DAMAGE
    if whole.body.get("complete") is False:
        current.note(f"row {whole.body.get('next_seq')} and later ones were not checked")
        return GENERAL
    return 0


def _whole(parts: list[Answer]) -> Answer:
    """Several answers as one report."""
    if len(parts) == 1:
        return parts[0]
    bodies: list[Mapping[str, Any]] = [part.body for part in parts]
    body = {
        **bodies[-1],
        **{name: sum(each.get(name, 0) for each in bodies) for name in _ADDED},
        "valid": all(each.get("valid") is True for each in bodies),
        "first_seq": bodies[0].get("first_seq"),
        "problems": [problem for each in bodies for problem in each.get("problems", ())],
    }
    return Answer(parts[-1].status, as_json(body), body)
