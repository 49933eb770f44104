"""Users of the local issuer and of others, and their tokens."""

from __future__ import annotations

from typing import Any

from scaivault.clock import DAY
from scaivault.gate.gate import Act
from scaivault.gate.transaction import Transaction
from scaivault.identity import subjects
from scaivault.identity.model import Account
from scaivault.identity.store import groups as groups_store
from scaivault.identity.store.groups import Group
from scaivault.identity.tokens import minting
from scaivault.ids import random_id
from tests.support.house import House

USERS = "/v1/identity/users"


async def user(house: House, email: str, **more: Any) -> str:
    """The record id of a new user."""
    made = await house.call("POST", USERS, {"email": email, **more})
    assert made.status == 201, made.body
    found: str = made.json["id"]
    return found


async def personal(house: House, record_id: str, scopes: list[str]) -> str:
    """A personal access token of a user or a service account."""
    vault = house.vault

    def mint(tx: Transaction) -> str:
        who = subjects.subject_by_id(tx.connection, record_id)
        assert who is not None
        text, _ = minting.personal(tx, vault.keyring, who, "test", tuple(scopes), DAY)
        return text

    return await vault.gate.change(vault.internal("test"), Act("token_create"), mint)


async def outside(house: House, kind: str, name: str) -> str:
    """The record id of a new ``user``, ``service_account`` or ``group`` that the issuer ``corp``
    keeps; ``name``: the second part of its canonical id."""
    vault, tenant = house.vault, house.made["tenant_id"]

    def make(tx: Transaction) -> str:
        if kind == "user":
            return subjects.add_user(tx, tenant, f"user:{name}", name, issuer="corp").id
        if kind == "group":
            group = Group(tenant, random_id("grp_"), f"group:{name}", name, None, tx.now)
            groups_store.put_group(tx, group._replace(issuer="corp"))
            return group.id
        account = Account(
            tenant, random_id("sa_"), f"sa:{name}", name, "ACTIVE", (), (), tx.now, "corp"
        )
        subjects.put(tx, account)
        return account.id

    return await vault.gate.change(vault.internal("test"), Act("identity_create"), make)


async def whoami(house: House, token: str) -> str:
    """``ok``, or the code of the refusal."""
    answer = await house.get("/v1/auth/whoami", token=token)
    return "ok" if answer.status == 200 else answer.code
