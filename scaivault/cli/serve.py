"""``scaivault serve``: flags to settings and options; the server itself is ``scaivault.app``."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from scaivault.cli.configuration import load_settings
from scaivault.cli.dev import throwaway
from scaivault.cli.failure import Failure, usage
from scaivault.cli.output import note

if TYPE_CHECKING:
    from scaivault.config import Settings
    from scaivault.system.start import StartOptions

_DEV_BIND: Final = "127.0.0.1:8443"
_DEV_NETWORKS: Final = ["127.0.0.0/8", "::1"]


@click.command()
@click.option(
    "--config", metavar="F", help="Settings; else $SCAIVAULT_CONFIG or /etc/scaivault/config.yaml."
)
@click.option("--data-dir", metavar="D", help="Where the vault is kept.")
@click.option("--bind", metavar="A", help="host:port to listen on.")
@click.option("--base-url", metavar="U", help="The address by which clients know it.")
@click.option("--log-level", metavar="L", help="debug, info, warn or error.")
@click.option("--check", is_flag=True, help="Check settings and conditions, then exit.")
@click.option("--no-worker", is_flag=True, help="Answer requests only; no background jobs.")
@click.option("--accept-seal-mismatch", is_flag=True, help="Once: another vault.seal is meant.")
@click.option("--accept-clock", is_flag=True, help="Unseal although the clock is behind.")
@click.option("--allow-root", is_flag=True, help="Run as root.")
@click.option("--dev", is_flag=True, help="A throw-away vault on this machine, unsealed.")
@click.option("--dev-token", metavar="T", help="Its root token; every user can see this.")
@click.option("--dev-keep", is_flag=True, help="Do not remove its directory at exit.")
def serve(
    config: str | None,
    data_dir: str | None,
    bind: str | None,
    base_url: str | None,
    log_level: str | None,
    check: bool,
    no_worker: bool,
    accept_seal_mismatch: bool,
    accept_clock: bool,
    allow_root: bool,
    dev: bool,
    dev_token: str | None,
    dev_keep: bool,
) -> int:
    """Run the server until SIGTERM or SIGINT.

    Exit 5 when the configuration is refused, 6 when the start is, 7 when the crypto self-test
    fails.
    """
    if not dev and (dev_token is not None or dev_keep):
        raise usage("--dev-token and --dev-keep go with --dev")
    if dev_token is not None:
        _check_dev_token(dev_token)
    if dev and data_dir is not None:
        raise usage("--dev makes a directory of its own; leave --data-dir out")
    with throwaway(keep=dev_keep) if dev else nullcontext() as scratch:
        flags = {
            "data_dir": str(scratch) if scratch else data_dir,
            "server.bind": bind or (_DEV_BIND if dev else None),
            "server.base_url": base_url,
            "log.level": log_level,
            "webhooks.allowed_networks": _DEV_NETWORKS if dev else None,
        }
        # A throw-away vault takes nothing from this host's real configuration.
        path = config or (os.devnull if dev else None)
        settings = load_settings(path, flags)
        if dev and not settings.server.bind.is_loopback:
            raise usage("--dev is for this machine only: --bind must be a loopback address")
        return _start(
            settings,
            check=check,
            config_path=Path(path) if path else None,
            flags=flags,
            worker=not no_worker,
            accept_seal_mismatch=accept_seal_mismatch,
            accept_clock=accept_clock,
            allow_root=allow_root,
            dev=dev,
            dev_token=dev_token,
        )


def _check_dev_token(text: str) -> None:
    """No server takes a token that fails its checksum, so it would be refused at every call."""
    from scaivault.crypto.codes import TOKEN, is_token

    if not is_token(TOKEN, text):
        raise usage("--dev-token must be a whole token, such as one that serve --dev printed")


def _start(settings: Settings, *, check: bool, **options: Any) -> int:
    """Check, then run; what refuses the start carries its own exit code."""
    from scaivault.storage.folder import StartRefused
    from scaivault.system.start import StartOptions, check_start

    wanted = StartOptions(**options)
    try:
        check_start(settings, wanted)
        if check:
            note("The configuration is valid and the start would not be refused.")
            return 0
        return _run(settings, wanted)
    except StartRefused as refused:
        raise Failure("start_refused", refused.message, refused.exit_code) from None


def _run(settings: Settings, options: StartOptions) -> int:
    from scaivault.app import serve as run

    code: int = run(settings, options)
    return code
