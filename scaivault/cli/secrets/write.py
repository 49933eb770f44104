"""``secrets write`` and ``secrets rotate``: values on their way to the vault."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from scaivault.cli.failure import usage
from scaivault.cli.http import Answer
from scaivault.cli.secrets.shapes import TYPES, partner_flag, path_argument, row_table
from scaivault.cli.session import client_flags, session
from scaivault.cli.values import Data, data_of

if TYPE_CHECKING:
    from scaivault.cli.vault import Vault

# Of a merge that somebody else's write came in between.
_ATTEMPTS: Final = 3


@click.command()
@path_argument()
@click.argument("values", nargs=-1, metavar="[k=v]...")
@click.option("--type", "secret_type", type=click.Choice(TYPES), help="What it is; else kv.")
@click.option("--json-file", metavar="F", help="File (`-`: stdin) with the value, a JSON object.")
@click.option("--expires-in", metavar="D", help="Unreadable after this time: 12h, 30d.")
@click.option("--merge", is_flag=True, help="Keep the fields that are not named.")
@click.option("--generate-from", metavar="SP", help="The server makes the value by this recipe.")
@click.option("--tag", "tags", multiple=True, metavar="T", help="A tag.")
@click.option("--description", metavar="S", help="What it is for.")
@click.option("--owner", metavar="O", help="Who answers for it.")
@click.option("--max-versions", type=click.IntRange(1, 100), metavar="N", help="Versions to keep.")
@click.option("--cas", type=click.IntRange(0), metavar="N", help="Only if N is current; 0: none.")
@click.option("--rotation-policy", metavar="ID", help="Attach this schedule.")
@partner_flag
@client_flags
def write(path: str, values: tuple[str, ...], partner: bool, **options: Any) -> None:
    """Store a value, as a new version when there is one already.

    k=v stands in the list of processes and in the shell's history; k=@file, k=- (stdin) and
    --json-file do not. A file's or stdin's text is taken exactly, but for one line end after it.

    --tag, --description and --owner replace the metadata as a whole, unless with --merge; `secrets
    update` changes single ones.
    """
    if options["merge"]:
        _check_merge(options)
    data = _named(values, options["json_file"], options["generate_from"])
    current = session()
    vault = current.vault()
    meta = {"tags": list(options["tags"]), **_given(options, "description", "owner")}
    asked = {
        **_given(options, "secret_type", "expires_in", "generate_from", "max_versions", "cas"),
        "rotation_policy_id": options["rotation_policy"],
        "metadata": {name: value for name, value in meta.items() if value} or None,
    }
    if options["merge"]:
        answer = _merged(vault, partner, path, data or {}, asked)
    else:
        answer = vault.ask(vault.secrets(partner).write, path, data, **asked)
    current.show(answer, row_table(answer.body, "path", "version", "created"))


@click.command()
@path_argument()
@click.argument("values", nargs=-1, metavar="[k=v]...")
@click.option("--json-file", metavar="F", help="File (`-`: stdin) with the new value.")
@click.option("--reason", metavar="S", help="Why; kept in the audit log.")
@click.option("--grace-period", metavar="D", help="How long the old value stays readable.")
@partner_flag
@client_flags
def rotate(
    path: str,
    values: tuple[str, ...],
    json_file: str | None,
    reason: str | None,
    grace_period: str | None,
    partner: bool,
) -> None:
    """Replace a value; the old one stays readable for its grace.

    Without a value the server makes one, by the recipe of the secret or of its schedule. Values are
    given as for `secrets write`.
    """
    new_value = data_of(values, json_file) if values or json_file is not None else None
    current = session()
    vault = current.vault()
    answer = vault.ask(
        vault.secrets(partner).rotate,
        path,
        new_value=new_value,
        reason=reason,
        grace_period=grace_period,
    )
    fields = ("path", "version", "previous_version", "grace_period_ends")
    current.show(answer, row_table(answer.body, *fields))


def _check_merge(options: Mapping[str, Any]) -> None:
    if options["cas"] is not None or options["generate_from"] is not None:
        raise usage("--merge goes by the version that it read; not with --cas or --generate-from")


def _named(
    values: tuple[str, ...], json_file: str | None, generate_from: str | None
) -> Data | None:
    """The value that the command line names; ``None`` when the server makes it."""
    given = bool(values) or json_file is not None
    if given == (generate_from is not None):
        raise usage("a value is k=v, --json-file or --generate-from, and one of them is needed")
    return data_of(values, json_file) if given else None


def _given(options: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: options[name] for name in names if options[name] is not None}


def _merged(vault: Vault, partner: bool, path: str, data: Data, asked: Mapping[str, Any]) -> Answer:
    """Read, lay the new fields over the old, write if nobody wrote meanwhile."""
    from scaivault_sdk.errors import NotFoundError, VersionConflictError

    secrets = vault.secrets(partner)
    for attempt in range(1, _ATTEMPTS + 1):
        before: dict[str, Any]
        try:
            before = vault.ask(secrets.read, path).body
        except NotFoundError:
            before = {"version": 0}
        metadata = {**before.get("metadata", {}), **(asked["metadata"] or {})}
        changes = {
            **asked,
            "metadata": metadata if asked["metadata"] else None,
            "cas": before["version"],
        }
        try:
            return vault.ask(secrets.write, path, {**before.get("data", {}), **data}, **changes)
        except VersionConflictError:
            if attempt == _ATTEMPTS:
                raise
    raise AssertionError("every attempt returns or raises")
