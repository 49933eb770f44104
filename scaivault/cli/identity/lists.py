"""``identity partners``, ``tenants``, ``users``, ``service-accounts`` and ``groups``."""

from __future__ import annotations

import click

from scaivault.cli.identity.shapes import (
    match_flag,
    page_flags,
    show_list,
    status_flag,
    tenant_of,
)
from scaivault.cli.session import client_flags, session


@click.command()
@status_flag
@page_flags
@client_flags
def partners(status: str | None, limit: int | None, every: bool) -> None:
    """All partners that you may see, by name."""
    current = session()
    vault = current.vault()
    found = vault.client.identity.partners
    answer = vault.pages(
        found, "partners", every=every, size="page_size", status=status, page_size=limit
    )
    fields = ("id", "name", "status", "slug", "region")
    show_list(current, answer, "partners", ("ID", "NAME", "STATUS", "SLUG", "REGION"), fields)


@click.command()
@click.option("--partner", metavar="ID", help="Only those of this partner.")
@status_flag
@page_flags
@client_flags
def tenants(partner: str | None, status: str | None, limit: int | None, every: bool) -> None:
    """All tenants that you may see, by name."""
    current = session()
    vault = current.vault()
    answer = vault.pages(
        vault.client.identity.tenants,
        "tenants",
        partner,
        status,
        every=every,
        size="page_size",
        page_size=limit,
    )
    fields = ("id", "name", "status", "slug", "partner_id")
    show_list(current, answer, "tenants", ("ID", "NAME", "STATUS", "SLUG", "PARTNER"), fields)


@click.command()
@match_flag
@status_flag
@page_flags
@client_flags
def users(match: str | None, status: str | None, limit: int | None, every: bool) -> None:
    """The people of the tenant, by address."""
    current = session()
    vault = current.vault()
    answer = vault.pages(
        vault.client.identity.users,
        "users",
        tenant_of(vault),
        match,
        status,
        every=every,
        size="page_size",
        page_size=limit,
    )
    fields = ("id", "email|identity_id", "status", "roles")
    show_list(current, answer, "users", ("ID", "NAME", "STATUS", "ROLES"), fields)


@click.command("service-accounts")
@match_flag
@status_flag
@page_flags
@client_flags
def service_accounts(match: str | None, status: str | None, limit: int | None, every: bool) -> None:
    """The programs of the tenant, by name."""
    current = session()
    vault = current.vault()
    answer = vault.pages(
        vault.client.identity.service_accounts,
        "service_accounts",
        tenant_of(vault),
        match,
        status,
        every=every,
        size="page_size",
        page_size=limit,
    )
    fields = ("id", "name", "status", "roles")
    show_list(current, answer, "service_accounts", ("ID", "NAME", "STATUS", "ROLES"), fields)


@click.command()
@match_flag
@page_flags
@client_flags
def groups(match: str | None, limit: int | None, every: bool) -> None:
    """The groups of the tenant, by name."""
    current = session()
    vault = current.vault()
    answer = vault.pages(
        vault.client.identity.groups,
        "groups",
        tenant_of(vault),
        match,
        every=every,
        size="page_size",
        page_size=limit,
    )
    fields = ("id", "name", "parent_id", "member_count")
    show_list(current, answer, "groups", ("ID", "NAME", "PARENT", "MEMBERS"), fields)
