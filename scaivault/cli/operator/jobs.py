"""``operator jobs``: what the server does by itself, and a pause in all that acts outward."""

from __future__ import annotations

import click

from scaivault.cli.http import Answer
from scaivault.cli.session import Session, common_flags, session
from scaivault.cli.tables import list_of

_COLUMNS = {
    "JOB": "name", "LAST": "last_run_at", "NEXT": "next_run_at", "STATUS": "last_status",
    "LAG": "lag_seconds",
}  # fmt: skip


@click.group()
@common_flags
def jobs() -> None:
    """What the server does by itself; pause and resume all that acts outward."""


@jobs.command()
@common_flags
def status() -> None:
    """Each job: when it ran, when it will, how late it is."""
    current = session()
    _show(current, current.api().get("/v1/system/jobs"))


@jobs.command()
@common_flags
def pause() -> None:
    """Stop all that acts outward until resumed. So far nothing does."""
    current = session()
    _show(current, current.api().post("/v1/system/jobs/pause"))


@jobs.command()
@common_flags
def resume() -> None:
    """Let the paused jobs act again."""
    current = session()
    _show(current, current.api().post("/v1/system/jobs/resume"))


def _show(current: Session, answer: Answer) -> None:
    current.show(answer, list_of(answer.body, "jobs", _COLUMNS))
    if answer.body.get("paused"):
        current.note("Paused: nothing acts outward until `scaivault operator jobs resume`.")
