"""Logs: one JSON object a line (or plain text) on stderr.

What may stand in a line is decided here and not where it is written: of a record's extra fields
only those of ``FIELDS``; of an exception its type and where it was raised, and its message only
when the class is our own; of other libraries' messages the words before the first value. So
nothing that a caller sent, no token and no argument of a failed call can reach a log.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import logging
import re
import sys
import threading
from functools import lru_cache
from types import TracebackType
from typing import Any, Final

from scaivault.clock import instant
from scaivault.config.sections import Log

FIELDS: Final = (
    "request_id", "method", "route", "status", "duration_ms", "tenant_id", "identity_id",
    "client_ip", "error_code",
)  # fmt: skip
"""What a record may carry besides its message; ``checkpoint`` goes with ``audit_checkpoint``."""

_LEVELS: Final = {"debug": 10, "info": 20, "warn": 30, "error": 40}
_NAMES: Final = {10: "debug", 20: "info", 30: "warn", 40: "error", 50: "error"}
_OURS: Final = "scaivault"
_QUIET: Final = ("uvicorn", "asyncio", "httpx", "httpcore", "hpack")
_EVENT: Final = re.compile(r"[a-z][a-z0-9_]*\Z")
_WORDS: Final = re.compile(r"[A-Za-z ,.:_-]{0,200}")
_FLUSH: Final = 0.05  # seconds an access line may wait for others
_FRAMES: Final = 40

log = logging.getLogger("scaivault.logs")
text_of: Final = json.dumps
"""A value as JSON, in ASCII: control characters are escaped."""


# -- records ------------------------------------------------------------------------------------


def fields_of(record: logging.LogRecord, *, paths: bool) -> dict[str, Any]:
    """What a line says, in order; never more than it may."""
    ours = record.name == _OURS or record.name.startswith(f"{_OURS}.")
    message = _message(record) if ours else _words(record)
    event = record.msg if isinstance(record.msg, str) and _EVENT.match(record.msg) else "message"
    fields: dict[str, Any] = {
        "ts": instant(round(record.created * 1_000_000)),
        "level": _NAMES.get(record.levelno, "info"),
        "event": event,
        "msg": message,
        "component": record.name.removeprefix(f"{_OURS}."),
    }
    extra = record.__dict__
    fields |= {name: extra[name] for name in FIELDS if name in extra}
    if paths and "secret_path" in extra:
        fields["secret_path"] = extra["secret_path"]
    if event == "audit_checkpoint" and "checkpoint" in extra:
        fields["checkpoint"] = extra["checkpoint"]
    if record.exc_info and record.exc_info[1] is not None:
        fields["error"] = named(record.exc_info[1])
        fields["trace"] = trace(record.exc_info[1])
    return fields


def _message(record: logging.LogRecord) -> str:
    arguments: Any = record.args
    if isinstance(arguments, tuple):
        arguments = tuple(
            named(one) if isinstance(one, BaseException) else one for one in arguments
        )
    text = named(record.msg) if isinstance(record.msg, BaseException) else str(record.msg)
    return text % arguments if arguments else text


def _words(record: logging.LogRecord) -> str:
    """The beginning of another library's message: what it says before it names a value."""
    found = _WORDS.match(record.msg) if isinstance(record.msg, str) else None
    return found[0].strip() if found is not None else type(record.msg).__name__


def named(error: BaseException) -> str:
    """An exception's type; its message too where the class is our own."""
    kind = type(error)
    if kind.__module__.split(".", 1)[0] == _OURS and (message := str(error)):
        return f"{kind.__name__}: {message}"
    return kind.__name__


def trace(error: BaseException) -> list[str]:
    """Where it was raised, innermost last, causes first; names of files and functions only."""
    lines: list[str] = []
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and cause is not error:
        lines += [*trace_of(cause.__traceback__), f"-> {named(cause)}"]
    lines += trace_of(error.__traceback__)
    return lines[-_FRAMES:]


def trace_of(at: TracebackType | None) -> list[str]:
    """File, line and function of each frame."""
    lines = []
    while at is not None:
        code = at.tb_frame.f_code
        lines.append(f"{_short(code.co_filename)}:{at.tb_lineno} {code.co_name}")
        at = at.tb_next
    return lines


@lru_cache(maxsize=1024)
def _short(path: str) -> str:
    """From the package's folder on."""
    for mark in ("site-packages/", f"/{_OURS}/"):
        _, found, rest = path.rpartition(mark)
        if found:
            return rest if mark == "site-packages/" else f"{_OURS}/{rest}"
    return path.rpartition("/")[2]


