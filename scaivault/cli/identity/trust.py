"""``identity trust``: tokens of other issuers that are exchanged for ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from scaivault.cli import ask
from scaivault.cli.failure import usage
from scaivault.cli.identity.shapes import changed, show_one
from scaivault.cli.ids import account_of
from scaivault.cli.session import client_flags, session
from scaivault.cli.tables import list_of
from scaivault.cli.values import given, json_object

_Command = TypeVar("_Command", bound=Callable[..., Any])

_NEEDED = {
    "issuer": "--issuer", "subject": "--subject", "identity": "--identity", "max_scopes": "--scope",
}  # fmt: skip
_COLUMNS = {
    "ID": "id", "NAME": "name", "ISSUER": "issuer", "SUBJECT": "subject", "IDENTITY": "identity",
    "ACTIVE": "is_active",
}  # fmt: skip
_FLAGS = (
    click.option("--file", metavar="F", help="JSON file (`-`: stdin) with any fields of a trust."),
    click.option("--issuer", metavar="URL", help="The iss of its tokens, to the letter."),
    click.option("--subject", metavar="GLOB", help="What their sub must fit."),
    click.option(
        "--claim",
        "claims",
        multiple=True,
        metavar="NAME=VALUE",
        help="A claim that they must have.",
    ),
    click.option("--identity", metavar="NAME", help="The service account that they become."),
    click.option("--scope", "scopes", multiple=True, metavar="S", help="At most these; one each."),
    click.option("--path", "paths", multiple=True, metavar="GLOB", help="Only for such paths."),
    click.option("--audience", multiple=True, metavar="A", help="Their aud; scaivault."),
    click.option("--jwks-file", metavar="F", help="The issuer's keys, in this JSON file."),
    click.option("--jwks-url", metavar="URL", help="The issuer's keys, not by discovery."),
    click.option("--max-ttl", metavar="D", help="Longest life of what they become; 1h."),
)


def _trust_flags(command: _Command) -> _Command:
    for flag in reversed(_FLAGS):
        command = flag(command)
    return command


@click.group()
@client_flags
def trust() -> None:
    """Tokens of other issuers that are exchanged for ours: of a build, a pod, a cloud's machine.

    auth login --exchange exchanges one.
    """


@trust.command("list")
@click.option("--all", "every", is_flag=True, help="All pages.")
@client_flags
def list_(every: bool) -> None:
    """Whom the tenant trusts, newest first."""
    current = session()
    vault = current.vault()
    answer = vault.pages(vault.client.identity.trusts, "trusts", every=every)
    current.show_page(answer, list_of(answer.body, "trusts", _COLUMNS))


@trust.command()
@click.argument("name", metavar="NAME")
@_trust_flags
@client_flags
def create(name: str, file: str | None, **flags: Any) -> None:
    """Trust an issuer's tokens.

    For example: --issuer https://token.actions.githubusercontent.com --subject
    'repo:acme/shop:ref:refs/heads/main' --identity sa:deploy --scope secrets:read
    """
    fields = _fields(file, flags)
    missing = [flag for field, flag in _NEEDED.items() if field not in fields]
    if missing:
        raise usage(f"a trust needs {', '.join(missing)}, or --file")
    if "name" in fields:
        raise usage("NAME says how it is called: not in --file")
    show_one("create_trust", name, **fields)


@trust.command()
@click.argument("trust_id", metavar="ID")
@click.option("--name", metavar="S", help="Another name.")
@_trust_flags
@click.option("--active/--inactive", "is_active", default=None, help="Switch it on or off.")
@client_flags
def update(
    trust_id: str, name: str | None, is_active: bool | None, file: str | None, **flags: Any
) -> None:
    """Change a trust. Tokens issued under it end at once."""
    fields = changed({**_fields(file, flags), **given(name=name, is_active=is_active)})
    show_one("update_trust", trust_id, **fields)


@trust.command()
@click.argument("trust_id", metavar="ID")
@ask.yes_flag
@client_flags
def delete(trust_id: str, yes: bool) -> None:
    """Trust no longer. Tokens issued under it end at once.

    Asks first; without a terminal it needs --yes.
    """
    ask.agreed(f"Delete trust {trust_id}, with the tokens issued under it?", yes=yes)
    show_one("delete_trust", trust_id)


def _fields(file: str | None, flags: Mapping[str, Any]) -> dict[str, Any]:
    """The trust that file and flags describe; a flag comes before the file."""
    found = {} if file is None else json_object(file)
    if unknown := found.keys() & {"self", "trust_id"}:  # arguments of the SDK's calls
        raise usage(f"{file}: a trust has no field {unknown.pop()}")
    keys, account = flags["jwks_file"], flags["identity"]
    named = given(
        issuer=flags["issuer"],
        subject=flags["subject"],
        identity=None if account is None else account_of(account),
        max_scopes=list(flags["scopes"]) or None,
        claims_equal=_claims(flags["claims"]) or None,
        allowed_paths=list(flags["paths"]) or None,
        audience=list(flags["audience"]) or None,
        jwks=None if keys is None else json_object(keys),
        jwks_url=flags["jwks_url"],
        max_ttl=flags["max_ttl"],
    )
    return {**found, **named}


def _claims(pairs: tuple[str, ...]) -> dict[str, Any]:
    """``NAME=VALUE``; a name that comes twice may have either value."""
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise usage(f"--claim {pair} is not NAME=VALUE")
        before = found.get(name)
        both = [*before, value] if isinstance(before, list) else [before, value]
        found[name] = value if before is None else both
    return found
