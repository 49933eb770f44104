"""``scaivault``: the root of all commands, and the one place where a command's end becomes an
exit code.

Nothing heavy may be imported here: ``scaivault --version`` answers within 150 ms.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any, Final, NoReturn

import click

from scaivault import __version__
from scaivault.cli.failure import GENERAL, USAGE, Failure, exit_of, usage
from scaivault.cli.lazy import LazyGroup
from scaivault.cli.output import complain
from scaivault.cli.session import client_flags
from scaivault.errors import Refusal

_COMMANDS: Final = {
    "serve": (".serve:serve", "Run the server."),
    "operator": (".operator:operator", "Set a vault up, unseal it, keep it sound."),
    "system": (".system:system", "Health, readiness and version of a server."),
    "secrets": (".secrets:secrets", "Read, write, list, rotate, delete secrets."),
    "policies": (".policies:policies", "Who may do what on which paths."),
    "audit": (".audit:audit", "What was done: search, export, verify."),
    "auth": (".auth:auth", "Log in and out; who you are; tokens."),
    "identity": (".identity:identity", "People, programs, groups; whom to trust."),
    "config": (".config:config", "What the program keeps of your settings."),
    "completion": (".completion:completion", "Let a shell complete commands."),
}


class _Root(LazyGroup):
    """Click's own ends (usage 2, abort 1) and all of ours, as one table of exit codes."""

    def main(  # type: ignore[override]  # never standalone: this method is what standalone means
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        words = list(sys.argv[1:] if args is None else args)
        extra["standalone_mode"] = False
        try:
            result = super().main(words, prog_name or "scaivault", **extra)
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever read our output left; the interpreter must not complain about that again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(GENERAL)
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(USAGE)
        except Exception as error:
            failure = _failure(error)
            if failure is None:
                raise
            complain(failure, envelope="--json" in words, no_color="--no-color" in words)
            sys.exit(failure.exit_code)
        sys.exit(result if isinstance(result, int) else 0)


def _failure(error: Exception) -> Failure | None:
    """What a command ended with, as a ``Failure``; ``None`` for a defect of this program."""
    match error:
        case Failure():
            return error
        case click.UsageError():
            return _wrong_usage(error)
        case click.ClickException():
            return Failure("failed", error.format_message())
        case click.Abort():
            return Failure("aborted", "stopped before the end")
        case Refusal():
            return Failure(error.code, error.message, exit_of(error.status))
        case OSError():
            return Failure("failed", f"{error.filename or 'input or output'}: {error.strerror}")
        case _:
            return _of_sdk(error)


def _wrong_usage(error: click.UsageError) -> Failure:
    """What click says, without arguments too many: one may be a token that lost its option."""
    message = error.format_message().rstrip(".").replace("a valid integer range", "an integer")
    if message.startswith("Got unexpected extra argument"):
        message = "there are too many arguments"
        if error.ctx and not any(
            isinstance(each, click.Argument) for each in error.ctx.command.params
        ):
            message = "it takes options only, no arguments"
    hint = f"; see {error.ctx.command_path} --help" if error.ctx else ""
    return usage(message + hint)


def _of_sdk(error: Exception) -> Failure | None:
    """What the SDK raised. It is imported only if a command called it."""
    if "scaivault_sdk.errors" not in sys.modules:
        return None
    from scaivault.cli.vault import failure_of

    return failure_of(error)


@click.group(
    cls=_Root,
    package="scaivault.cli",
    table=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="scaivault", message="%(prog)s %(version)s")
@client_flags
def scaivault() -> None:
    """ScaiVault keeps secrets, certificates and short-lived credentials.

    Flags may stand before or after a command's name. Errors go to stderr only.
    """


def main() -> NoReturn:
    """Entry point of the console script."""
    scaivault.main()


if __name__ == "__main__":
    main()
