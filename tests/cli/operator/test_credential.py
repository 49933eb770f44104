"""Credentials: no command takes a secret as an argument, and the options exclude each other."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import click
import pytest

from scaivault.cli.failure import Failure
from scaivault.cli.operator.credential import Given
from tests.support.commands import every_command

SECRET_WORDS = ("pass", "share", "key", "token", "secret", "pin", "credential")
# Values, yet no secrets: counts, ids of owners, a duration, names of files and settings.
PUBLIC = {
    *("shares", "root_token_ttl", "keyfile", "public_key"),
    *("secret_type", "credentials_path"),
}
# The first is for throw-away vaults alone, the second can be typed instead; the help of both says
# who can see them.
EXEMPT = {"dev_token", "token"}


def test_no_option_of_any_command_holds_a_secret() -> None:
    for _, command in every_command():
        for parameter in command.params:
            name = parameter.name or ""
            suspicious = any(word in name for word in SECRET_WORDS)
            names_a_file = name.endswith(("_file", "_files")) or name == "files"
            is_flag = isinstance(parameter, click.Option) and parameter.is_flag
            assert not suspicious or names_a_file or is_flag or name in PUBLIC | EXEMPT, (
                f"{command.name}: {name}"
            )


def test_there_are_commands_to_look_at() -> None:
    assert len(list(every_command())) > 25


@pytest.mark.parametrize("pair", list(itertools.combinations(range(4), 2)))
def test_only_one_kind_of_credential(pair: tuple[int, int]) -> None:
    kinds: list[dict[str, Any]] = [
        {"passphrase_file": "f"},
        {"share_files": ("f",)},
        {"key_file": "f"},
        {"auto": True},
    ]
    assert all(Given(**kind).anything for kind in kinds)
    with pytest.raises(Failure, match="only one"):
        Given(**{**kinds[pair[0]], **kinds[pair[1]]})


def test_shares_of_several_files_come_in_their_order(tmp_path: Path) -> None:
    for name, text in (("a", "one\ntwo\n"), ("b", "three")):
        (tmp_path / name).write_text(text)
    given = Given("slot_1", share_files=(str(tmp_path / "a"), str(tmp_path / "b")))
    assert given.read() == {"slot_id": "slot_1", "shares": ["one", "two", "three"]}


def test_nothing_given_is_nothing_read() -> None:
    assert (Given().read(), Given("slot_1").anything) == (None, False)
