"""What opens a slot, from options or from somebody at the terminal.

Made here: the bodies ``{"slot_id"?, "passphrase"}``, ``{"slot_id"?, "share"}``,
``{"slot_id"?, "shares"}``, ``{"slot_id"?, "key"}`` and ``{"auto": true}``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final

import click

from scaivault.cli import ask
from scaivault.cli.failure import usage
from scaivault.cli.operator.shapes import Slot, checked_id, threshold

Credential = dict[str, Any]

_SHARE: Final = "svs1-"
_FILES: Final = "--passphrase-file, --share-file or --key-file"


@dataclass(frozen=True)
class Given:
    """The credential options of one call; at most one kind of them is set."""

    slot: str | None = None
    passphrase_file: str | None = None
    share_files: tuple[str, ...] = ()
    key_file: str | None = None
    auto: bool = False

    def __post_init__(self) -> None:
        kinds = (self.passphrase_file, self.share_files, self.key_file, self.auto)
        if sum(map(bool, kinds)) > 1:
            raise usage(f"give only one of {_FILES}" + (", --auto" if self.auto else ""))
        if self.slot is not None:
            checked_id(self.slot, "--slot")
            if self.auto:
                raise usage("--auto tries every automatic slot; leave --slot out")

    @property
    def anything(self) -> bool:
        return bool(self.passphrase_file or self.share_files or self.key_file or self.auto)

    def read(self) -> Credential | None:
        """The credential the options name, all shares at once; ``None`` when they name none."""
        if self.auto:
            return {"auto": True}
        if self.passphrase_file is not None:
            return self.placed({"passphrase": ask.from_file(self.passphrase_file)})
        if self.key_file is not None:
            return self.placed({"key": ask.from_file(self.key_file).strip()})
        if self.share_files:
            files = (ask.lines_from_file(name) for name in self.share_files)
            return self.placed({"shares": [share for lines in files for share in lines]})
        return None

    def placed(self, credential: Credential) -> Credential:
        """``credential`` with the slot it is for, where one was named."""
        return {"slot_id": self.slot, **credential} if self.slot is not None else credential

    def among(self, slots: Sequence[Slot]) -> list[Slot]:
        """The slots it may be for: the named one, else those somebody can type a secret for."""
        if self.slot is not None:
            named = [slot for slot in slots if slot.get("id") == self.slot]
            if not named:
                raise usage(f"there is no slot {self.slot}; see: scaivault operator status")
            return named
        return [slot for slot in slots if slot.get("type") in ("passphrase", "shamir")]


def credential_flags(*, slot: bool, auto: bool) -> Callable[[Callable[..., Any]], Any]:
    """The options as click knows them, handed to the command as ``given: Given``."""
    options = [
        click.option("--passphrase-file", metavar="F", help="Passphrase or recovery key."),
        click.option(
            "--share-file", "share_files", multiple=True, metavar="F", help="Shares, one a line."
        ),
        click.option("--key-file", metavar="F", help="Key of a key file slot, base64."),
    ]
    if slot:
        options.append(click.option("--slot", metavar="ID", help="Only this slot."))
    if auto:
        options.append(click.option("--auto", is_flag=True, help="Use the automatic slots."))

    def decorate(command: Callable[..., Any]) -> Any:
        @wraps(command)
        def with_given(
            passphrase_file: str | None,
            share_files: tuple[str, ...],
            key_file: str | None,
            slot: str | None = None,
            auto: bool = False,
            **others: Any,
        ) -> Any:
            given = Given(slot, passphrase_file, share_files, key_file, auto)
            return command(given=given, **others)

        wrapped: Any = with_given
        for option in reversed(options):
            wrapped = option(wrapped)
        return wrapped

    return decorate


def one_by_one(given: Given, slots: Sequence[Slot]) -> Iterator[Credential]:
    """For unseal: one body a call. The options' shares singly; at a terminal until an empty
    line. The consumer stops asking when the vault is open."""
    credential = given.read()
    if credential is None:
        while text := ask.hidden(_prompt(given.among(slots)), instead=_FILES):
            yield given.placed(_typed(text))
    elif "shares" in credential:
        for share in credential["shares"]:
            yield given.placed({"share": share})
    else:
        yield credential


def whole(given: Given, slots: Sequence[Slot]) -> Credential:
    """For calls that take a slot's credential in one piece: all shares together."""
    credential = given.read()
    if credential is not None:
        return credential
    among = given.among(slots)
    first = ask.hidden(_prompt(among), instead=_FILES)
    if not first:
        raise usage("nothing was entered")
    if not first.startswith(_SHARE):
        return given.placed({"passphrase": first})
    return given.placed({"shares": [first, *_further(first, among)]})


def _further(first: str, slots: Sequence[Slot]) -> Iterator[str]:
    """The shares after the first, up to the slot's threshold or an empty line."""
    needed = _needed(first, slots)
    for number in range(2, needed + 1):
        share = ask.hidden(f"Share {number} of {needed}", instead=_FILES)
        if not share:
            return
        yield share


def _needed(share: str, slots: Sequence[Slot]) -> int:
    """The threshold of the slot a share says it is of: ``svs1-<last 6 of slot id>-…``."""
    owner = share.removeprefix(_SHARE).partition("-")[0]
    known = {str(slot.get("id"))[-6:]: threshold(slot) for slot in slots}
    return known.get(owner) or max((count or 2 for count in known.values()), default=2)


def _typed(text: str) -> Credential:
    return {"share": text} if text.startswith(_SHARE) else {"passphrase": text}


def _prompt(slots: Sequence[Slot]) -> str:
    kinds = {slot.get("type") for slot in slots}
    words = []
    if "passphrase" in kinds:
        words.append("Passphrase or recovery key")
    if "shamir" in kinds:
        words.append("Share" if not words else "share")
    if not words:
        raise usage("no slot takes what can be typed; use --key-file, or --auto where offered")
    return " or ".join(words)
