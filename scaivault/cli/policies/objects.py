"""``policies list``, ``get``, ``create``, ``update`` and ``delete``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from scaivault.cli import ask
from scaivault.cli.failure import usage
from scaivault.cli.http import rows
from scaivault.cli.output import Table
from scaivault.cli.policies.bindings import bindings_table
from scaivault.cli.policies.rules import described, rule_lines
from scaivault.cli.session import client_flags, session
from scaivault.cli.tables import facts, list_of
from scaivault.cli.values import given

_SCOPES = click.Choice(("tenant", "partner"))
_FILE = "JSON file (`-`: stdin): a list of rules, or a policy."
_RULE = "A rule; conditions need --file."
_COLUMNS = {
    "ID": "id", "NAME": "name", "RULES": "rule_count", "BINDINGS": "binding_count",
    "ACTIVE": "is_active",
}  # fmt: skip


@click.command("list")
@click.option("--scope", type=_SCOPES, help="Only those of the tenant, or of the partner.")
@click.option("--inactive", is_flag=True, help="Also those that are switched off.")
@click.option("--all", "every", is_flag=True, help="All pages.")
@client_flags
def list_(scope: str | None, inactive: bool, every: bool) -> None:
    """All policies, by name."""
    current = session()
    vault = current.vault()
    found = vault.client.policies.list
    answer = vault.pages(found, "policies", every=every, scope=scope, include_inactive=inactive)
    current.show_page(answer, list_of(answer.body, "policies", _COLUMNS))


@click.command()
@click.argument("policy", metavar="ID")
@client_flags
def get(policy: str) -> None:
    """One policy with its rules and bindings."""
    current = session()
    vault = current.vault()
    answer = vault.ask(vault.client.policies.get, policy)
    current.show(answer, *_tables(answer.body))


@click.command()
@click.argument("name", metavar="NAME")
@click.option("--file", metavar="F", help=_FILE)
@click.option("--rule", "rules", multiple=True, metavar="PATTERN=P,P", help=_RULE)
@click.option("--description", metavar="S", help="What it is for.")
@click.option("--scope", type=_SCOPES, help="partner: holds in every tenant of the partner.")
@client_flags
def create(
    name: str, file: str | None, rules: tuple[str, ...], description: str | None, scope: str | None
) -> None:
    """A new policy.

    For example: --rule 'retail/live/**=read,list'
    """
    policy = described(file, rules)
    if not policy.get("rules"):
        raise usage("a policy needs rules: --rule or --file")
    if policy.keys() & {"name", "is_active"}:
        raise usage("NAME says how it is called, and a new policy is active: not in --file")
    wanted = {**policy, **given(description=description, scope=scope)}
    current = session()
    vault = current.vault()
    answer = vault.ask(vault.client.policies.create, name, **wanted)
    current.show(answer, *_tables(answer.body))


@click.command()
@click.argument("policy", metavar="ID")
@click.option("--name", metavar="S", help="Another name.")
@click.option("--description", metavar="S", help="What it is for.")
@click.option("--file", metavar="F", help=_FILE)
@click.option("--rule", "rules", multiple=True, metavar="PATTERN=P,P", help=_RULE)
@click.option("--active/--inactive", default=None, help="Switch it on or off.")
@client_flags
def update(
    policy: str,
    name: str | None,
    description: str | None,
    file: str | None,
    rules: tuple[str, ...],
    active: bool | None,
) -> None:
    """Change a policy; it holds for the next request. Rules replace all that were there."""
    fields = {
        **described(file, rules),
        **given(name=name, description=description, is_active=active),
    }
    if fields.pop("scope", None) is not None:
        raise usage("the scope of a policy is fixed")
    if not fields:
        raise usage("name what to change: --name, --description, --rule, --file or --inactive")
    current = session()
    vault = current.vault()
    answer = vault.ask(vault.client.policies.update, policy, **fields)
    current.show(answer, *_tables(answer.body))


@click.command()
@click.argument("policy", metavar="ID")
@click.option("--force", is_flag=True, help="Also while it is bound; the bindings go with it.")
@ask.yes_flag
@client_flags
def delete(policy: str, force: bool, yes: bool) -> None:
    """Delete a policy.

    Asks first; without a terminal it needs --yes.
    """
    ask.agreed(f"Delete policy {policy}{' with its bindings' if force else ''}?", yes=yes)
    current = session()
    vault = current.vault()
    current.show(vault.ask(vault.client.policies.delete, policy, force=force))


def _tables(body: Mapping[str, Any]) -> tuple[Table, Table, Table]:
    names = ("id", "name", "scope", "is_active", "description", "created_at", "created_by")
    rules = Table(("PATTERN", "PERMISSIONS", "CONDITIONS"), rule_lines(rows(body, "rules")))
    return facts({name: body.get(name) for name in names}), rules, bindings_table(body)
