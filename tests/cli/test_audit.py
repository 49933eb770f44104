"""``scaivault audit``."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

WHEN = "2031-05-09T06:30:00.000000Z"
BASE = "/v1/audit"


def row(seq: int, request: str = "req_x", **more: Any) -> dict[str, Any]:
    return {
        "id": f"log_{seq}",
        "timestamp": WHEN,
        "action": "read",
        "identity_id": "sa:job",
        "identity_type": "service_account",
        "secret_path": "app/db",
        "seq": seq,
        "source_ip": "192.0.2.1",
        "success": True,
        "request_id": request,
        "extra_data": {},
        "user_agent": None,
        "duration_ms": 1,
        "tenant_id": "tnt_a",
        "partner_id": "ptn_a",
        "actor_tenant_id": "tnt_a",
        "prev_hash": "00",
        "hash": "00",
        **more,
    }


def page(*rows: dict[str, Any], cursor: str | None = None, **more: Any) -> dict[str, Any]:
    return {"logs": list(rows), "cursor": cursor, "has_more": cursor is not None, **more}


LINE = f"{WHEN}\tread\tsa:job\tapp/db\t192.0.2.1\tyes\n"


# -- logs -----------------------------------------------------------------------------------------


def test_filters(run: Any, server: Any) -> None:
    query = (
        "from=2031-01-01&to=2031-02-01&action=read%2Cwrite&identity_id=sa%3Ajob"
        "&path_prefix=app%2F&success=false&scope=vault&limit=7"
    )
    server.answer(f"GET {BASE}/logs?{query}", page(row(1, success=False)))
    flags = (
        *("--from", "2031-01-01", "--to", "2031-02-01", "--action", "read", "--action", "write"),
        *("--identity", "sa:job", "--path", "app/", "--failed", "--limit", "7"),
        *("--scope", "vault"),
    )
    result = run("audit", "logs", *flags)
    assert (result.exit_code, result.stdout) == (0, LINE.replace("yes", "no"))


def test_pages(run: Any, server: Any) -> None:
    server.answer(f"GET {BASE}/logs", page(row(2), cursor="q1"))
    assert "--all" in run("audit", "logs").stderr
    server.answer(f"GET {BASE}/logs?limit=1000", page(row(2), cursor="q1"))
    server.answer(f"GET {BASE}/logs?limit=1000&cursor=q1", page(row(1)))
    document = json.loads(run("audit", "logs", "--all", "--json").stdout)
    assert document == page(row(2), row(1))


def test_what_somebody_put_into_a_row_cannot_steer_the_terminal(terminal: Any, server: Any) -> None:
    server.answer(f"GET {BASE}/logs", page(row(1, identity_id="user:\x1b]0;x\x07@\u202e")))
    code, screen = terminal(["audit", "logs"], [])
    assert code == 0
    assert not {"\x1b", "\x07", "\u202e"} & set(screen)


def test_a_terminal_shows_why_a_row_was_refused(run: Any, terminal: Any, server: Any) -> None:
    refused = row(1, success=False, extra_data={"error_code": "permission_denied"})
    server.answer(f"GET {BASE}/logs", page(refused, row(2)))
    assert run("audit", "logs").stdout == LINE.replace("yes", "no") + LINE
    code, screen = terminal(["audit", "logs"], [])
    assert (code, [line.split()[-1] for line in screen.splitlines()]) == (
        0,
        ["OK", "permission_denied", "yes"],
    )


def test_nor_as_json(terminal: Any, server: Any) -> None:
    """JSON lets through what stands for an escape sequence in one character, and what turns text
    around."""
    name = "user:\x9b2J\u202e@\x7f"
    rows = json.dumps(page(row(1, identity_id=name)), ensure_ascii=False)
    server.answer(f"GET {BASE}/logs", rows.encode())
    code, screen = terminal(["audit", "logs", "--json"], [])
    assert code == 0
    assert not {"\x9b", "\x7f", "\u202e"} & set(screen)
    assert json.loads(screen)["logs"][0]["identity_id"] == name


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between looks; after the third somebody presses Ctrl-C."""
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("scaivault.cli.audit.logs.time.sleep", sleep)
    assert time.sleep is sleep
    return pauses


def test_follow_shows_each_row_once_in_order(run: Any, server: Any, looks: list[float]) -> None:
    newest, later = f"GET {BASE}/logs?limit=20", f"GET {BASE}/logs"
    own = [{"X-Request-ID": f"req_own{n}"} for n in range(3)]
    server.answer(newest, page(row(3, action="write"), row(1), cursor="q0"), headers=own[0])
    server.answer(later, page(row(7), row(6), row(4, "req_own0"), cursor="q1"), headers=own[1])
    server.answer(f"{later}?cursor=q1", page(row(3, action="write"), row(1)), headers=own[2])
    server.answer(later, page(row(9, "req_own2"), row(8, "req_own1"), row(7)), headers=own[0])
    result = run("audit", "logs", "--follow", "--json")
    shown = [json.loads(line)["seq"] for line in result.stdout.splitlines()]
    assert (result.exit_code, shown) == (0, [1, 3, 6, 7])
    # Well below the server's limit of 50 a minute.
    assert all(60 / pause <= 25 for pause in looks)


