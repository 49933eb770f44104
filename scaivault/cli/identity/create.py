"""``identity create KIND``."""

from __future__ import annotations

import click

from scaivault.cli.identity.shapes import show_one
from scaivault.cli.ids import group_of
from scaivault.cli.session import client_flags

_slug = click.option("--slug", required=True, metavar="S", help="Short name: a-z, 0-9 and -.")
_group = click.option(
    "--group", "groups", multiple=True, metavar="G", help="Into this group; one each."
)


@click.group()
@client_flags
def create() -> None:
    """A new partner, tenant, user, service account or group.

    Users, service accounts and groups are made in your own tenant, or in the one that --tenant
    names.
    """


@create.command()
@click.argument("name", metavar="NAME")
@_slug
@click.option("--region", metavar="R", help="Where it is.")
@client_flags
def partner(name: str, slug: str, region: str | None) -> None:
    """A partner: an organisation that will have tenants."""
    show_one("create_partner", name, slug, region=region)


@create.command()
@click.argument("name", metavar="NAME")
@_slug
@click.option("--partner", metavar="ID", help="Whose; else your own partner.")
@client_flags
def tenant(name: str, slug: str, partner: str | None) -> None:
    """A tenant, with a key of its own."""
    show_one("create_tenant", name, slug, partner_id=partner)


@create.command()
@click.argument("email", metavar="EMAIL")
@click.option("--display-name", metavar="S", help="As people call him or her.")
@_group
@client_flags
def user(email: str, display_name: str | None, groups: tuple[str, ...]) -> None:
    """A person. The address never changes."""
    show_one(
        "create_user",
        email.removeprefix("user:"),
        display_name=display_name,
        groups=_groups(groups),
    )


@create.command("service-account")
@click.argument("name", metavar="NAME")
@click.option(
    "--scope", "scopes", multiple=True, required=True, metavar="S", help="A scope; one each."
)
@click.option("--display-name", metavar="S", help="As people call it.")
@_group
@client_flags
def service_account(
    name: str, scopes: tuple[str, ...], display_name: str | None, groups: tuple[str, ...]
) -> None:
    """A program. Its first client secret: identity sa-credentials NAME --rotate."""
    show_one(
        "create_service_account",
        name.removeprefix("sa:"),
        scopes,
        display_name=display_name,
        groups=_groups(groups),
    )


@create.command()
@click.argument("name", metavar="NAME")
@click.option("--display-name", metavar="S", help="As people call it.")
@click.option("--parent", metavar="G", help="The group above; what it may, this one may.")
@client_flags
def group(name: str, display_name: str | None, parent: str | None) -> None:
    """A group."""
    above = None if parent is None else group_of(parent)
    show_one(
        "create_group", name.removeprefix("group:"), display_name=display_name, parent_id=above
    )


def _groups(named: tuple[str, ...]) -> list[str] | None:
    return [group_of(name) for name in named] or None
