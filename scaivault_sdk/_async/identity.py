"""``client.identity``."""

from __future__ import annotations

from scaivault_sdk._async.accounts import Accounts
from scaivault_sdk._async.groups import Groups
from scaivault_sdk._async.tenancy import Tenancy
from scaivault_sdk._async.trusts import Trusts
from scaivault_sdk._async.users import Users


class Identities(Tenancy, Users, Accounts, Groups, Trusts):
    """Partners, tenants, users, service accounts with their credentials, groups with their
    members, admin roles, trusts in other issuers.

    Ids may be record ids (``usr_…``, ``sa_…``, ``grp_…``) or canonical (``user:e-mail``,
    ``sa:name``, ``group:name``). Lists are of the client's tenant, else of the token's own, unless
    ``tenant_id`` names another. What another issuer keeps can be looked at, not changed.
    """
