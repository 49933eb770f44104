"""``scaivault identity``: people, programs, groups, and whom else the vault trusts."""

from __future__ import annotations

from typing import Final

import click

from scaivault.cli.lazy import LazyGroup
from scaivault.cli.session import client_flags

_COMMANDS: Final = {
    "partners": (".lists:partners", "Partners."),
    "tenants": (".lists:tenants", "Tenants."),
    "users": (".lists:users", "People."),
    "service-accounts": (".lists:service_accounts", "Programs."),
    "groups": (".lists:groups", "Groups."),
    "members": (".members:members", "Who belongs to a group; add or remove somebody."),
    "resolve": (".lookup:resolve", "Who an id is, with all groups and roles."),
    "sync": (".sync:sync", "Fetch identities anew from where they are kept."),
    "roles": (".roles:roles", "The admin roles there are, or somebody's."),
    "set-roles": (".roles:set_roles", "Give somebody admin roles, instead of his own."),
    "create": (".create:create", "A partner, tenant, user, service account or group."),
    "update": (".update:update", "Change one of them."),
    "delete": (".delete:delete", "Delete one of them."),
    "sa-credentials": (".credentials:credentials", "Client secrets; rotate them."),
    "trust": (".trust:trust", "Tokens of other issuers that are exchanged for ours."),
    "revoke-access": (".revoke:revoke_access", "End at once everything somebody has."),
}


@click.group(cls=LazyGroup, package=__name__, table=_COMMANDS)
@client_flags
def identity() -> None:
    """People, programs, groups, and whom else the vault trusts.

    An identity is user:<e-mail>, sa:<name> or group:<name>, or an id (usr_…, sa_…, grp_…); where
    only one kind can be meant, the bare name will do. What another issuer keeps is shown, but
    changed there.
    """
