"""``operator audit-verify``: the audit chain, checked by the server or from files alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from scaivault.cli import ask
from scaivault.cli.failure import DAMAGE, Failure, usage
from scaivault.cli.http import SLOW, Answer, Api, rows
from scaivault.cli.operator.credential import Credential, Given, credential_flags, whole
from scaivault.cli.output import Table, as_document, show
from scaivault.cli.session import common_flags, session

_HEAD: Final = re.compile(r"[0-9]{1,19}:[0-9a-f]{64}")


@click.command()
@click.argument("file", required=False)
@click.option("--data-dir", metavar="D", help="A data directory, opened with a slot.")
@click.option("--public-key", metavar="F", help="File with the signer's key, noted earlier.")
@click.option("--from-seq", type=click.IntRange(1), metavar="N", help="First row; 1.")
@click.option("--expect", metavar="SEQ:HASH", help="A row's hash, known from outside.")
@credential_flags(slot=True, auto=True)
@common_flags
def audit_verify(
    file: str | None,
    data_dir: str | None,
    public_key: str | None,
    from_seq: int | None,
    expect: str | None,
    given: Given,
) -> int:
    """Check the audit chain row by row. Exit 7 when it is damaged.

    With neither FILE nor --data-dir the running server checks itself. FILE is a copy of a data
    directory, opened with a slot's credential, or the directory of an export or of an archive;
    nothing is sent anywhere.
    """
    current = session()
    if expect is not None and not _HEAD.fullmatch(expect):
        raise usage("--expect is SEQ:HASH, with 64 hexadecimal digits in lower case")
    if file is not None and data_dir is not None:
        raise usage("give FILE or --data-dir, not both")
    source = file or data_dir
    if source is not None:
        body = _offline(source, given, from_seq or 1, expect, public_key)
    elif public_key is not None or given.anything:
        raise usage("--public-key and credentials are for checking FILE or --data-dir offline")
    else:
        api = current.api()
        answer = _online(api, from_seq, expect)
        if answer.body.get("complete", True):
            current.show(answer, *_tables(answer.body))
            return 0 if answer.body.get("valid") else DAMAGE
        body = _continued(api, answer.body, expect)
    if current.json:
        as_document(body)
    else:
        show(*_tables(body))
    return 0 if body.get("valid") else DAMAGE


def _online(api: Api, from_seq: int | None, expect: str | None) -> Answer:
    query = {"from_seq": from_seq, "expect": expect}
    return api.call("GET", "/v1/audit/verify", query=query, timeout=SLOW)


def _continued(api: Api, body: dict[str, Any], expect: str | None) -> dict[str, Any]:
    """A long chain comes in parts of a million rows; here it is one report again."""
    while not body.get("complete", True):
        following = body.get("next_seq")
        if not isinstance(following, int) or following <= _number(body, "last_seq"):
            raise Failure("unexpected_answer", "the server does not say where to go on")
        body = joined(body, _online(api, following, expect).body)
    return body


def joined(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Two reports of adjoining parts as one: counts added, valid only if both are."""
    counted = ("rows_checked", "rows_pruned", "checkpoints_checked")
    sums = {name: _number(first, name) + _number(second, name) for name in counted}
    return {
        **second,
        **sums,
        "first_seq": first.get("first_seq"),
        "valid": bool(first.get("valid") and second.get("valid")),
        "problems": [*rows(first, "problems"), *rows(second, "problems")],
    }


def _offline(
    source: str, given: Given, from_seq: int, expect: str | None, public_key: str | None
) -> dict[str, Any]:
    def credential(slots: list[dict[str, Any]]) -> Credential:
        automatic = all(slot.get("auto") for slot in slots)
        return {"auto": True} if automatic and not given.anything else whole(given, slots)

    path = Path(source)
    if not path.exists():
        raise usage(f"{source} does not exist")
    key = ask.from_file(public_key).strip() if public_key is not None else None
    # Opens the database and its keys: server parts, about 100 ms to import.
    from scaivault.storage.folder import StartRefused
    from scaivault.system.offline import verify

    try:
        report: dict[str, Any] = verify(
            path, credential=credential, from_seq=from_seq, expect=expect, public_key=key
        )
    except StartRefused as refused:
        code = "damaged" if refused.exit_code == DAMAGE else "start_refused"
        raise Failure(code, refused.message, refused.exit_code) from None
    return report


def _number(body: Mapping[str, Any], name: str) -> int:
    value = body.get(name)
    return value if isinstance(value, int) else 0


def _tables(body: Mapping[str, Any]) -> tuple[Table, Table]:
    """The outcome in one row, then every problem, the first bad row first."""
    head = body.get("head")
    fields = ("valid", "first_seq", "last_seq", "rows_checked", "rows_pruned")
    signed = ("checkpoints_checked", "unsigned_tail")
    row = [*(body.get(name) for name in (*fields, *signed))]
    row.append(head.get("hash") if isinstance(head, dict) else None)
    outcome = Table(
        ("VALID", "FIRST", "LAST", "ROWS", "PRUNED", "CHECKPOINTS", "UNSIGNED", "HEAD"), [row]
    )
    problems = sorted(rows(body, "problems"), key=lambda problem: _number(problem, "seq"))
    return outcome, Table(
        ("PROBLEM", "SEQ", "DETAIL"),
        [[problem.get(name) for name in ("kind", "seq", "detail")] for problem in problems],
    )
