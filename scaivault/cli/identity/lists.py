"""``identity partners``, ``tenants``, ``users``, ``service-accounts`` and ``groups``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from scaivault.cli.identity.shapes import (
    match_flag,
    numbered,
    page_flags,
    status_flag,
)
from scaivault.cli.session import client_flags, session
from scaivault.cli.tables import list_of


@click.command()
@status_flag
@page_flags
@client_flags
def partners(**asked: Any) -> None:
    """All partners that you may see, by name."""
    columns = {"ID": "id", "NAME": "name", "STATUS": "status", "SLUG": "slug", "REGION": "region"}
    _show("partners", columns, **asked)


@click.command()
@click.option("--partner", metavar="ID", help="Only those of this partner.")
@status_flag
@page_flags
@client_flags
def tenants(partner: str | None, **asked: Any) -> None:
    """All tenants that you may see, by name."""
    columns = {"ID": "id", "NAME": "name", "STATUS": "status", "SLUG": "slug"}
    _show("tenants", {**columns, "PARTNER": "partner_id"}, partner_id=partner, **asked)


@click.command()
@match_flag
@status_flag
@page_flags
@client_flags
def users(**asked: Any) -> None:
    """The people of the tenant, by address."""
    columns = {"ID": "id", "NAME": "email|identity_id", "STATUS": "status", "ROLES": "roles"}
    _show("users", columns, **asked)


@click.command("service-accounts")
@match_flag
@status_flag
@page_flags
@client_flags
def service_accounts(**asked: Any) -> None:
    """The programs of the tenant, by name."""
    columns = {"ID": "id", "NAME": "name", "STATUS": "status", "ROLES": "roles"}
    _show("service_accounts", columns, **asked)


@click.command()
@match_flag
@page_flags
@client_flags
def groups(**asked: Any) -> None:
    """The groups of the tenant, by name."""
    columns = {"ID": "id", "NAME": "name", "PARENT": "parent_id", "MEMBERS": "member_count"}
    _show("groups", columns, **asked)


def _show(name: str, columns: Mapping[str, str], **asked: Any) -> None:
    """``name``: of the SDK's call, and of the list in its answer. ``asked``: what flags say."""
    current = session()
    vault = current.vault()
    answer = numbered(vault, getattr(vault.client.identity, name), name, **asked)
    current.show_page(answer, list_of(answer.body, name, columns))
