"""``scaivault auth``: credentials kept for the next commands, and who they belong to."""

from __future__ import annotations

from typing import Any

import click

from scaivault.cli import ask, profiles
from scaivault.cli.failure import usage
from scaivault.cli.output import Table
from scaivault.cli.session import Session, client_flags, session

_CREDENTIALS = ("token", "client_id", "client_secret")


@click.group()
@client_flags
def auth() -> None:
    """Log in and out; who you are."""


@auth.command()
@click.option("--token", metavar="T", help="The token (`-`: stdin); asked for when left out.")
@click.option("--client-id", metavar="I", help="A service account; its secret is asked for.")
@click.option("--client-secret-file", metavar="F", help="The secret instead (`-`: stdin).")
@client_flags
def login(token: str | None, client_id: str | None, client_secret_file: str | None) -> None:
    """Keep a token, or a service account's credentials, for the commands that follow.

    They are tried first: what the server refuses is not kept. The address goes into the profile
    with them. A token in an argument stands in the list of processes and the shell's history.
    """
    if client_id is not None and token is not None:
        raise usage("--token or --client-id, not both")
    if client_secret_file is not None and client_id is None:
        raise usage("--client-secret-file needs --client-id")
    current = session()
    given = (
        {"token": _token(token)}
        if client_id is None
        else {"client_id": client_id, "client_secret": _secret(client_secret_file)}
    )
    settings = {**current.settings(without_credentials=True), **given}
    vault = current.vault_with(settings)
    answer = vault.ask(vault.client.auth.whoami)
    _keep(current, settings["base_url"], given)
    name = current.profile_name or profiles.load().current
    current.note(f"logged in as {answer.body.get('identity_id')}, kept in profile {name}")
    if first := current.environment_credential:
        current.note(f"{first} is set and comes before every profile; unset it")
    if current.json:
        current.show(answer)


@auth.command()
@click.option("--revoke", is_flag=True, help="Also make the token useless everywhere.")
@client_flags
def logout(revoke: bool) -> None:
    """Forget the credentials of a profile."""
    current = session()
    kept = profiles.load()
    profile = kept.get(current.profile_name)
    if not any(profile.get(key) for key in _CREDENTIALS):
        current.note("no credentials are kept in this profile")
        return
    if revoke:
        _revoke(current, profile)
    for key in _CREDENTIALS:
        kept.change(current.profile_name, key, None)
    kept.save()


@auth.command()
@client_flags
def whoami() -> None:
    """Identity, tenant, scopes, roles and end of the token in use."""
    current = session()
    vault = current.vault()
    answer = vault.ask(vault.client.auth.whoami)
    current.show(answer, Table(("FIELD", "VALUE"), list(answer.body.items())))


def _token(given: str | None) -> str:
    from scaivault.cli.http import checked_token

    if given == "-":
        return checked_token(ask.from_file("-"))
    return checked_token(given or ask.hidden("Token", instead="--token"))


def _secret(file: str | None) -> str:
    if file is not None:
        return ask.from_file(file)
    return ask.hidden("Client secret", instead="--client-secret-file")


def _keep(current: Session, url: str, given: dict[str, str]) -> None:
    kept = profiles.load()
    name = current.profile_name
    for key in _CREDENTIALS:
        kept.change(name, key, given.get(key))
    kept.change(name, "base_url", url)
    kept.save()


def _revoke(current: Session, profile: profiles.Profile) -> None:
    """Only a kept token can be: the short-lived ones of client credentials end by themselves."""
    if not profile.get("token"):
        raise usage("--revoke is for tokens; a client secret is revoked by an administrator")
    from scaivault_sdk.errors import AuthenticationError

    settings: dict[str, Any] = current.settings(without_credentials=True)
    vault = current.vault_with({**settings, "token": profile["token"]})
    try:
        vault.ask(vault.client.auth.revoke_token, "self")
    except AuthenticationError as refused:
        current.note(f"the token was of no use any more: {refused.code}")
