"""Words on the command line as values, and answers as tables."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaivault.cli.failure import Failure
from scaivault.cli.operator.shapes import checked_id, parameters, progress, threshold


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", {}),
        ("a=1,b=true,c=x y,d=", {"a": 1, "b": True, "c": "x y", "d": ""}),
        ("pcrs=[7,11],device=/dev/tpmrm0", {"pcrs": [7, 11], "device": "/dev/tpmrm0"}),
        ("url=https://a/?b=c", {"url": "https://a/?b=c"}),
    ],
)
def test_parameters(text: str, values: dict[str, Any]) -> None:
    assert parameters(text) == values


@pytest.mark.parametrize("text", ["a", "=1", "a=1,", "a=1,a=2", ",a=1"])
def test_parameters_that_are_none(text: str) -> None:
    with pytest.raises(Failure):
        parameters(text)


names = st.text("abcdefgh_", min_size=1, max_size=8)
values = st.integers() | st.booleans() | st.lists(st.integers(), max_size=4)


@given(st.dictionaries(names, values, max_size=5))
def test_parameters_come_back(wanted: dict[str, Any]) -> None:
    assert parameters(",".join(f"{name}={json.dumps(wanted[name])}" for name in wanted)) == wanted


@given(st.from_regex(r"[A-Za-z0-9_-]{1,128}", fullmatch=True))
def test_an_id_is_taken(text: str) -> None:
    assert checked_id(text, "ID") == text


@given(st.text(st.characters()).filter(lambda text: not re.fullmatch(r"[A-Za-z0-9_-]+", text)))
def test_what_is_no_plain_segment_is_no_id(text: str) -> None:
    with pytest.raises(Failure) as caught:
        checked_id(text, "ID")
    assert caught.value.exit_code == 5


@pytest.mark.parametrize(
    ("slot", "shown"),
    [
        ({"threshold": 2, "progress": 1}, "1/2"),
        ({"threshold": 2}, "0/2"),
        ({"params": {"threshold": 3}}, "0/3"),
        ({"type": "passphrase", "params": None}, None),
    ],
)
def test_progress(slot: dict[str, Any], shown: str | None) -> None:
    assert progress(slot) == shown
    assert (threshold(slot) is None) == (shown is None)


@pytest.mark.parametrize(
    ("words", "call"),
    [
        (["status"], "GET /v1/system/seal-status"),
        (["unseal", "--auto"], "GET /v1/system/seal-status"),
        (["slots", "list"], "GET /v1/system/slots"),
        (["slots", "verify", "slot_1"], "GET /v1/system/slots"),
        (["rotate-root"], "GET /v1/system/slots"),
        (["jobs", "status"], "GET /v1/system/jobs"),
        (["audit-verify"], "GET /v1/audit/verify"),
    ],
)
@pytest.mark.parametrize("wrong", ["text", 7, {"id": 1}, ["slot_1"], [None], [["id"]]])
def test_an_answer_of_another_shape_is_no_crash(
    run: Any, server: Any, words: list[str], call: str, wrong: Any
) -> None:
    body = {"initialized": True, "sealed": True, "slots": wrong, "jobs": wrong, "problems": wrong}
    server.answer(call, body)
    result = run("operator", *words)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "error: unexpected_answer:" in result.stderr
