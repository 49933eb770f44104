"""``secrets list``, ``versions`` and ``expiring``."""

from __future__ import annotations

from typing import Any

import click

from scaivault.cli.completion import complete_path
from scaivault.cli.secrets.shapes import TYPES, partner_flag, path_argument
from scaivault.cli.session import client_flags, session
from scaivault.cli.tables import list_of

_COLUMNS = {
    "PATH": "path", "TYPE": "secret_type", "VERSION": "version", "UPDATED": "updated_at",
    "EXPIRES": "expires_at", "TAGS": "tags",
}  # fmt: skip


@click.command("list")
@click.option("--prefix", metavar="P", shell_complete=complete_path, help="Paths that begin so.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="At most so many a page.")
@click.option("--tag", "tags", multiple=True, metavar="T", help="Only with this tag.")
@click.option("--type", "secret_type", type=click.Choice(TYPES), help="Only of this type.")
@click.option("--expired", is_flag=True, help="Also those that are expired.")
@click.option("--deleted", is_flag=True, help="Also those that can still be restored.")
@click.option("--metadata", is_flag=True, help="All facts of each, with --json.")
@click.option("--all", "every", is_flag=True, help="All pages.")
@partner_flag
@client_flags
def list_(partner: bool, every: bool, tags: tuple[str, ...], **options: Any) -> None:
    """What there is, in the order of paths. Values are not shown."""
    current = session()
    vault = current.vault()
    filters = {
        "prefix": options["prefix"],
        "tag": list(tags) or None,
        "secret_type": options["secret_type"],
        "include_expired": options["expired"],
        "include_deleted": options["deleted"],
        "include_metadata": options["metadata"],
        "limit": options["limit"],
    }
    answer = vault.pages(vault.secrets(partner).list, "secrets", every=every, **filters)
    current.show_page(answer, list_of(answer.body, "secrets", _COLUMNS))


@click.command()
@path_argument()
@partner_flag
@client_flags
def versions(path: str, partner: bool) -> None:
    """The stored versions, newest first."""
    current = session()
    vault = current.vault()
    answer = vault.ask(vault.secrets(partner).versions, path)
    columns = {"VERSION": "version", "CREATED": "created_at", "CURRENT": "is_current"}
    current.show(answer, list_of(answer.body, "versions", columns))


@click.command()
@click.option("--days", type=click.IntRange(1, 3650), metavar="N", help="Within N days, else 30.")
@click.option("--prefix", metavar="P", shell_complete=complete_path, help="Paths that begin so.")
@partner_flag
@client_flags
def expiring(days: int | None, prefix: str | None, partner: bool) -> None:
    """What is over soon, soonest first."""
    current = session()
    vault = current.vault()
    answer = vault.whole(vault.secrets(partner).expiring, "secrets", days or 30, prefix=prefix)
    columns = {"PATH": "path", "EXPIRES": "expires_at", "DAYS": "days_remaining"}
    current.show(answer, list_of(answer.body, "secrets", columns))
