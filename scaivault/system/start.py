"""How a run of the server was asked to start, and what must be right before it does.

``scaivault serve`` and ``scaivault serve --check`` ask the same questions here. What only the
running server can know (the lock, the database's schema, the age of the newest audit row) it
asks itself, later.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from scaivault.config.settings import Settings
from scaivault.crypto.selftest import SelfTestFailed
from scaivault.crypto.selftest import run as self_test
from scaivault.storage.folder import Folder, StartRefused, refuse_open_to_others

_SELF_TEST_FAILED: Final = 7


@dataclass(frozen=True, kw_only=True)
class StartOptions:
    """Flags of ``serve`` that are no settings.

    ``config_path`` and ``flags`` are what the settings were loaded from, for the next load on
    SIGHUP. ``dev``: the data directory is empty and thrown away afterwards: initialise it, unseal
    it, tell address and token, and make no scheduled backups. ``dev_token``: the root token to
    use instead of a random one.
    """

    config_path: Path | None = None
    flags: Mapping[str, Any] = field(default_factory=dict)
    worker: bool = True
    accept_seal_mismatch: bool = False
    accept_clock: bool = False
    allow_root: bool = False
    dev: bool = False
    dev_token: str | None = field(default=None, repr=False)


def check_start(settings: Settings, options: StartOptions) -> None:
    """``StartRefused`` when the program must not run here like this. Changes nothing."""
    if os.geteuid() == 0 and not (options.allow_root or options.dev):
        raise StartRefused("running as root: start as a user of its own, or give --allow-root")
    try:
        self_test()
    except SelfTestFailed as failed:
        raise StartRefused(
            f"the crypto self-test failed ({failed}): this host or its libraries cannot be trusted",
            _SELF_TEST_FAILED,
        ) from failed
    if settings.server.tls.key_file is not None:
        refuse_open_to_others(settings.server.tls.key_file)
    certificate = settings.server.tls.cert_file
    if certificate is not None and not os.access(certificate, os.R_OK):
        raise StartRefused(f"{certificate} cannot be read: give server.tls.cert_file a certificate")
    folder = Folder(settings.data_dir, allow_network_fs=settings.storage.allow_network_fs)
    # A directory that is not there is made by the server.
    if os.path.lexists(folder.path):
        folder.check()