def test_follow_from_a_time_begins_there(run: Any, server: Any, looks: list[float]) -> None:
    first = f"GET {BASE}/logs?from=2031-05-09"
    server.answer(first, page(row(3), row(2), cursor="q1"))
    server.answer(f"{first}&cursor=q1", page(row(1)))
    result = run("audit", "logs", "--follow", "--from", "2031-05-09")
    assert (result.exit_code, result.stdout) == (0, LINE * 3)


@pytest.mark.parametrize("words", [["--all"], ["--to", "2031-01-01"]])
def test_follow_has_no_end(run: Any, server: Any, words: list[str]) -> None:
    assert run("audit", "logs", "--follow", *words).exit_code == 5
    assert server.requests == []


# -- trails ---------------------------------------------------------------------------------------


def secret_trail(*rows: dict[str, Any], cursor: str | None = None) -> dict[str, Any]:
    summary = {
        "period_days": 30,
        "total_events": 3,
        "reads": 2,
        "writes": 1,
        "rotations": 0,
        "deletes": 0,
        "denied": 0,
        "unique_identities": 1,
        "last_accessed_at": WHEN,
        "last_accessed_by": "sa:job",
    }
    return page(*rows, cursor=cursor, path="app/db", summary=summary)


def test_the_trail_of_a_secret(run: Any, terminal: Any, server: Any) -> None:
    server.answer(f"GET {BASE}/secrets/app/db?from=2031-01-01", secret_trail(row(1), cursor="q1"))
    result = run("audit", "secret", "app/db", "--from", "2031-01-01")
    assert (result.exit_code, result.stdout) == (0, LINE)
    server.answer(f"GET {BASE}/secrets/app/db?limit=1000", secret_trail(row(2), cursor="q1"))
    server.answer(f"GET {BASE}/secrets/app/db?limit=1000&cursor=q1", secret_trail(row(1)))
    assert run("audit", "secret", "app/db", "--all").stdout == LINE * 2
    _, screen = terminal(["audit", "secret", "app/db", "--all"], [])
    assert "total_events" in screen
    assert "TIME" in screen


def test_the_trail_of_an_identity(run: Any, server: Any) -> None:
    summary = {
        "from": None,
        "to": None,
        "total_events": 1,
        "successful_events": 1,
        "failed_events": 0,
        "first_seen": WHEN,
        "last_seen": WHEN,
        "actions": {"read": 1},
        "source_ips": [],
        "resources_accessed": ["app/db"],
        "truncated": False,
    }
    body = page(row(1), summary=summary, identity_id="user:a@example.org", identity_type="user")
    server.answer(f"GET {BASE}/identities/user:a@example.org", body)
    assert run("audit", "identity", "user:a@example.org").stdout == LINE


def test_totals(run: Any, server: Any) -> None:
    body = {
        "total_events": 5,
        "successful_events": 4,
        "failed_events": 1,
        "unique_identities": 2,
        "unique_secrets": 3,
        "from": WHEN,
        "to": WHEN,
        "by_action": {"read": 4, "list": 1},
        "by_identity_type": {},
        "by_error_code": {},
        "top_identities": [{"identity_id": "sa:job", "events": 5}],
        "top_secrets": [],
    }
    server.answer(f"GET {BASE}/summary?from=2031-01-01", body)
    lines = run("audit", "summary", "--from", "2031-01-01").stdout.splitlines()
    assert {"total_events\t5", "by_action\tread=4,list=1", "top_identities\tsa:job=5"} <= set(lines)
    assert "by_error_code\t-" in lines


# -- exports --------------------------------------------------------------------------------------

STARTED = {"export_id": "exp_1", "status": "pending", "estimated_records": 9}
SPAN = ("--from", "2031-01-01", "--to", "2031-02-01")


def test_export_to_the_servers_disk(run: Any, server: Any) -> None:
    server.answer(f"POST {BASE}/export", STARTED, 202)
    words = (*SPAN, "--dest", "file", "--format", "csv", "--failed", "--action", "read")
    assert run("audit", "export", *words).stdout == "exp_1\tpending\t9\n"
    assert server.sent(f"POST {BASE}/export") == [
        {
            "from": "2031-01-01",
            "to": "2031-02-01",
            "format": "csv",
            "filters": {"action": "read", "success": False},
            "destination": {"type": "file"},
        }
    ]


