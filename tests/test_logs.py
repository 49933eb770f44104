"""What stands in the log, and what never does."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from scaivault import logs
from scaivault.config.sections import Log
from scaivault.errors import Refusal
from scaivault.http.routes import ROUTES
from tests.support.house import House

CANARY = "c4n4ry-77ab"
# Every route but the one that ends the vault, with a canary for each parameter.
TARGETS = [
    (route.method, re.sub(r"\{\w+\*?\}", CANARY, route.path))
    for route in ROUTES
    if route.verb != "system.seal"
]

log = logging.getLogger("scaivault.test")
foreign = logging.getLogger("foreign.library")


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Logging as it was before."""
    root = logging.getLogger()
    kept = (root.handlers[:], root.level, sys.excepthook, sys.unraisablehook, threading.excepthook)
    yield
    root.handlers[:], root.level = kept[0], kept[1]
    sys.excepthook, sys.unraisablehook, threading.excepthook = kept[2:]
    logs.access.on = False


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    logs.access.flush()
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def fail() -> None:
    raise ValueError(CANARY)


def test_a_line_is_one_object_with_the_named_fields(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(Log())
    log.warning("disk is %s", "full", extra={"request_id": "req_1", "body": CANARY})
    (line,) = lines(capsys)
    assert line.pop("ts").endswith("Z")
    assert line == {
        "level": "warn",
        "event": "message",
        "msg": "disk is full",
        "component": "test",
        "request_id": "req_1",
    }


def test_control_characters_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(Log())
    log.warning("a\nb\x1b[31m\x9b\u2028%s", "\r\x00")
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert printed.strip().isascii()
    assert printed.strip().isprintable()
    assert json.loads(printed)["msg"] == "a\nb\x1b[31m\x9b\u2028\r\x00"


def test_text_is_one_line_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(Log(format="text"))
    log.error('say "hi"\n%s', "x", extra={"status": 500})
    printed = capsys.readouterr().err
    assert printed.endswith('error test: say "hi"\\nx status=500\n')


@pytest.mark.parametrize(("level", "shown"), [("debug", 4), ("info", 3), ("warn", 2), ("error", 1)])
def test_levels(capsys: pytest.CaptureFixture[str], level: Any, shown: int) -> None:
    logs.configure(Log(level=level))
    log.debug("d")
    log.info("i")
    log.warning("w")
    log.error("e")
    assert len(lines(capsys)) == shown


def test_configuring_again_replaces_and_does_not_double(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(Log(level="debug"))
    logs.configure(Log(level="warn"))
    log.info("not shown")
    log.warning("once")
    assert [line["msg"] for line in lines(capsys)] == ["once"]


def test_an_exception_shows_type_and_place_but_not_its_arguments(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure(Log())
    try:
        try:
            fail()
        except ValueError as error:
            raise KeyError(CANARY, "outer") from error
    except KeyError as error:
        log.error("a defect: %s", error, exc_info=error)
    printed = capsys.readouterr().err
    line = json.loads(printed)
    assert CANARY not in printed
    assert line["msg"] == "a defect: KeyError"
    assert line["error"] == "KeyError"
    assert "-> ValueError" in line["trace"]
    assert any(place.endswith(" fail") for place in line["trace"])


def test_an_exception_of_our_own_shows_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(Log())
    log.error("refused: %s", Refusal("sealed", "the vault is sealed"))
    assert lines(capsys)[0]["msg"] == "refused: Refusal: the vault is sealed"


@pytest.mark.parametrize(
    ("message", "arguments", "told"),
    [
        ("HTTP Request: %s %s", ("GET", CANARY), "HTTP Request:"),
        (f"Exception in callback <Handle send(b'{CANARY}')>", (), "Exception in callback"),
        (
            f"Task exception was never retrieved\nfuture: <{CANARY}>",
            (),
            "Task exception was never retrieved",
        ),
        (ValueError(CANARY), (), "ValueError"),
    ],
)
def test_of_other_libraries_only_the_words_before_a_value(
    capsys: pytest.CaptureFixture[str], message: Any, arguments: tuple[Any, ...], told: str
) -> None:
    logs.configure(Log())
    foreign.error(message, *arguments)
    printed = capsys.readouterr().err
    assert CANARY not in printed
    assert json.loads(printed)["msg"] == told


def test_what_a_crash_prints_holds_no_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(Log())
    error = ValueError(CANARY)
    sys.excepthook(ValueError, error, None)
    sys.unraisablehook(
        SimpleNamespace(
            exc_type=ValueError, exc_value=error, exc_traceback=None, err_msg=CANARY, object=CANARY
        )
    )
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    printed = capsys.readouterr().err
    assert CANARY not in printed
    assert [json.loads(line)["error"] for line in printed.splitlines()] == ["ValueError"] * 3


def test_a_line_that_cannot_be_made_ends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(Log())
    log.error("%d", "no number")
    assert lines(capsys) == [{"level": "error", "event": "log_failed", "msg": "TypeError"}]


def test_a_closed_stderr_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    logs.configure(Log())
    monkeypatch.setattr(sys, "stderr", None)
    log.error("nobody hears this")


async def test_each_request_has_a_line(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(Log())
    await house.put("a/b", {"x": 1})
    await house.read("a/missing", headers={"x-tenant-id": house.made["tenant_id"]})
    written, missing = (line for line in lines(capsys) if line["event"] == "request")
    assert written["ts"] == "2031-05-09T06:30:00.000000Z"
    assert (written["method"], written["route"], written["status"]) == (
        "PUT",
        "/v1/secrets/{path*}",
        201,
    )
    assert written["identity_id"] == "sa:root"
    assert written["tenant_id"] == house.made["tenant_id"]
    assert written["client_ip"] == "127.0.0.1"
    assert written["request_id"].startswith("req_")
    assert "secret_path" not in written
    assert (missing["status"], missing["error_code"]) == (404, "secret_not_found")


async def test_probes_that_succeed_have_none(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(Log())
    await house.get("/v1/health/ready", token=None)
    house.app.system.draining = True
    await house.get("/v1/health/ready", token=None)
    house.app.system.draining = False
    assert [line["status"] for line in lines(capsys)] == [503]


async def test_paths_are_logged_when_asked_for(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(Log(paths=True))
    await house.read("a/b")
    assert lines(capsys)[-1]["secret_path"] == "a/b"


async def test_request_lines_are_written_by_the_loop(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(Log())
    await house.read("a/b")
    while not (printed := capsys.readouterr().err):  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0.01)
    assert json.loads(printed.splitlines()[-1])["event"] == "request"


@pytest.mark.parametrize("level", ["debug", "info"])
@pytest.mark.parametrize("form", ["json", "text"])
async def test_nothing_that_a_caller_sent_is_logged(
    house: House, capsys: pytest.CaptureFixture[str], level: Any, form: Any
) -> None:
    logs.configure(Log(level=level, format=form))
    for method, target in TARGETS:
        await house.call(
            method,
            f"{target}?{CANARY}={CANARY}",
            {CANARY: CANARY, "data": {"password": CANARY}, "passphrase": CANARY},
            headers={"x-canary": CANARY, "cookie": CANARY, "idempotency-key": CANARY},
        )
        await house.call(method, target, raw=f'{{"{CANARY}'.encode())
        await house.call(method, target, token=CANARY)
        await house.call(method, target, token=None, headers={"authorization": f"Basic {CANARY}"})
    await house.put("a/b", {"password": CANARY})
    await house.read("a/b")
    logs.access.flush()
    printed = capsys.readouterr().err
    assert printed.count("\n") > 100
    assert CANARY not in printed
    assert house.token not in printed
    assert "a defect" not in printed
