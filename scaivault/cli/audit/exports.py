"""``audit export`` and ``audit exports``."""

from __future__ import annotations

from typing import Any

import click

from scaivault.cli.audit.shapes import filter_flags, filters_of
from scaivault.cli.failure import usage
from scaivault.cli.secrets.shapes import row_table
from scaivault.cli.session import client_flags, session
from scaivault.cli.tables import list_of
from scaivault.cli.values import given, json_object

_KINDS = click.Choice(("file", "s3", "gcs", "azure_blob"))
_COLUMNS = {
    "ID": "export_id", "STATUS": "status", "FORMAT": "format", "RECORDS": "records",
    "CREATED": "created_at", "ERROR": "error",
}  # fmt: skip


@click.command()
@click.option("--from", "from_", required=True, metavar="TIME", help="From this time on.")
@click.option("--to", required=True, metavar="TIME", help="Before this time.")
@click.option("--format", "form", type=click.Choice(("jsonl", "csv")), help="Else jsonl.")
@click.option("--dest", type=_KINDS, help="file (in the server's data directory), or a bucket.")
@click.option("--bucket", metavar="B", help="The bucket; Azure: the container.")
@click.option("--prefix", metavar="P", help="Put in front of the files' names.")
@click.option("--credentials-path", metavar="PATH", help="The secret that opens the bucket.")
@click.option("--region", metavar="R", help="Of an s3 bucket.")
@click.option("--endpoint", metavar="URL", help="Of a store that speaks s3.")
@click.option("--dest-file", metavar="F", help="JSON file (`-`: stdin) with the destination.")
@filter_flags
@client_flags
def export(
    from_: str,
    to: str,
    form: str | None,
    dest: str | None,
    dest_file: str | None,
    actions: tuple[str, ...],
    identity: str | None,
    path_prefix: str | None,
    failed: bool,
    **place: str | None,
) -> None:
    """Write the rows of a time to a bucket, or to a directory of the server.

    The server does it after the answer; `audit exports ID` tells how far it is. The files can be
    verified without the server. csv is for tables, and cannot be verified row by row.
    """
    filters = filters_of(actions, identity, path_prefix, failed)
    current = session()
    vault = current.vault()
    answer = vault.ask(
        vault.client.audit.export,
        from_,
        to,
        _destination(dest, dest_file, place),
        format=form or "jsonl",
        filters=given(**filters) or None,
    )
    current.show(answer, row_table(answer.body, "export_id", "status", "estimated_records"))


@click.command()
@click.argument("export_id", metavar="[ID]", required=False)
@client_flags
def exports(export_id: str | None) -> None:
    """Exports, newest first, or one of them; its manifest with --json."""
    current = session()
    vault = current.vault()
    if export_id is None:
        answer = vault.pages(vault.client.audit.exports, "exports", every=True)
        listed = answer.body
    else:
        answer = vault.ask(vault.client.audit.get_export, export_id)
        listed = {"exports": [answer.body]}
    current.show(answer, list_of(listed, "exports", _COLUMNS))


def _destination(
    dest: str | None, dest_file: str | None, place: dict[str, str | None]
) -> dict[str, Any]:
    named = given(**place)
    if dest_file is not None:
        if dest is not None or named:
            raise usage("--dest-file says everything of the destination; use it alone")
        return json_object(dest_file)
    if dest is None:
        raise usage("where to? --dest file, --dest s3 with --bucket and so on, or --dest-file")
    return {"type": dest, **named}
