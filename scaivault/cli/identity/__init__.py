"""``scaivault identity``: people, programs, groups, and whom else the vault trusts."""

from __future__ import annotations

from typing import Final

import click

from scaivault.cli.lazy import LazyGroup
from scaivault.cli.session import client_flags

_HERE: Final = "scaivault.cli.identity"
_COMMANDS: Final = {
    "partners": (f"{_HERE}.lists:partners", "Partners."),
    "tenants": (f"{_HERE}.lists:tenants", "Tenants."),
    "users": (f"{_HERE}.lists:users", "People."),
    "service-accounts": (f"{_HERE}.lists:service_accounts", "Programs."),
    "groups": (f"{_HERE}.lists:groups", "Groups."),
    "members": (f"{_HERE}.members:members", "Who belongs to a group; add or remove somebody."),
    "resolve": (f"{_HERE}.lookup:resolve", "Who an id is, with all groups and roles."),
    "sync": (f"{_HERE}.sync:sync", "Fetch identities anew from where they are kept."),
    "roles": (f"{_HERE}.roles:roles", "The admin roles there are, or somebody's."),
    "set-roles": (f"{_HERE}.roles:set_roles", "Give somebody admin roles, instead of his own."),
    "create": (f"{_HERE}.create:create", "A partner, tenant, user, service account or group."),
    "update": (f"{_HERE}.update:update", "Change one of them."),
    "delete": (f"{_HERE}.delete:delete", "Delete one of them."),
    "sa-credentials": (f"{_HERE}.credentials:credentials", "Client secrets; rotate them."),
    "trust": (f"{_HERE}.trust:trust", "Tokens of other issuers that are exchanged for ours."),
    "revoke-access": (f"{_HERE}.revoke:revoke_access", "End at once everything somebody has."),
}


@click.group(cls=LazyGroup, table=_COMMANDS)
@client_flags
def identity() -> None:
    """People, programs, groups, and whom else the vault trusts.

    An identity is user:<e-mail>, sa:<name> or group:<name>, or an id (usr_…, sa_…, grp_…); where
    only one kind can be meant, the bare name will do. What another issuer keeps is shown, but
    changed there.
    """
