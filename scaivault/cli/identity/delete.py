"""``identity delete KIND``."""

from __future__ import annotations

from typing import Any

import click

from scaivault.cli import ask
from scaivault.cli.identity.shapes import show_one
from scaivault.cli.ids import account_of, group_of, user_of
from scaivault.cli.session import client_flags, session


@click.group()
@client_flags
def delete() -> None:
    """Delete a partner, tenant, user, service account or group.

    Asks first; without a terminal it needs --yes. The name of a deleted identity is never given to
    another one.
    """


@delete.command()
@click.argument("partner", metavar="ID")
@ask.yes_flag
@client_flags
def partner(partner: str, yes: bool) -> None:
    """A partner without tenants."""
    _gone("delete_partner", partner, f"Delete partner {partner}?", yes)


@delete.command()
@click.argument("tenant_id", metavar="ID")
@ask.yes_flag
@client_flags
def tenant(tenant_id: str, yes: bool) -> None:
    """A tenant with everything in it, secrets too.

    Its key is destroyed after 30 days. Until then: identity update tenant ID --status ACTIVE.
    """
    question = f"Delete tenant {tenant_id}, with every secret, policy and identity in it?"
    _gone("delete_tenant", tenant_id, question, yes, confirm=tenant_id)
    session().note(f"for 30 days, identity update tenant {tenant_id} --status active undoes this")


@delete.command()
@click.argument("user", metavar="ID")
@ask.yes_flag
@client_flags
def user(user: str, yes: bool) -> None:
    """A person, with what was granted to him or her; all tokens end."""
    _gone("delete_user", user_of(user), f"Delete user {user}?", yes)


@delete.command("service-account")
@click.argument("account", metavar="ID")
@ask.yes_flag
@client_flags
def service_account(account: str, yes: bool) -> None:
    """A program, with what was granted to it; all tokens and client secrets end."""
    _gone("delete_service_account", account_of(account), f"Delete {account_of(account)}?", yes)


@delete.command()
@click.argument("group", metavar="ID")
@ask.yes_flag
@client_flags
def group(group: str, yes: bool) -> None:
    """A group, with what was granted to it; the members stay."""
    _gone("delete_group", group_of(group), f"Delete group {group}?", yes)


def _gone(call: str, name: str, question: str, yes: bool, **options: Any) -> None:
    ask.agreed(question, yes=yes)
    show_one(call, name, **options)
