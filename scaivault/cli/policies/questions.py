"""``policies test``, ``who-can`` and ``effective``: questions about rights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from scaivault.cli.completion import complete_path
from scaivault.cli.failure import AUTHORISATION
from scaivault.cli.http import rows
from scaivault.cli.output import Table
from scaivault.cli.session import client_flags, session
from scaivault.cli.tables import facts, list_of

_PERMISSIONS = click.Choice(("read", "write", "delete", "list", "rotate", "admin"))
_LOOKED_AT = {
    "POLICY": "name", "RULE": "rule_index", "FITS": "matched_path", "GRANTS": "granted",
    "FAILED": "failed_condition",
}  # fmt: skip


@click.command()
@click.argument("identity", metavar="IDENTITY")
@click.argument("path", metavar="PATH", shell_complete=complete_path)
@click.argument("permission", type=_PERMISSIONS, metavar="PERMISSION")
@click.option("--ip", metavar="A", help="As if called from this address.")
@click.option("--at", metavar="TIME", help="As if it were this time (RFC 3339).")
@click.option("--mfa", is_flag=True, help="As if with a fresh second factor.")
@client_flags
def test(
    identity: str, path: str, permission: str, ip: str | None, at: str | None, mfa: bool
) -> int:
    """What policies alone say of an identity, a path and a permission; exit 3 if they deny.

    The scopes of a token are not looked at.
    """
    current = session()
    vault = current.vault()
    answer = vault.ask(
        vault.client.policies.test,
        identity,
        path,
        permission,
        source_ip=ip,
        mfa_verified=True if mfa else None,
        timestamp=at,
    )
    body = answer.body
    rule = body.get("matched_rule")
    rule = rule if isinstance(rule, dict) else {}
    verdict = {
        **{name: body.get(name) for name in ("allowed", "reason")},
        **{name: rule[name] for name in ("name", "path_pattern", "via") if rule.get(name)},
    }
    current.show(answer, facts(verdict), list_of(body, "evaluated", _LOOKED_AT, of="rules"))
    return 0 if body.get("allowed") is True else AUTHORISATION


@click.command("who-can")
@click.argument("path", metavar="PATH", shell_complete=complete_path)
@click.argument("permission", type=_PERMISSIONS, metavar="PERMISSION")
@client_flags
def who_can(path: str, permission: str) -> None:
    """Every identity that may, and by what. Conditions are shown, not judged."""
    current = session()
    vault = current.vault()
    answer = vault.pages(vault.client.policies.who_can, "identities", path, permission, every=True)
    lines = [
        [each.get("identity_id"), _source(way), way.get("conditions"), way.get("expires_at")]
        for each in rows(answer.body, "identities")
        for way in rows(each, "via")
    ]
    current.show(answer, Table(("IDENTITY", "BY", "CONDITIONS", "EXPIRES"), lines, "identities"))


@click.command()
@click.argument("identity", metavar="[IDENTITY]", required=False)
@client_flags
def effective(identity: str | None) -> None:
    """Everything that policies give an identity; without one, you yourself."""
    current = session()
    vault = current.vault()
    answer = vault.ask(vault.client.policies.effective, identity)
    header = ("PATTERN", "PERMISSIONS", "BY", "CONDITIONS", "EXPIRES")
    current.show(answer, Table(header, list(_lines(answer.body)), "rules"))


def _lines(body: Mapping[str, Any]) -> Iterator[list[Any]]:
    for role in body.get("roles") or ():
        yield ["**", "admin", f"role {role}", None, None]
    for rule in rows(body, "rules"):
        fields = [rule.get(name) for name in ("path_pattern", "permissions")]
        yield [*fields, _source(rule), rule.get("conditions"), rule.get("expires_at")]


def _source(way: Mapping[str, Any]) -> str:
    """``gateway-readers``, ``gateway-readers, group:night`` or ``role tenant_admin``."""
    if way.get("role"):
        return f"role {way['role']}"
    return ", ".join(str(way[name]) for name in ("policy_name", "group") if way.get(name))
