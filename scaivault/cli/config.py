"""``scaivault config``: what the program keeps in ``~/.scaivault/config.json``."""

from __future__ import annotations

import click

from scaivault.cli import ask, profiles
from scaivault.cli.failure import NOT_FOUND, Failure
from scaivault.cli.output import Table, as_document
from scaivault.cli.profiles import KEYS, SECRET
from scaivault.cli.session import client_flags, session

# Says nothing of the length, nor of the ends.
_MASKED = "********"


@click.group()
@client_flags
def config() -> None:
    """Address, credentials and tenant, kept in ~/.scaivault/config.json by profile.

    A flag comes before the environment, and the environment before this file. The file is 0600 in
    a directory of 0700; one that is open to others is refused.
    """


@config.command("set")
@click.argument("setting", metavar="KEY")
@click.argument("value", metavar="VALUE")
@client_flags
def set_(setting: str, value: str) -> None:
    """Keep a setting: base_url, token, client_id, client_secret, tenant_id, partner_id, ca_file or
    timeout (seconds).

    VALUE `-` is read from stdin, so that a token is no argument.
    """
    kept = profiles.load()
    kept.change(session().profile_name, setting, ask.from_file("-") if value == "-" else value)
    kept.save()


@config.command()
@click.argument("setting", metavar="KEY")
@client_flags
def get(setting: str) -> None:
    """Print one setting, a token too; exit 4 when it is not kept."""
    current = session()
    value = profiles.load().get(current.profile_name).get(profiles.checked_key(setting))
    if value is None:
        raise Failure("not_set", f"{setting} is not kept in this profile", NOT_FOUND)
    if current.json:
        as_document({setting: value})
    else:
        click.echo(value)


@config.command("list")
@client_flags
def list_() -> None:
    """All settings of a profile; token and client secret are masked."""
    current = session()
    profile = profiles.load().get(current.profile_name)
    shown = {key: _MASKED if key in SECRET else profile[key] for key in KEYS if profile.get(key)}
    current.show_own(shown, Table(("KEY", "VALUE"), list(shown.items()), "settings"))


@config.command()
@click.argument("setting", metavar="KEY")
@client_flags
def unset(setting: str) -> None:
    """Forget a setting. One that is not kept is forgotten already."""
    kept = profiles.load()
    kept.change(session().profile_name, setting, None)
    kept.save()


@config.command("use-profile")
@click.argument("name", metavar="P")
@client_flags
def use_profile(name: str) -> None:
    """Take the settings of another profile from now on; --profile does so for one command."""
    kept = profiles.load()
    kept.current = profiles.checked_name(name)
    kept.save()
    if name not in kept.table:
        session().note(f"profile {name} holds nothing yet")
