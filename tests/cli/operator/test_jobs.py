"""``operator jobs``."""

from __future__ import annotations

import json
from typing import Any

import pytest

JOBS = {
    "paused": True,
    "jobs": [
        {
            "name": "rotation",
            "last_run_at": None,
            "next_run_at": None,
            "last_status": "ok",
            "lag_seconds": 3,
        }
    ],
}


@pytest.mark.parametrize(
    ("word", "call"),
    [
        ("status", "GET /v1/system/jobs"),
        ("pause", "POST /v1/system/jobs/pause"),
        ("resume", "POST /v1/system/jobs/resume"),
    ],
)
def test_jobs(run: Any, server: Any, word: str, call: str) -> None:
    server.answer(call, JOBS)
    result = run("operator", "jobs", word)
    assert (result.exit_code, result.stdout) == (0, "rotation\t-\t-\tok\t3\n")
    assert result.stderr.startswith("Paused:")
    assert json.loads(run("operator", "jobs", word, "--json").stdout) == JOBS


@pytest.mark.parametrize("word", ["pause", "resume"])
def test_a_switch_is_sent_without_a_body(run: Any, server: Any, word: str) -> None:
    server.answer(f"POST /v1/system/jobs/{word}", JOBS)
    run("operator", "jobs", word)
    assert server.sent(f"POST /v1/system/jobs/{word}") == [None]
