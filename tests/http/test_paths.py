"""Attack class 1: no spelling of a target reaches a path other than the one it spells."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.house import House
from tests.support.running import EXAMPLES, running_house

BASE = "/v1/secrets/"

# target behind /v1/secrets/ -> reason
ILLEGAL = {
    "": "empty",
    "/a": "leading_slash",
    "a/": "trailing_slash",
    "a//b": "empty_segment",
    "a/./b": "dot_segment",
    "a/../b": "dot_segment",
    "..": "dot_segment",
    "a%2Fb": "encoding",
    "a%2fb": "encoding",
    "%61": "encoding",
    "a%252Fb": "encoding",
    "a%": "encoding",
    "a%00": "encoding",
    "a/%2e%2e/b": "encoding",
    "A": "case",
    "a.b": "character",
    "a;b": "character",
    "a\\b": "character",
    "a b": "character",
    "a+b": "character",
    "a\x00": "character",
    "a\r\nb": "character",
    "\u0131": "character",
    "\uff41": "character",
    "a/" * 10 + "a": "too_deep",
    "a" * 513: "too_long",
}


@pytest.mark.parametrize("target", ILLEGAL)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_spellings_outside_the_grammar(house: House, method: str, target: str) -> None:
    body: Any = {"data": {}} if method == "PUT" else None
    answer = await house.call(method, BASE + target, body)
    assert (answer.status, answer.code) == (400, "invalid_path")
    assert answer.details["reason"] == ILLEGAL[target]
    below = f"/v1/t/{house.made['tenant_id']}/secrets/"
    assert (await house.call(method, below + target, body)).code == "invalid_path"


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("PUT", "a/versions"), ("PUT", "metadata/a"), ("PUT", "expiring"), ("DELETE", "batch/a"),
        ("GET", "a/rotate"), ("GET", "a/restore"), ("GET", "versions"), ("GET", "metadata"),
        ("GET", "batch"), ("POST", "metadata/a/rotate"), ("GET", "expiring/x"), ("PUT", "restore"),
        ("DELETE", "a/b/rotate"), ("POST", "metadata/restore"), ("POST", "batch/a/restore"),
        ("GET", "metadata/a/versions"), ("GET", "batch/versions"), ("GET", "metadata/metadata/a"),
        ("GET", "versions/versions"), ("PATCH", "batch/a"), ("POST", "rotate"),
    ],
)  # fmt: skip
async def test_reserved_names(house: House, method: str, target: str) -> None:
    body: Any = {"data": {}} if method == "PUT" else None
    answer = await house.call(method, BASE + target, body)
    assert (answer.status, answer.code) == (400, "invalid_path"), answer.body
    assert answer.details["reason"] == "reserved"


@pytest.mark.parametrize(
    "path",
    ["my-batch/a", "a/metadata", "versions/a", "a/batch", "a/expiring", "restore/a", "0", "-", "_",
     "a/" * 9 + "a", "a" * 512, "rotate/versions/x", "v1/secrets/a", "t/x"],
)  # fmt: skip
async def test_legal_names(house: House, path: str) -> None:
    assert (await house.put(path, {"at": path})).status == 201
    assert (await house.read(path)).json["data"] == {"at": path}
    assert (await house.get(f"{BASE}{path}/versions")).json["path"] == path
    assert (await house.get(f"{BASE}metadata/{path}")).json["path"] == path
    assert (await house.delete(path)).status == 200
    assert (await house.call("POST", f"{BASE}{path}/restore")).status == 200


async def test_methods_that_a_path_does_not_take(house: House) -> None:
    for method in ("POST", "HEAD", "OPTIONS", "TRACE", "get", ""):
        answer = await house.call(method, BASE + "a")
        assert answer.status == 405
        allowed = ["GET", "PUT", "PATCH", "DELETE"]
        assert answer.headers["allow"] == ", ".join(allowed)
        if method != "HEAD":
            assert answer.details == {"allowed": allowed}


@pytest.mark.parametrize(
    "target",
    ["/", "", "/v1", "/v1/", "/v1/secret", "/V1/secrets", "/v1//secrets", "//v1/secrets",
     "/v1/secrets%2Fa", "/v1/%73ecrets", "/v1/./secrets", "/v1/health/", "/v1/health/ready/",
     "/v1/auth/../secrets", "/v1/t/x", "/v1/t//secrets", "/v1/t/x/", "/v1/t/x/v1/secrets",
     "/v1/t/x/t/y/secrets", "/v2/secrets", "*", "http://vault.example.net/v1/secrets",
     "/v1/t/x/auth/whoami", "/v1/t/x/health", "/v1/t/x/system/slots", "/v1/t/x/identity/users"],
)  # fmt: skip
async def test_targets_that_are_no_route(house: House, target: str) -> None:
    answer = await house.get(target)
    assert (answer.status, answer.code) == (404, "not_found")


async def test_a_route_without_tenants_is_not_there_below_one_whatever_the_method(
    house: House,
) -> None:
    for method in ("GET", "POST", "DELETE"):
        assert (await house.call(method, "/v1/t/x/auth/whoami")).code == "not_found"


def _legal(path: str) -> bool:
    parts = path.split("/")
    return (
        len(path) <= 512
        and len(parts) <= 10
        and all(re.fullmatch("[a-z0-9_-]+", part) for part in parts)
        and parts[0] not in ("metadata", "batch", "expiring")
        and parts[-1] not in ("versions", "restore", "rotate")
    )


PIECES = st.sampled_from(
    [b"a", b"b", b"A", b"/", b"//", b".", b"..", b"%2F", b"%2e", b"%00", b"%", b"\x00", b"\xff",
     b"\xc4\xb1", b";", b"\\", b"versions", b"metadata", b"batch", b"restore", b"rotate", b"#",
     b"expiring", b"+", b" ", b"\r\n", b"-", b"_", b"0"]
)  # fmt: skip
TARGETS = st.one_of(st.binary(max_size=30), st.lists(PIECES, max_size=8).map(b"".join)).map(
    lambda raw: raw.replace(b"?", b"")
)


def test_bytes_as_targets(tmp_path: Path) -> None:
    """Never a 5xx; what is written stands at that very spelling or nowhere."""
    with running_house(tmp_path / "vault") as running:
        house = running.house

        @EXAMPLES
        @given(TARGETS, st.sampled_from(["GET", "PUT", "DELETE", "POST", "PATCH"]))
        def check(raw: bytes, method: str) -> None:
            body = {"data": {"at": raw.hex()}} if method == "PUT" else None
            answer = running.run(house.call(method, BASE.encode() + raw, body))
            assert answer.status < 500, answer.body
            assert "x-request-id" in answer.headers
            path = raw.decode("latin-1")
            if method == "PUT":
                assert (answer.status in (200, 201)) == _legal(path)
                if _legal(path):
                    assert answer.json["path"] == path
                    seen = running.run(house.call("GET", BASE.encode() + raw)).json
                    assert (seen["path"], seen["data"]) == (path, {"at": raw.hex()})
                    running.run(house.delete(path, permanent="true"))
            listed = running.run(house.get("/v1/secrets")).json
            assert listed["secrets"] == []

        check()


def test_bytes_anywhere_in_the_target(tmp_path: Path) -> None:
    with running_house(tmp_path / "vault") as running:
        house = running.house

        @EXAMPLES
        @given(
            st.sampled_from([b"", b"/", b"/v1/", b"/v1/t/", b"/v1/auth/tokens/", b"/v1/secrets?"]),
            st.binary(max_size=40),
            st.sampled_from([None, ""]),
        )
        def check(start: bytes, rest: bytes, token: str | None) -> None:
            answer = running.run(house.call("GET", start + rest, token=token))
            assert answer.status < 500, answer.body
            assert answer.status == 200 or answer.json["error"]["request_id"]

        check()
