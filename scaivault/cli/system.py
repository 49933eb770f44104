"""``scaivault system``: how a server is doing. Three of the four need no token."""

from __future__ import annotations

from typing import Any

import click

from scaivault.cli.failure import GENERAL
from scaivault.cli.output import Table
from scaivault.cli.session import client_flags, session
from scaivault.cli.tables import facts


@click.group()
@client_flags
def system() -> None:
    """Health, readiness and version of a server."""


@system.command()
@client_flags
def health() -> None:
    """Whether the process runs, sealed or not."""
    current = session()
    vault = current.vault()
    answer = vault.ask(vault.client.system.health)
    current.show(answer, Table(("CHECK", "STATUS"), [("server", answer.body.get("status"))]))


@system.command()
@client_flags
def ready() -> int:
    """Whether it can serve secrets now; exit 1 if not."""
    current = session()
    vault = current.vault()
    answer = vault.ask(vault.client.system.ready)
    checks = answer.body.get("checks")
    checks = checks if isinstance(checks, dict) else {}
    errors = answer.body.get("errors")
    errors = errors if isinstance(errors, dict) else {}
    rows = [(name, state, errors.get(name)) for name, state in checks.items()]
    rows += [(name, "error", text) for name, text in errors.items() if name not in checks]
    current.show(answer, Table(("CHECK", "STATUS", "ERROR"), rows))
    return 0 if answer.status == 200 else GENERAL


@system.command()
@client_flags
def detailed() -> None:
    """Every check with its latency; needs a token of scope admin."""
    current = session()
    vault = current.vault()
    answer = vault.ask(vault.client.system.detailed)
    rows = [("server", answer.body.get("status"), None), *_checks(answer.body.get("checks"))]
    current.show(answer, Table(("CHECK", "STATUS", "LATENCY"), rows))


@system.command()
@client_flags
def version() -> None:
    """Version of the server, not of this program (`scaivault --version`)."""
    current = session()
    vault = current.vault()
    answer = vault.ask(vault.client.system.version)
    names = ("version", "api_version", "commit", "built_at")
    current.show(answer, facts({name: answer.body.get(name) for name in names}))


def _checks(checks: Any) -> list[tuple[str, Any, str | None]]:
    rows: list[tuple[str, Any, str | None]] = []
    for name, check in checks.items() if isinstance(checks, dict) else ():
        if isinstance(check, dict):
            latency = check.get("latency_ms")
            rows.append((name, check.get("status"), None if latency is None else f"{latency} ms"))
    return rows
