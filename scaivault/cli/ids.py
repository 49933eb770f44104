"""Ids of identities as they are typed: what their form says."""

from __future__ import annotations

from typing import Final

from scaivault.cli.failure import usage

_TYPES: Final = {
    "user:": "user",
    "usr_": "user",
    "group:": "group",
    "grp_": "group",
    **dict.fromkeys(("sa:", "sa_", "system:", "dynamic:"), "service_account"),
}


def type_of(identity: str) -> str:
    """The type that an identity's form shows."""
    for prefix, kind in _TYPES.items():
        if identity.startswith(prefix):
            return kind
    raise usage("IDENTITY must begin with user: sa: group: usr_ sa_ grp_ system: or dynamic:")


def caller_type_of(identity: str) -> str:
    """As ``type_of``, of what has tokens and roles: a user or a service account."""
    kind = type_of(identity)
    if kind == "group" or identity.startswith(("system:", "dynamic:")):
        raise usage("IDENTITY must be a user or a service account: user: sa: usr_ or sa_")
    return kind


def user_of(name: str) -> str:
    """A user by the bare address too; what is plainly no user is for the server to refuse."""
    return name if name.startswith(tuple(_TYPES)) else f"user:{name}"


def account_of(name: str) -> str:
    """A service account by its bare name too."""
    return name if name.startswith(("sa:", "sa_")) else f"sa:{name}"


def group_of(name: str) -> str:
    """A group by its bare name too."""
    return name if name.startswith(("group:", "grp_")) else f"group:{name}"
