"""``audit logs``: search the log, or see it grow."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from scaivault.cli.audit.shapes import filter_flags, filters_of, line, rows_table, time_flags
from scaivault.cli.failure import usage
from scaivault.cli.http import rows
from scaivault.cli.output import Table, as_document, tabbed
from scaivault.cli.session import Session, client_flags, session

if TYPE_CHECKING:
    from scaivault.cli.vault import Vault

# Seconds between two looks. The server takes 50 queries a minute from one identity.
_PAUSE: Final = 3.0
_SHOWN_FIRST: Final = 20

Row = dict[str, Any]


@click.command()
@time_flags
@filter_flags
@click.option(
    "--scope",
    type=click.Choice(("tenant", "partner", "vault")),
    help="`vault`: rows of no tenant, refused tokens too.",
)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="At most so many a page.")
@click.option("--follow", is_flag=True, help="Go on with new rows, until Ctrl-C.")
@click.option("--all", "every", is_flag=True, help="All pages.")
@client_flags
def logs(
    from_: str | None,
    to: str | None,
    scope: str | None,
    limit: int | None,
    follow: bool,
    every: bool,
    **wanted: Any,
) -> None:
    """Search the log, newest row first.

    With --follow rows come in the order in which they were written, from the newest 20 (or --from)
    on; with --json, one document a line. The rows of its own looking are left out.
    """
    current = session()
    vault = current.vault()
    filters = {**filters_of(**wanted), "from_": from_, "scope": scope}
    if follow:
        if to is not None or every:
            raise usage("--follow has no end: not with --to or --all")
        _follow(current, vault, {**filters, "limit": limit})
        return
    found = vault.client.audit.logs
    answer = vault.pages(found, "logs", every=every, **filters, to=to, limit=limit)
    current.show_page(answer, rows_table(answer.body))


def _follow(current: Session, vault: Vault, filters: Mapping[str, Any]) -> None:
    try:
        for row in _rows(vault, filters):
            if current.json:
                as_document(row)
            else:
                sys.stdout.write(tabbed(Table((), [line(row)])) + "\n")
            sys.stdout.flush()
    except KeyboardInterrupt:
        return


def _rows(vault: Vault, filters: Mapping[str, Any]) -> Iterator[Row]:
    """Rows in the order of the chain, each once, without end."""
    newest, own = 0, set[str]()
    while True:
        fresh, asked = _since(vault, filters, newest)
        for row in fresh:
            newest = max(newest, row["seq"])
            if row.get("request_id") not in own:
                yield row
        # Each look leaves a row, which the next look would find.
        own = asked
        time.sleep(_PAUSE)


def _since(vault: Vault, filters: Mapping[str, Any], newest: int) -> tuple[list[Row], set[str]]:
    """Rows after ``newest``, the oldest first, and the ids of the requests that asked for them.

    Pages go from the newest row back: times need not rise with the chain, numbers do.
    """
    found: list[Row] = []
    asked: set[str] = set()
    first = newest == 0 and filters["from_"] is None
    wanted = {**filters, "limit": filters["limit"] or (_SHOWN_FIRST if first else None)}
    answer, page = vault.page(vault.client.audit.logs, **wanted)
    while True:
        asked |= vault.request_ids
        fresh = [row for row in rows(answer.body, "logs") if row["seq"] > newest]
        found += fresh
        if first or not page.has_more or len(fresh) < len(page):
            return found[::-1], asked
        answer, page = vault.page(page.next_page)
