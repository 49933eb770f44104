"""``audit secret``, ``identity`` and ``summary``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import click

from scaivault.cli.audit.shapes import rows_table, time_flags
from scaivault.cli.completion import complete_path
from scaivault.cli.http import Answer
from scaivault.cli.output import Table
from scaivault.cli.session import Session, client_flags, session
from scaivault.cli.tables import facts


@click.command()
@click.argument("path", metavar="PATH", shell_complete=complete_path)
@time_flags
@click.option("--all", "every", is_flag=True, help="All pages.")
@client_flags
def secret(path: str, from_: str | None, to: str | None, every: bool) -> None:
    """What was done with a secret, newest first, also one that is gone.

    At a terminal, totals of the last 30 days stand above.
    """
    current = session()
    vault = current.vault()
    trail = vault.client.audit.secret
    answer = vault.pages(trail, "logs", path, every=every, from_=from_, to=to)
    _show_trail(current, answer)


@click.command()
@click.argument("identity_id", metavar="IDENTITY")
@time_flags
@click.option("--all", "every", is_flag=True, help="All pages.")
@client_flags
def identity(identity_id: str, from_: str | None, to: str | None, every: bool) -> None:
    """What an identity did, newest first, in other tenants too.

    At a terminal, totals stand above.
    """
    current = session()
    vault = current.vault()
    trail = vault.client.audit.identity
    answer = vault.pages(trail, "logs", identity_id, every=every, from_=from_, to=to)
    _show_trail(current, answer)


@click.command()
@time_flags
@client_flags
def summary(from_: str | None, to: str | None) -> None:
    """Totals of a time, else of the last 30 days."""
    current = session()
    vault = current.vault()
    answer = vault.ask(vault.client.audit.summary, from_, to)
    current.show(answer, _totals(answer.body))


def _show_trail(current: Session, answer: Answer) -> None:
    table = rows_table(answer.body)
    totals = answer.body.get("summary")
    if sys.stdout.isatty() and isinstance(totals, dict):
        current.show_page(answer, _totals(totals), table)
    else:
        current.show_page(answer, table)


def _totals(body: Mapping[str, Any]) -> Table:
    return facts({name: _counted(value) for name, value in body.items()})


def _counted(value: Any) -> Any:
    """``read=40,list=17`` for counts; ``sa:a=9,sa:b=4`` for the busiest."""
    if isinstance(value, dict):
        return [f"{name}={count}" for name, count in value.items()]
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        return ["=".join(str(part) for part in each.values()) for each in value]
    return value
