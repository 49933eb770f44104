"""``policies bind``, ``unbind`` and ``bindings``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from scaivault.cli import ask
from scaivault.cli.failure import usage
from scaivault.cli.ids import type_of
from scaivault.cli.output import Table
from scaivault.cli.session import client_flags, session
from scaivault.cli.tables import list_of


@click.command()
@click.argument("policy", metavar="ID")
@click.argument("identity", metavar="IDENTITY")
@click.option("--expires", metavar="D", help="Until then: 12h, 30d, or an RFC 3339 time.")
@client_flags
def bind(policy: str, identity: str, expires: str | None) -> None:
    """Give an identity what a policy allows.

    IDENTITY is user:<e-mail>, sa:<name>, group:<name>, or an id (usr_…, sa_…, grp_…).
    """
    kind, until = type_of(identity), None if expires is None else instant_of(expires)
    current = session()
    vault = current.vault()
    answer = vault.ask(vault.client.policies.bind, policy, kind, identity, expires_at=until)
    current.show(answer, bindings_table({"bindings": [answer.body]}))


@click.command()
@click.argument("policy", metavar="ID")
@click.argument("binding", metavar="BINDING")
@ask.yes_flag
@client_flags
def unbind(policy: str, binding: str, yes: bool) -> None:
    """Take away what a binding gives; it holds for the next request.

    Asks first; without a terminal it needs --yes.
    """
    ask.agreed(f"Remove binding {binding} of policy {policy}?", yes=yes)
    current = session()
    vault = current.vault()
    current.show(vault.ask(vault.client.policies.unbind, policy, binding))


@click.command()
@click.argument("policy", metavar="ID")
@client_flags
def bindings(policy: str) -> None:
    """Who has a policy, and until when."""
    current = session()
    vault = current.vault()
    answer = vault.pages(vault.client.policies.bindings, "bindings", policy, every=True)
    current.show(answer, bindings_table(answer.body, of="bindings"))


def bindings_table(body: Mapping[str, Any], *, of: str = "") -> Table:
    columns = {"BINDING": "id", "TYPE": "identity_type", "IDENTITY": "identity_id"}
    return list_of(body, "bindings", {**columns, "EXPIRES": "expires_at"}, of=of)


def instant_of(text: str) -> str:
    """A time as the API takes it; a duration counts from now, by this machine's clock."""
    from scaivault.clock import SECOND, SystemClock, instant
    from scaivault.wire.values import parse_duration

    if not text[-1:].isalpha() or "T" in text.upper():
        return text
    try:
        return instant(SystemClock().now() + parse_duration(text) * SECOND)
    except ValueError as fault:
        raise usage(f"--expires: {fault}") from None
