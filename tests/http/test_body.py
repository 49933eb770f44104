"""Request bodies: shape, size, content type; never a 5xx."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaivault.http.routes import ROUTES
from tests.support.house import House
from tests.support.running import EXAMPLES, running_house

TARGET = "/v1/secrets/a"


async def put(house: House, raw: bytes, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await house.call("PUT", TARGET, raw=raw, headers=named)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"{", "json"),
        (b'{"data":{}', "json"),
        (b'{"data":{}}x', "trailing"),
        (b'{"data":{}}{}', "trailing"),
        (b'{"data":{"a":1,"a":2}}', "duplicate_key"),
        (b'{"data":{"a":1,"\\u0061":2}}', "duplicate_key"),
        (b'{"data":{},"data":{}}', "duplicate_key"),
        (b'{"data":{"a":NaN}}', "not_finite"),
        (b'{"data":{"a":-Infinity}}', "not_finite"),
        (b'{"data":{"a":1e999}}', "not_finite"),
        (b'{"data":{"a":"\\ud800"}}', "surrogate"),
        (b'{"data":{"\\udfff":1}}', "surrogate"),
        (b'{"data":{"a":"\xff"}}', "utf8"),
        (b"\xef\xbb\xbf{}", "bom"),
        (b'{"data":' + b"[" * 40 + b"]" * 40 + b"}", "too_deep"),
        (b"[]", "not_an_object"),
        (b"null", "not_an_object"),
        (b'"x"', "not_an_object"),
    ],
)
async def test_text_that_is_not_one_plain_object(house: House, raw: bytes, reason: str) -> None:
    answer = await put(house, raw)
    assert (answer.status, answer.code) == (400, "invalid_request"), answer.body
    assert answer.details == {"reason": reason}


async def test_the_depth_counts_the_whole_body(house: House) -> None:
    def nested(depth: int) -> bytes:
        return b'{"data":{"a":' + b"[" * (depth - 2) + b"]" * (depth - 2) + b"}}"

    assert (await put(house, nested(32))).status == 201
    assert (await put(house, nested(33))).details == {"reason": "too_deep"}


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 201),
        ("APPLICATION/JSON", 201),
        ("application/json; charset=utf-8", 201),
        ("text/plain", 400),
        ("application/x-www-form-urlencoded", 400),
        ("application/jsonp", 400),
        ("", 400),
    ],
)
async def test_content_types(house: House, kind: str, status: int) -> None:
    answer = await put(house, b'{"data":{}}', content_type=kind)
    assert answer.status == status
    if status == 400:
        assert answer.details == {"reason": "content_type"}


@pytest.mark.parametrize("encoding", ["gzip", "identity", "br", ""])
async def test_a_content_encoding_is_refused(house: House, encoding: str) -> None:
    answer = await put(house, b'{"data":{}}', content_encoding=encoding)
    assert (answer.status, answer.code) == (400, "invalid_request")


async def test_one_mebibyte_is_the_most(house: House) -> None:
    frame = b'{"data":{},"pad":"%s"}'
    fitting = frame % (b"x" * (1024 * 1024 - len(frame) + 2))
    assert (await put(house, fitting)).details["fields"] == {"pad": "is not a field here"}
    answer = await put(house, fitting + b" ")
    assert (answer.status, answer.code) == (413, "payload_too_large")
    assert answer.details == {"limit_bytes": 1048576}


@pytest.mark.parametrize(
    ("path", "most"),
    sorted((route.path, route.most) for route in ROUTES if route.open and route.method == "POST"),
)
async def test_callers_whom_nobody_knows_send_less(house: House, path: str, most: int) -> None:
    body = b'{"pad":"' + b"x" * (most - 10) + b'"}'
    fitting, large = [
        await house.call("POST", path, raw=raw, token=None) for raw in (body, body + b" ")
    ]
    assert b"larger than" not in fitting.body
    assert b"larger than %d bytes" % most in large.body


async def test_size_is_counted_where_none_is_announced(house: House) -> None:
    sent = [{"type": "http.request", "body": b"x" * 70_000, "more_body": True}] * 16
    seen = await exchange(house, [*sent, {"type": "http.request", "body": b""}])
    assert seen["status"] == 413


async def test_a_body_in_pieces(house: House) -> None:
    pieces = [b'{"da', b'ta":{"a"', b"", b":1}}"]
    sent = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    seen = await exchange(house, [*sent, {"type": "http.request"}])
    assert seen["status"] == 201
    assert (await house.read("a")).json["data"] == {"a": 1}


async def exchange(house: House, messages: list[dict[str, Any]]) -> Any:
    """A request whose body comes in several messages."""
    left, told = iter(messages), []

    async def receive() -> Any:
        return next(left)

    async def send(message: Any) -> None:
        told.append(message)

    headers = [
        (b"authorization", b"Bearer " + house.token.encode()),
        (b"content-type", b"application/json"),
        (b"transfer-encoding", b"chunked"),
    ]
    scope = {
        "type": "http", "method": "PUT", "path": TARGET, "raw_path": TARGET.encode(),
        "query_string": b"", "headers": headers, "client": ("127.0.0.1", 1), "scheme": "http",
    }  # fmt: skip
    await house.app(scope, receive, send)
    return told[0]


async def test_a_client_that_leaves_changes_nothing(house: House) -> None:
    told: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        told.append(message)

    scope = {
        "type": "http", "method": "PUT", "path": TARGET, "raw_path": TARGET.encode(),
        "query_string": b"", "client": ("127.0.0.1", 1), "scheme": "http",
        "headers": [(b"authorization", b"Bearer " + house.token.encode())],
    }  # fmt: skip
    await house.app(scope, receive, send)
    assert told == []
    (row,) = await house.rows(action="write")
    assert (row["success"], row["identity_id"], row["secret_path"]) == (False, "sa:root", "a")
    assert row["extra_data"]["error_code"] == "invalid_request"
    assert (await house.read("a")).status == 404


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/v1/secrets/a"), ("GET", "/v1/secrets"), ("DELETE", "/v1/secrets/a"),
        ("POST", "/v1/secrets/a/restore"), ("GET", "/v1/secrets/metadata/a"),
        ("GET", "/v1/secrets/a/versions"), ("GET", "/v1/auth/whoami"), ("GET", "/v1/health"),
    ],
)  # fmt: skip
async def test_a_body_where_none_is_taken(house: House, method: str, target: str) -> None:
    await house.put("a")
    answer = await house.call(method, target, raw=b"{}")
    assert (answer.status, answer.code) == (400, "invalid_request")
    assert answer.details == {"reason": "body"}
    assert (await house.call(method, target, raw=b"")).status == 200


async def test_no_body_is_an_empty_object(house: House) -> None:
    answer = await house.call("PUT", TARGET)
    assert list(answer.details["fields"]) == ["data"]


async def test_unknown_fields_are_named_and_values_are_not_told(house: House) -> None:
    answer = await put(house, b'{"data":"canary-77","sekret":"canary-78","options":{"x":1}}')
    assert sorted(answer.details["fields"]) == ["options.x", "sekret"]
    assert b"canary" not in answer.body


FIELDS = st.sampled_from(
    ["data", "metadata", "options", "secret_type", "generate_from", "tags", "owner", "cas",
     "max_versions", "expires_in", "expires_at", "notify_before", "description", "x"]
)  # fmt: skip
JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8),
        st.sampled_from(["1d", "0s", "2031-06-01", "kv", "rot_x", "\x00", "\ud800"]),
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(FIELDS, inner, max_size=6),
    max_leaves=15,
)  # fmt: skip


def test_bodies_of_any_kind_never_fail_the_server(tmp_path: Path) -> None:
    with running_house(tmp_path / "vault") as running:
        house = running.house

        @EXAMPLES
        @given(
            st.one_of(
                st.binary(max_size=60),
                st.dictionaries(FIELDS, JSON, max_size=6).map(json.dumps),
                JSON.map(json.dumps),
            ),
            st.sampled_from(["/v1/secrets/a", "/v1/auth/token", "/v1/system/unseal"]),
        )
        def check(sent: bytes | str, target: str) -> None:
            raw = sent if isinstance(sent, bytes) else sent.encode()
            method = "PUT" if target.endswith("/a") else "POST"
            answer = running.run(house.call(method, target, raw=raw))
            assert answer.status < 500, answer.body
            running.run(house.read("a"))

        check()


@pytest.mark.parametrize("end", ["token", "role"])
async def test_rights_that_end_before_the_body_does(house: House, end: str) -> None:
    token = await house.client("slow", ["admin"], ["tenant_admin"])
    sending = asyncio.Event()
    told: list[Any] = []

    async def receive() -> Any:
        await sending.wait()
        return {"type": "http.request", "body": b'{"data":{}}', "more_body": False}

    async def send(message: Any) -> None:
        told.append(message)

    scope = {
        "type": "http", "method": "PUT", "path": TARGET, "raw_path": TARGET.encode(),
        "query_string": b"", "client": ("127.0.0.1", 1), "scheme": "http",
        "headers": [
            (b"authorization", b"Bearer " + token.encode()),
            (b"content-type", b"application/json"),
        ],
    }  # fmt: skip
    asking = asyncio.create_task(house.app(scope, receive, send))
    await asyncio.sleep(0.05)
    if end == "token":
        ended = await house.call("DELETE", "/v1/auth/tokens/self", token=token)
        assert ended.status == 204
    else:
        where = "/v1/identity/service-accounts/sa:slow/roles"
        assert (await house.call("PUT", where, {"roles": []})).status == 200
    sending.set()
    await asking
    assert told[0]["status"] == (401 if end == "token" else 403)
    assert (await house.read("a")).status == 404
