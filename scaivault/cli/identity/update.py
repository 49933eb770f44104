"""``identity update KIND``."""

from __future__ import annotations

from typing import Any

import click

from scaivault.cli import ask
from scaivault.cli.failure import usage
from scaivault.cli.identity.shapes import STATES, changed, show_one
from scaivault.cli.ids import account_of, group_of, user_of
from scaivault.cli.session import client_flags
from scaivault.cli.values import given

_status = click.option("--status", type=STATES, help="SUSPENDED: works no longer, until ACTIVE.")
_group = click.option(
    "--group", "groups", multiple=True, metavar="G", help="Groups from now on; one each."
)
_no_groups = click.option("--no-groups", is_flag=True, help="Out of every group.")


@click.group()
@client_flags
def update() -> None:
    """Change a partner, tenant, user, service account or group.

    To suspend somebody ends all tokens and client secrets at once; it asks first, and without a
    terminal it needs --yes.
    """


@update.command()
@click.argument("partner", metavar="ID")
@click.option("--name", metavar="S", help="Another name.")
@click.option("--region", metavar="R", help="Where it is.")
@_status
@ask.yes_flag
@client_flags
def partner(partner: str, yes: bool, **fields: Any) -> None:
    """A partner; suspended with all its tenants."""
    _change("update_partner", partner, yes, **fields)


@update.command()
@click.argument("tenant_id", metavar="ID")
@click.option("--name", metavar="S", help="Another name.")
@_status
@ask.yes_flag
@client_flags
def tenant(tenant_id: str, yes: bool, **fields: Any) -> None:
    """A tenant. ACTIVE also brings a deleted one back, for 30 days."""
    _change("update_tenant", tenant_id, yes, **fields)


@update.command()
@click.argument("user", metavar="ID")
@click.option("--display-name", metavar="S", help="As people call him or her.")
@_group
@_no_groups
@click.option("--reset-mfa", is_flag=True, help="Take a lost second factor away.")
@_status
@ask.yes_flag
@client_flags
def user(
    user: str,
    yes: bool,
    groups: tuple[str, ...],
    no_groups: bool,
    reset_mfa: bool,
    **fields: Any,
) -> None:
    """A person."""
    fields["groups"] = _groups(groups, no_groups)
    if not reset_mfa:
        _change("update_user", user_of(user), yes, **fields)
        return
    if any(value is not None for value in fields.values()):
        raise usage("--reset-mfa stands alone")
    ask.agreed(f"Take the second factor of {user} away?", yes=yes)
    show_one("delete_user_mfa", user_of(user))


@update.command("service-account")
@click.argument("account", metavar="ID")
@click.option("--display-name", metavar="S", help="As people call it.")
@click.option(
    "--scope", "scopes", multiple=True, metavar="S", help="Its scopes from now on; one each."
)
@_group
@_no_groups
@_status
@ask.yes_flag
@client_flags
def service_account(
    account: str,
    yes: bool,
    scopes: tuple[str, ...],
    groups: tuple[str, ...],
    no_groups: bool,
    **fields: Any,
) -> None:
    """A program. A scope that is taken away ends in its live tokens too."""
    fields.update(scopes=list(scopes) or None, groups=_groups(groups, no_groups))
    _change("update_service_account", account_of(account), yes, **fields)


@update.command()
@click.argument("group", metavar="ID")
@click.option("--display-name", metavar="S", help="As people call it.")
@click.option("--parent", metavar="G", help="Below this group.")
@click.option("--no-parent", is_flag=True, help="Below no group.")
@client_flags
def group(group: str, display_name: str | None, parent: str | None, no_parent: bool) -> None:
    """A group."""
    if parent is not None and no_parent:
        raise usage("--parent or --no-parent, not both")
    if no_parent:
        fields = {**given(display_name=display_name), "parent_id": None}
    else:
        above = None if parent is None else group_of(parent)
        fields = changed(given(display_name=display_name, parent_id=above))
    show_one("update_group", group_of(group), **fields)


def _groups(named: tuple[str, ...], none: bool) -> list[str] | None:
    if named and none:
        raise usage("--group or --no-groups, not both")
    return [] if none else [group_of(name) for name in named] or None


def _change(call: str, which: str, yes: bool, /, **fields: Any) -> None:
    wanted = changed(given(**fields))
    if wanted.get("status") == "SUSPENDED":
        ask.agreed(f"Suspend {which}, with all its tokens?", yes=yes)
    show_one(call, which, **wanted)