def as_json(fields: dict[str, Any]) -> str:
    return json.dumps(fields, separators=(",", ":"), default=lambda value: type(value).__name__)


def as_text(fields: dict[str, Any]) -> str:
    """For people: time, level, component, message, and the rest as ``name=value``."""
    head = ("ts", "level", "component", "msg", "event", "trace")
    rest = [f"{name}={json.dumps(value)}" for name, value in fields.items() if name not in head]
    where = [f"\n    {line}" for line in fields.get("trace", ())]
    message = json.dumps(fields["msg"])[1:-1].replace('\\"', '"')
    start = f"{fields['ts']} {fields['level']:5} {fields['component']}: {message}"
    return " ".join([start, *rest]) + "".join(where)


class _Handler(logging.Handler):
    """Writes to whatever stderr is at the time."""

    def __init__(self, settings: Log) -> None:
        super().__init__()
        self._write: Final = as_json if settings.format == "json" else as_text
        self._paths: Final = settings.paths

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self._write(fields_of(record, paths=self._paths))
        except Exception as error:  # noqa: BLE001 - a line that cannot be made must not end a request
            line = as_json({"level": "error", "event": "log_failed", "msg": type(error).__name__})
        put(f"{line}\n")


def put(text: str) -> None:
    """Onto stderr; a closed one is not worth failing for."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(text)
        sys.stderr.flush()


# -- one line a request -------------------------------------------------------------------------


class Access:
    """A line for each request, made by hand since it is part of every one (about 2 µs), and
    written for all requests of some milliseconds together. Loop only."""

    def __init__(self) -> None:
        self.on = False
        self.paths = False
        self._json = True
        self._lines: list[str] = []

    def configure(self, settings: Log) -> None:
        self.on = settings.level in ("debug", "info")
        self.paths = settings.paths
        self._json = settings.format == "json"

    def line(
        self,
        now: int,
        took: int,
        request_id: str,
        method: str,
        route: str | None,
        status: int,
        tenant_id: str | None,
        identity_id: str | None,
        client_ip: str | None,
        code: str | None,
        path: str | None,
    ) -> None:
        """``now``: instant; ``took``: nanoseconds; ``route``: its template; None where unknown."""
        rest = ""
        if code is not None:
            rest = f',"error_code":"{code}"'
        if path is not None and self.paths:
            rest += f',"secret_path":{text_of(path)}'
        text = (
            f'{{"ts":"{instant(now)}",{_called(method, route)}"status":{status},'
            f'"request_id":"{request_id}","duration_ms":{took // 1000 / 1000},'
            f"{_from(tenant_id, identity_id, client_ip)}{rest}}}\n"
        )
        if not self._json:
            text = f"{as_text(json.loads(text))}\n"
        lines = self._lines
        lines.append(text)
        if len(lines) == 1:
            asyncio.get_running_loop().call_later(_FLUSH, self.flush)

    def flush(self) -> None:
        """Write what waits."""
        lines, self._lines = self._lines, []
        if lines:
            put("".join(lines))


@lru_cache(maxsize=1024)
def _called(method: str, route: str | None) -> str:
    return (
        '"level":"info","event":"request","msg":"request","component":"http",'
        f'"method":{text_of(method)},"route":{text_of(route)},'
    )


@lru_cache(maxsize=4096)
def _from(tenant_id: str | None, identity_id: str | None, client_ip: str | None) -> str:
    return (
        f'"tenant_id":{text_of(tenant_id)},"identity_id":{text_of(identity_id)},'
        f'"client_ip":{text_of(client_ip)}'
    )


access: Final = Access()


# -- set-up -------------------------------------------------------------------------------------


def configure(settings: Log) -> None:
    """Take over all logging of the process; also what would be printed of a crash. May be called
    again (SIGHUP)."""
    root = logging.getLogger()
    root.handlers[:] = [_Handler(settings)]
    root.setLevel(_LEVELS[settings.level])
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    access.configure(settings)
    sys.excepthook = _uncaught
    sys.unraisablehook = _unraisable
    threading.excepthook = _thread_ended
    atexit.unregister(access.flush)
    atexit.register(access.flush)


def _uncaught(kind: type[BaseException], error: BaseException, at: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        log.critical("the program ends with a defect", exc_info=(kind, error, at))


def _unraisable(seen: Any) -> None:
    error = seen.exc_value
    log.error("a defect outside of any request", exc_info=error or True)


def _thread_ended(seen: threading.ExceptHookArgs) -> None:
    if seen.exc_value is not None:
        log.critical("a thread ended with a defect", exc_info=seen.exc_value)
