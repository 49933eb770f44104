"""Reads by somebody whom few policies reach, and by somebody whom many do, through groups.

Two vaults take turns. In both one policy grants what is read; the others are about other folders,
each bound to one of 50 groups (or of as many as there are policies), all of which the reader is in.
"""

from functools import partial
from pathlib import Path

import httpx

from bench import load
from bench.row import Goal, Row
from bench.script import main
from bench.settings import Settings
from bench.stage import stage
from bench.target import call, initialised
from bench.turns import alternate, rates
from bench.vault import RULES, Vault, granted, service_account

FEW, MANY = 10, 1000
GROUPS = 50
CONNECTIONS = 16


class Ruled(Vault):
    """A vault with ``policies`` policies, all bound through groups."""

    def __init__(self, folder: Path, policies: int) -> None:
        self.policies = policies
        super().__init__(folder)

    def rights(self, client: httpx.Client) -> str:
        """The token of a member of all groups."""
        account, made = service_account(client)
        groups = [_group(client, n, account) for n in range(min(self.policies, GROUPS))]
        for n in range(self.policies):
            rules = RULES if n == 0 else _rules(n)
            wanted = {"name": f"team-{n}", "rules": rules}
            policy = call(client, "POST", "/v1/policies", wanted)["id"]
            bound = {"identity_type": "group", "identity_id": groups[n % len(groups)]}
            call(client, "POST", f"/v1/policies/{policy}/bindings", bound)
        return granted(client, made)


def run(settings: Settings) -> Row:
    """Load the secrets, then let the vaults take turns."""
    row = Row("read with few and with many policies")
    starters = [
        lambda folder, n=n: initialised(partial(Ruled, policies=n), folder, "scaivault")
        for n in (FEW, MANY)
    ]
    with stage(starters, settings.folder, row.notes) as targets:
        for target in targets:
            load.fill(target, range(settings.paths))
        plans = [(each, [each.read(n) for n in range(settings.paths)]) for each in targets]
        loads = alternate(plans, CONNECTIONS, settings)
        for policies, turns in zip((FEW, MANY), loads, strict=True):
            row.figures.append(rates(_case(policies), Vault.name, turns))
    few, many = (row.find(_case(count), Vault.name) for count in (FEW, MANY))
    ratio = many.median / few.median if few and many else None
    row.goals = [Goal(f"{MANY:,} policies over {FEW}", ratio, "at least", 0.8)]
    return row


def _case(policies: int) -> str:
    return f"{policies:,} policies"


def _group(client: httpx.Client, number: int, member: object) -> object:
    """A new group with one member."""
    group = call(client, "POST", "/v1/identity/groups", {"name": f"team-{number}"})["id"]
    call(client, "POST", f"/v1/identity/groups/{group}/members", {"identity_id": member})
    return group


def _rules(number: int) -> list[dict[str, object]]:
    """A folder, names with a wildcard, and one that fits many places (as in ``bench.decide``)."""
    return [
        {"path_pattern": f"team-{number}/**", "permissions": ["read", "list"]},
        {"path_pattern": f"team-{number}/*/db-*", "permissions": ["write"]},
        {"path_pattern": f"**/shared-{number}", "permissions": ["read"]},
    ]


if __name__ == "__main__":
    main(__doc__, run)
