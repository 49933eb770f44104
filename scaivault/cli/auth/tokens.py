"""``auth token``: personal access tokens."""

from __future__ import annotations

import click

from scaivault.cli import ask
from scaivault.cli.ids import user_of
from scaivault.cli.once import hand_over, out_flag
from scaivault.cli.session import client_flags, session
from scaivault.cli.tables import list_of

_KINDS = ("personal_access_token", "client_credentials", "user_session", "exchanged")
_STATES = ("active", "expired", "revoked")
_COLUMNS = {
    "ID": "id", "NAME": "name", "SCOPES": "scopes", "EXPIRES": "expires_at",
    "LAST-USED": "last_used_at",
}  # fmt: skip


@click.group()
@client_flags
def token() -> None:
    """Make, list and revoke tokens.

    Tokens are for people; a program has a service account with a client secret.
    """


@token.command()
@click.argument("name", metavar="NAME")
@click.option(
    "--scope", "scopes", multiple=True, required=True, metavar="S", help="A scope; one each."
)
@click.option("--expires-in", metavar="D", help="Its life: 12h, 30d; else 90d.")
@click.option(
    "--path", "paths", multiple=True, metavar="GLOB", help="Only for such paths; one each."
)
@click.option("--ip", "networks", multiple=True, metavar="CIDR", help="Only from there; one each.")
@click.option("--for", "owner", metavar="USER", help="For another user.")
@out_flag
@client_flags
def create(
    name: str,
    scopes: tuple[str, ...],
    expires_in: str | None,
    paths: tuple[str, ...],
    networks: tuple[str, ...],
    owner: str | None,
    out: str | None,
) -> None:
    """A new token, shown once: stdout holds the token alone.

    It can do no more than the one in use, and ends no later unless that one has a fresh second
    factor.
    """
    current = session()
    vault = current.vault()
    made = hand_over(
        current,
        out,
        "token",
        lambda: vault.ask(
            vault.client.auth.create_token,
            name,
            scopes,
            expires_in=expires_in,
            allowed_paths=list(paths) or None,
            ip_ranges=list(networks) or None,
            identity_id=None if owner is None else user_of(owner),
        ),
    )
    current.note(f"{made.get('id')}, valid until {made.get('expires_at')}, not shown again")


@token.command("list")
@click.option("--identity", metavar="I", help="Those of somebody else.")
@click.option("--kind", type=click.Choice(_KINDS), help="Only of this kind.")
@click.option("--status", type=click.Choice(_STATES), help="Others than the active ones.")
@click.option("--all", "every", is_flag=True, help="All pages.")
@client_flags
def list_(identity: str | None, kind: str | None, status: str | None, every: bool) -> None:
    """Your tokens, newest first, without their text."""
    current = session()
    vault = current.vault()
    found = vault.client.auth.list_tokens
    answer = vault.pages(found, "tokens", identity, kind, status, every=every)
    current.show_page(answer, list_of(answer.body, "tokens", _COLUMNS))


@token.command()
@click.argument("which", metavar="ID")
@ask.yes_flag
@client_flags
def revoke(which: str, yes: bool) -> None:
    """End a token and those made from it; `self` is the one in use. It holds for the next request.

    Asks first; without a terminal it needs --yes.
    """
    ask.agreed(f"Revoke token {which}?", yes=yes)
    current = session()
    vault = current.vault()
    current.show(vault.ask(vault.client.auth.revoke_token, which))
