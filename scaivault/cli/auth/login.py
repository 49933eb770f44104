"""``auth login``, ``logout`` and ``whoami``: credentials kept for the next commands."""

from __future__ import annotations

from typing import Any

import click

from scaivault.cli import ask, profiles
from scaivault.cli.failure import usage
from scaivault.cli.session import Session, client_flags, session
from scaivault.cli.tables import facts

_CREDENTIALS = ("token", "client_id", "client_secret")
_EXCHANGE = "A token of another issuer, in this file (`-`: stdin), for one of the vault."


@click.command()
@click.option("--token", metavar="T", help="The token (`-`: stdin); asked for when left out.")
@click.option(
    "--client-id", metavar="ID", help="Of a service account: sa_…; its secret is asked for."
)
@click.option("--client-secret-file", metavar="F", help="The secret instead (`-`: stdin).")
@click.option("--exchange", metavar="F", help=_EXCHANGE)
@click.option("--audience", metavar="A", help="With --exchange: for whom; scaivault.")
@click.option("--role", metavar="R", help="With --exchange: as which service account.")
@client_flags
def login(
    token: str | None,
    client_id: str | None,
    client_secret_file: str | None,
    exchange: str | None,
    audience: str | None,
    role: str | None,
) -> None:
    """Keep a token, or a service account's credentials, for the commands that follow.

    They are tried first: what the server refuses is not kept. The address goes into the profile
    with them. A token in an argument stands in the list of processes and the shell's history. What
    --exchange gives ends after an hour or so; then log in with a fresh token.
    """
    if sum(given is not None for given in (token, client_id, exchange)) > 1:
        raise usage("one of --token, --client-id and --exchange, not several")
    if client_secret_file is not None and client_id is None:
        raise usage("--client-secret-file needs --client-id")
    if exchange is None and (audience is not None or role is not None):
        raise usage("--audience and --role need --exchange")
    current = session()
    settings = current.settings(without_credentials=True)
    if client_id is not None:
        given = {"client_id": client_id, "client_secret": _secret(client_secret_file)}
    elif exchange is not None:
        given = {"token": _exchanged(current, settings, exchange, audience, role)}
    else:
        given = {"token": _token(token)}
    _enter(current, {**settings, **given}, given)


@click.command()
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


@click.command()
@client_flags
def whoami() -> None:
    """Identity, tenant, scopes, roles and end of the token in use."""
    current = session()
    vault = current.vault()
    answer = vault.ask(vault.client.auth.whoami)
    current.show(answer, facts(answer.body))


def _enter(current: Session, settings: dict[str, Any], given: dict[str, str]) -> None:
    vault = current.vault_with(settings)
    answer = vault.ask(vault.client.auth.whoami)
    _keep(current, settings["base_url"], given)
    name = current.profile_name or profiles.load().current
    current.note(f"logged in as {answer.body.get('identity_id')}, kept in profile {name}")
    if first := current.environment_credential:
        current.note(f"{first} is set and comes before every profile; unset it")
    if current.json:
        current.show(answer)


def _token(given: str | None) -> str:
    from scaivault.cli.http import checked_token

    if given == "-":
        return checked_token(ask.from_file("-"))
    return checked_token(given or ask.hidden("Token", instead="--token"))


def _secret(file: str | None) -> str:
    if file is not None:
        return ask.from_file(file)
    return ask.hidden("Client secret", instead="--client-secret-file")


def _exchanged(
    current: Session, settings: dict[str, Any], file: str, audience: str | None, role: str | None
) -> str:
    from scaivault.cli.http import checked_token

    subject = checked_token(ask.from_file(file).strip())
    vault = current.vault_with(settings)
    answer = vault.ask(vault.client.auth.exchange, subject, audience=audience, role=role)
    current.note(f"the token ends in {answer.body.get('expires_in')} s")
    return checked_token(str(answer.body.get("access_token")))


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
