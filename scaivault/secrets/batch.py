"""Many paths in one call: their values, or what is known of them without.

Both are reads, though they are sent with POST: no answer is kept for an Idempotency-Key."""

from __future__ import annotations

from typing import Any, Final

from msgspec import UNSET, Raw

from scaivault.clock import instant
from scaivault.errors import Refusal
from scaivault.gate.anyof import AnyOf
from scaivault.gate.caller import Caller
from scaivault.gate.gate import Act, Gate
from scaivault.gate.globs import check_glob
from scaivault.gate.limits import Limits, bucket
from scaivault.gate.paths import MAX_LENGTH, check_path
from scaivault.gate.sight import Sight, common, matched
from scaivault.secrets import model, selection
from scaivault.secrets.selection import Selection
from scaivault.secrets.values import Found, Value, Values
from scaivault.storage.file import Connection
from scaivault.wire import secret_lists as wire

_CATEGORY: Final = "secrets_read"
_RESULTS: Final = 1000
_NAMED: Final = 6 * 1024  # bytes of paths in one ledger row, which takes 8 KiB in all

Acts = dict[str, Act]  # by path, as sent


class Batch:
    """One per open vault."""

    def __init__(self, gate: Gate, values: Values, limits: Limits) -> None:
        self._gate: Final = gate
        self._values: Final = values
        self._limits: Final = limits

    # -- values --------------------------------------------------------------------------------

    async def read(self, caller: Caller, request: wire.ReadBatch) -> wire.BatchValues:
        """The values at up to 100 paths, each decided, recorded and counted by itself."""
        acts = _acts("read", request.body.paths)
        key = bucket(caller, _CATEGORY)
        self._limits.take(key, _CATEGORY, len(acts))
        returned = 0
        try:
            answer = await self._read(caller, acts, request.body.options)
            returned = answer.retrieved
        finally:
            self._limits.give_back(key, _CATEGORY, len(acts) - returned)
        return answer

    async def _read(
        self, caller: Caller, acts: Acts, options: wire.BatchOptions
    ) -> wire.BatchValues:
        async def look() -> dict[str, wire.BatchValue]:
            return await self._look(caller, acts, options)

        secrets = await self._gate.read_many(
            caller, list(acts.values()), look, fail_fast=options.fail_fast
        )
        errors = _faults(acts) if len(secrets) < len(acts) else {}
        return wire.BatchValues(secrets, errors, len(secrets), len(errors))

    async def _look(
        self, caller: Caller, acts: Acts, options: wire.BatchOptions
    ) -> dict[str, wire.BatchValue]:
        """What can be read; what can not is marked. In the order sent, so that with ``fail_fast``
        nothing behind the first fault is opened."""
        values, number = self._values, options.version
        wanted = [path for path, act in acts.items() if act.refused is None]
        ready = {} if options.fail_fast else values.all_at_hand(caller, wanted, number)
        found: dict[str, Found] = {}
        if len(ready) < len(wanted):
            lacking = [path for path in wanted if path not in ready]
            found = await values.gather(caller.owner, lacking, number)
        read: list[Value] = []
        secrets: dict[str, wire.BatchValue] = {}
        described = options.include_metadata
        extras: dict[int, dict[str, object]] = {}  # the rows of one version say the same
        for path, act in acts.items():
            if act.refused is None:
                try:
                    value = ready.get(path) or await values.take(caller, path, found[path], number)
                except Refusal as refused:
                    _mark(act, refused)
                else:
                    read.append(value)
                    _, version, data = value
                    shown = wire.BatchValue(Raw(data), version.version, version.secret_type)
                    secrets[path] = _described(shown, value) if described else shown
                    told = extras.get(version.version)
                    if told is None:
                        told = extras[version.version] = {"version": version.version}
                    act.extra = told
            if act.refused is not None and options.fail_fast:
                act.refused.details["path"] = path[:MAX_LENGTH]
                break
        # Of the whole call, so any act will do: all of them are committed, or the only one is that
        # of the first fault, and then nothing was read.
        next(iter(acts.values())).after.append(lambda: values.all_seen(caller, read))
        return secrets

    # -- what is known without -----------------------------------------------------------------

    async def metadata(self, caller: Caller, request: wire.ReadBatchMetadata) -> wire.BatchMetadata:
        """Version, last change and tags at up to 100 paths, or of all that patterns fit."""
        body = request.body
        patterns = [path for path in body.paths if body.expand_wildcards and _is_pattern(path)]
        for pattern in patterns:
            check_glob(pattern, "paths")
        acts = _acts("list", [path for path in body.paths if path not in set(patterns)])
        rows = _rows([path for path, act in acts.items() if act.refused is None] + patterns)
        sight = self._gate.sight(caller, "list")

        def question(db: Connection) -> dict[str, wire.BatchFacts]:
            found = _named(db, caller, acts)
            return found | _expanded(db, caller, frozenset(patterns), sight, _RESULTS + 1)

        async def look() -> wire.BatchMetadata:
            found = await self._gate.ask(question)
            shown = dict(list(found.items())[:_RESULTS])
            rows[0].extra["count"] = len(shown)
            return wire.BatchMetadata(shown, _faults(acts), len(found) > _RESULTS)

        return await self._gate.read_many(caller, list(acts.values()), look, told=rows)