def test_export_to_a_bucket_by_flags_and_by_file(run: Any, server: Any, tmp_path: Path) -> None:
    server.answer(f"POST {BASE}/export", STARTED, 202)
    place = {
        "type": "s3",
        "bucket": "logs",
        "prefix": "a/",
        "credentials_path": "infra/s3",
        "region": "eu-1",
        "endpoint": "https://s3.example.org",
    }
    flags = [
        word
        for name, value in place.items()
        for word in ("--dest" if name == "type" else f"--{name.replace('_', '-')}", value)
    ]
    file = tmp_path / "destination.json"
    file.write_text(json.dumps(place))
    run("audit", "export", *SPAN, *flags)
    run("audit", "export", *SPAN, "--dest-file", str(file))
    sent = server.sent(f"POST {BASE}/export")
    assert [each["destination"] for each in sent] == [place, place]
    assert [each["format"] for each in sent] == ["jsonl", "jsonl"]


@pytest.mark.parametrize(
    "words",
    [
        *([], ["--dest", "ftp"], ["--dest", "file", "--dest-file", "-"], ["--dest-file", "-"]),
        ["--bucket", "b"],
    ],
)
def test_export_called_wrongly(run: Any, server: Any, words: list[str]) -> None:
    result = run("audit", "export", *SPAN, *words, stdin="[]")
    assert (result.exit_code, server.requests) == (5, [])


def test_exports(run: Any, server: Any) -> None:
    job = {
        "export_id": "exp_1",
        "status": "completed",
        "format": "jsonl",
        "records": 9,
        "created_at": WHEN,
        "error": None,
    }
    body = {"exports": [job], "cursor": None, "has_more": False}
    server.answer(f"GET {BASE}/exports?limit=200", body)
    server.answer(f"GET {BASE}/exports/exp_1", {**job, "manifest": {"records": 9}})
    line = f"exp_1\tcompleted\tjsonl\t9\t{WHEN}\t-\n"
    assert run("audit", "exports").stdout == line
    assert run("audit", "exports", "exp_1").stdout == line
    assert json.loads(run("audit", "exports", "exp_1", "--json").stdout)["manifest"]


# -- verify ---------------------------------------------------------------------------------------


def report(first: int, last: int, **more: Any) -> dict[str, Any]:
    return {
        "valid": True,
        "complete": True,
        "next_seq": None,
        "vault_id": "vlt_a",
        "first_seq": first,
        "last_seq": last,
        "rows_checked": last - first + 1,
        "rows_pruned": 0,
        "checkpoints_checked": 1,
        "unsigned_tail": 0,
        "head": {"seq": 9, "hash": "00"},
        "last_checkpoint": None,
        "problems": [],
        **more,
    }


def test_a_sound_chain(run: Any, server: Any) -> None:
    server.answer(f"GET {BASE}/verify?from_seq=2&to_seq=9&expect=9%3A00", report(2, 9))
    words = ("verify", "--from-seq", "2", "--to-seq", "9", "--expect", "9:00")
    result = run("audit", *words)
    assert result.exit_code == 0
    assert "rows_checked\t8\n" in result.stdout


def test_damage_is_exit_7(run: Any, server: Any) -> None:
    problem = {"kind": "row_modified", "seq": 4, "detail": "digest"}
    server.answer(f"GET {BASE}/verify", report(1, 9, valid=False, problems=[problem]))
    result = run("audit", "verify")
    assert result.exit_code == 7
    assert result.stdout.endswith("row_modified\t4\tdigest\n")


def test_a_long_chain_is_checked_to_its_end(run: Any, server: Any) -> None:
    problem = {"kind": "row_modified", "seq": 4, "detail": "digest"}
    part = report(1, 5, complete=False, next_seq=6, valid=False, problems=[problem])
    server.answer(f"GET {BASE}/verify", part)
    server.answer(f"GET {BASE}/verify?from_seq=6", report(6, 9))
    result = run("audit", "verify", "--json")
    assert result.exit_code == 7
    body = json.loads(result.stdout)
    assert (body["valid"], body["complete"], body["rows_checked"]) == (False, True, 9)
    assert (body["first_seq"], body["last_seq"], body["problems"]) == (1, 9, [problem])


def test_a_range_of_times_that_is_too_long_is_no_success(run: Any, server: Any) -> None:
    part = report(1, 5, complete=False, next_seq=6)
    server.answer(f"GET {BASE}/verify?from=2031-01-01", part)
    result = run("audit", "verify", "--from", "2031-01-01")
    assert result.exit_code == 1
    assert "6" in result.stderr
    assert run("audit", "verify", "--from", "2031-01-01", "--to-seq", "4").exit_code == 5
