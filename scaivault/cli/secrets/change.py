"""``secrets delete``, ``restore`` and ``update``."""

from __future__ import annotations

from typing import Any

import click

from scaivault.cli import ask
from scaivault.cli.failure import usage
from scaivault.cli.secrets.shapes import facts_table, partner_flag, path_argument, row_table
from scaivault.cli.session import client_flags, session


@click.command()
@path_argument()
@click.option("--hard", is_flag=True, help="For good: nothing can be restored.")
@click.option("--version", type=click.IntRange(1), metavar="N", help="Only this version, for good.")
@ask.yes_flag
@partner_flag
@client_flags
def delete(path: str, hard: bool, version: int | None, yes: bool, partner: bool) -> None:
    """Delete a secret. It can be restored for a time, unless with --hard.

    Asks first; without a terminal it needs --yes.
    """
    if hard and version is not None:
        raise usage("--version is for good already; use it without --hard")
    what = f"version {version} of {path}" if version else path
    ask.agreed(f"Delete {what}{' for good' if hard or version else ''}?", yes=yes)
    current = session()
    vault = current.vault()
    delete_it = vault.secrets(partner).delete
    answer = vault.ask(delete_it, path, permanent=hard, version=version)
    current.show(answer, row_table(answer.body, "path", "permanent", "recoverable_until"))


@click.command()
@path_argument()
@partner_flag
@client_flags
def restore(path: str, partner: bool) -> None:
    """Take a deleted secret back, with its versions and metadata."""
    current = session()
    vault = current.vault()
    answer = vault.ask(vault.secrets(partner).restore, path)
    current.show(answer, facts_table(answer.body))


@click.command()
@path_argument()
@click.option("--tag", "tags", multiple=True, metavar="T", help="A tag; all others go.")
@click.option("--owner", metavar="O", help="Who answers for it.")
@click.option("--description", metavar="S", help="What it is for.")
@click.option("--max-versions", type=click.IntRange(1, 100), metavar="N", help="Versions to keep.")
@partner_flag
@client_flags
def update(
    path: str,
    tags: tuple[str, ...],
    owner: str | None,
    description: str | None,
    max_versions: int | None,
    partner: bool,
) -> None:
    """Change what is known about a secret, not its value.

    What is not named stays. An empty text ('') removes an entry, or all tags.
    """
    metadata: dict[str, Any] = {}
    if tags:
        metadata["tags"] = [tag for tag in tags if tag]
    for name, text in (("owner", owner), ("description", description)):
        if text is not None:
            metadata[name] = text or None
    options = {"max_versions": max_versions} if max_versions is not None else None
    if not metadata and options is None:
        raise usage("name what to change: --tag, --owner, --description or --max-versions")
    current = session()
    vault = current.vault()
    change = vault.secrets(partner).update_metadata
    answer = vault.ask(change, path, metadata or None, options=options)
    current.show(answer, facts_table(answer.body))
