"""``operator doctor``: examine the data directory and its host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from scaivault.cli.configuration import load_settings
from scaivault.cli.failure import DAMAGE, Failure
from scaivault.cli.http import rows
from scaivault.cli.output import Table, as_document, show
from scaivault.cli.session import Session, common_flags, session

if TYPE_CHECKING:
    from scaivault.config import Settings


@click.command()
@click.option("--data-dir", metavar="D", help="Else as the configuration says.")
@click.option(
    "--config", metavar="F", help="Settings; else $SCAIVAULT_CONFIG or /etc/scaivault/config.yaml."
)
@click.option("--fix-modes", is_flag=True, help="Close files to group and others first.")
@common_flags
def doctor(data_dir: str | None, config: str | None, fix_modes: bool) -> int:
    """OK, WARN or FAIL for each check, with the remedy; exit 7 on any FAIL.

    Run it as the service's user, or as root, who then acts with that user's rights. With a
    token of a super admin it also asks the server when its slots were last verified.
    """
    from scaivault.clock import SystemClock
    from scaivault.system.doctor import Subject, examine, report

    current = session()
    settings, refused = _settings(config, data_dir)
    slots, unknown = _slots(current)
    subject = Subject(
        settings=settings,
        now=SystemClock().now(),
        slots=slots,
        unknown=unknown,
        config_error=refused,
        fix_modes=fix_modes,
    )
    answer = report(examine(subject))
    if current.json:
        as_document(answer)
    else:
        lines = [(each["status"], each["check"], each["detail"]) for each in answer["checks"]]
        show(Table(("STATUS", "CHECK", "DETAIL"), lines))
    return 0 if answer["ok"] else DAMAGE


def _settings(config: str | None, data_dir: str | None) -> tuple[Settings, str | None]:
    """The settings, or the defaults and why the configuration is refused."""
    from pathlib import Path

    from scaivault.config import Settings

    try:
        return load_settings(config, {"data_dir": data_dir}), None
    except Failure as refused:
        defaults = Settings(data_dir=Path(data_dir).absolute()) if data_dir else Settings()
        return defaults, refused.message


def _slots(current: Session) -> tuple[list[dict[str, Any]] | None, str]:
    """The server's slots, or why they are not known."""
    if not current.has_token:
        return None, "no token; set SCAIVAULT_TOKEN or --token-file to ask the server"
    try:
        return rows(current.api().get("/v1/system/slots").body, "slots"), ""
    except Failure as failure:
        return None, failure.message