def _is_pattern(text: str) -> bool:
    return "*" in text or "?" in text


def _acts(permission: str, paths: list[str]) -> Acts:
    """One for each path; those outside of the grammar are refused already."""
    acts: Acts = {}
    for path in paths:
        try:
            check_path(path)
        except Refusal as refused:
            act = Act(permission, permission)
            act.refused = refused
        else:
            act = Act(permission, permission, path)
        acts[path] = act
    return acts


def _rows(paths: list[str]) -> list[Act]:
    """The ledger rows of one call, a single one as a rule. What a row has no room for would not be
    told of: long names would hide the one that they were sent along with."""
    parts: list[list[str]] = [[]]
    room = _NAMED
    for path in paths:
        if len(path) > room:
            parts.append([])
            room = _NAMED
        parts[-1].append(path)
        room -= len(path) + len('"",')
    rows = [Act("list") for _ in parts]
    for row, part in zip(rows, parts, strict=True):
        row.extra["paths"] = part
    return rows


def _mark(act: Act, refused: Refusal) -> None:
    if refused.status == 503:  # that is nothing of this path's
        raise refused
    act.refused = refused


def _faults(acts: Acts) -> dict[str, wire.BatchFault]:
    return {
        path: wire.BatchFault(act.refused.code, act.refused.message)
        for path, act in acts.items()
        if act.refused is not None
    }


def _described(answer: wire.BatchValue, value: Value) -> wire.BatchValue:
    """With what is told of the secret beside its value."""
    stored = value.stored
    answer.metadata = stored.metadata
    answer.updated_at = stored.updated_at
    answer.expires_at = stored.expires_at
    return answer


def _named(db: Connection, caller: Caller, acts: Acts) -> dict[str, wire.BatchFacts]:
    """The facts of each path that is not refused; one that is not there is."""
    found: dict[str, wire.BatchFacts] = {}
    for path, act in acts.items():
        if act.refused is None:
            row = selection.facts(db, caller.owner, path)
            if row is None:
                act.refused = model.absent(path)
            else:
                found[path] = _facts(row)
    return found


def _expanded(
    db: Connection, caller: Caller, patterns: frozenset[str], sight: Sight, most: int
) -> dict[str, wire.BatchFacts]:
    """The facts of the first ``most`` live secrets that a pattern fits and the caller may list.
    One walk for all patterns, so that many cost little more than one."""
    owner, live = caller.owner, Selection()
    fits = AnyOf(patterns).fits
    found: dict[str, wire.BatchFacts] = {}
    for span in common(matched(patterns), sight.spans):
        for path, _ in live.walk(db, owner, span, caller.now):
            if len(found) == most:
                return found
            if (span.whole or (fits(path) and sight.fits(path))) and sight.allows(path):
                found[path] = _facts(selection.facts(db, owner, path))
    return found


def _facts(row: Any) -> wire.BatchFacts:
    _, version, updated_at, metadata = row
    return wire.BatchFacts(version, instant(updated_at), model.tags_of(metadata) or UNSET)
