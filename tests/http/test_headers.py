"""Headers of requests and answers, the error envelope, and who is asking."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.house import Answer, House

ANY: list[tuple[str, str]] = [
    ("GET", "/v1/secrets"), ("GET", "/v1/secrets/none"), ("GET", "/v1/nothing"),
    ("POST", "/v1/secrets/a"), ("GET", "/v1/secrets?x=1"), ("GET", "/v1/health"),
    ("DELETE", "/v1/auth/tokens/none"), ("GET", "/v1/secrets/A"),
]  # fmt: skip


async def with_lines(house: House, lines: list[tuple[bytes, bytes]], **more: Any) -> Answer:
    """A request whose header lines are exactly these."""
    told: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        told.append(message)

    target = more.pop("target", b"/v1/secrets")
    scope = {
        "type": "http", "method": "GET", "path": target.decode(), "raw_path": target,
        "query_string": b"", "headers": lines, "client": ("127.0.0.1", 1), "scheme": "http", **more,
    }  # fmt: skip
    await house.app(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in told[0]["headers"]}
    return Answer(told[0]["status"], headers, told[1]["body"])


def bearer(house: House) -> tuple[bytes, bytes]:
    return b"authorization", b"Bearer " + house.token.encode()


@pytest.mark.parametrize(("method", "target"), ANY)
@pytest.mark.parametrize("token", ["", None])
async def test_every_answer(house: House, method: str, target: str, token: str | None) -> None:
    answer = await house.call(method, target, token=token)
    assert re.fullmatch("req_[0-9a-v]{20,}", answer.headers["x-request-id"])
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert "strict-transport-security" not in answer.headers
    if answer.status >= 400:
        error = answer.json["error"]
        assert list(answer.json) == ["error"]
        assert set(error) <= {"code", "message", "details", "request_id"}
        assert error["request_id"] == answer.headers["x-request-id"]
        assert answer.headers["content-type"] == "application/json"
    assert (answer.status == 401) == ("www-authenticate" in answer.headers)


async def test_where_tls_ends_here_browsers_are_told(house: House) -> None:
    answer = await with_lines(house, [bearer(house)], scheme="https")
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


@pytest.mark.parametrize(
    "value",
    [None, "", "Bearer", "Bearer ", "bearer\tx", "Basic eDp5", "Token x", "Bearer a b",
     "Bearer \xe4", "BearerX", ", Bearer x"],
)  # fmt: skip
async def test_missing_or_malformed_authorization(house: House, value: str | None) -> None:
    headers = {} if value is None else {"Authorization": value}
    answer = await house.call("GET", "/v1/secrets", token=None, headers=headers)
    assert (answer.status, answer.code) == (401, "authentication_required")
    assert answer.headers["www-authenticate"] == (
        'Bearer realm="scaivault", error="authentication_required"'
    )


async def test_the_scheme_is_spelled_as_one_likes_and_the_token_is_not(house: House) -> None:
    for scheme in ("bearer", "BEARER", "bEaReR"):
        headers = {"Authorization": f"{scheme}  {house.token}"}
        assert (await house.call("GET", "/v1/secrets", token=None, headers=headers)).status == 200
    wrong = house.token[:-1] + ("0" if house.token[-1] != "0" else "1")
    for token in (house.token.lower(), house.token + "x", wrong, "skt_x", "eyJ.x.y"):
        assert (await house.get("/v1/secrets", token=token)).code == "token_invalid"


async def test_no_token_from_query_or_cookie(house: House) -> None:
    headers = {"Cookie": f"token={house.token}"}
    for target in (f"/v1/secrets?access_token={house.token}", f"/v1/secrets?token={house.token}"):
        answer = await house.call("GET", target, token=None, headers=headers)
        assert answer.code == "authentication_required"


async def test_two_tokens_are_none(house: House) -> None:
    answer = await with_lines(house, [bearer(house), bearer(house)])
    assert answer.code == "authentication_required"


@pytest.mark.parametrize("name", [b"x-tenant-id", b"content-encoding", b"content-length"])
async def test_a_repeated_header_that_matters_is_refused(house: House, name: bytes) -> None:
    answer = await with_lines(house, [bearer(house), (name, b"1"), (name, b"1")])
    assert (answer.status, answer.code) == (400, "invalid_request")
    assert answer.headers["x-request-id"] == answer.json["error"]["request_id"] != ""


@pytest.mark.parametrize("name", [b"user-agent", b"x-request-id", b"accept"])
async def test_a_repeated_header_that_does_not_is_left_out(house: House, name: bytes) -> None:
    answer = await with_lines(house, [bearer(house), (name, b"one"), (name, b"two")])
    assert (answer.status, answer.headers["x-request-id"][:4]) == (200, "req_")
    row = (await house.rows(action="list"))[0]
    assert (row["user_agent"], "client_request_id" in row["extra_data"]) == (None, False)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("build.7_x-1", "build.7_x-1"), ("a" * 64, "a" * 64), ("a" * 65, None), ("a b", None),
     ("\xe4", None), ("", None)],
)  # fmt: skip
async def test_the_request_id_of_a_client_is_kept_and_never_adopted(
    house: House, sent: str, kept: str | None
) -> None:
    answer = await house.get("/v1/secrets", headers={"X-Request-ID": sent})
    assert answer.headers["x-request-id"] != sent
    row = (await house.rows(action="list"))[0]
    assert row["request_id"] == answer.headers["x-request-id"]
    assert row["extra_data"].get("client_request_id") == kept


async def test_the_user_agent_is_cut_and_cleaned(house: House) -> None:
    await house.get("/v1/secrets", headers={"User-Agent": "a\tb\x07" + "x" * 300})
    row = (await house.rows(action="list"))[0]
    assert row["user_agent"] == ("a b " + "x" * 300)[:256]


# (peer, Forwarded, X-Forwarded-For) -> the client that is written down
HOPS: dict[tuple[str, str | None, str | None], str | None] = {
    ("198.51.100.7", None, None): "198.51.100.7",
    ("198.51.100.7", None, "203.0.113.9"): "198.51.100.7",
    ("198.51.100.7", "for=203.0.113.9", None): "198.51.100.7",
    ("::ffff:198.51.100.7", None, None): "198.51.100.7",
    ("10.0.0.1", None, None): "10.0.0.1",
    ("10.0.0.1", None, "203.0.113.9"): "203.0.113.9",
    ("::ffff:10.0.0.1", None, "203.0.113.9"): "203.0.113.9",
    ("10.0.0.1", None, "192.0.2.1, 203.0.113.9, 10.0.0.2"): "203.0.113.9",
    ("10.0.0.1", None, "203.0.113.9:5555"): "203.0.113.9",
    ("10.0.0.1", None, "[2001:db8::5]:443"): "2001:db8::5",
    ("10.0.0.1", None, "2001:db8::5"): "2001:db8::5",
    ("10.0.0.1", None, "203.0.113.9, junk"): None,
    ("10.0.0.1", None, ""): "10.0.0.1",
    ("10.0.0.1", "for=203.0.113.9", None): "203.0.113.9",
    ("10.0.0.1", 'by=x;FOR="[2001:db8::5]:443";proto=https', None): "2001:db8::5",
    ("10.0.0.1", "for=192.0.2.1, for=203.0.113.9", None): "203.0.113.9",
    ("10.0.0.1", 'for="192.0.2.1, for=203.0.113.9', None): "203.0.113.9",
    ("10.0.0.1", "for=203.0.113.9", "203.0.113.9"): "203.0.113.9",
    # One of the two was not written by the proxy, and nobody can tell which.
    ("10.0.0.1", "for=192.0.2.1", "203.0.113.9"): None,
}


@pytest.mark.parametrize("case", HOPS)
async def test_the_address_of_the_client(
    tmp_path: Path, case: tuple[str, str | None, str | None]
) -> None:
    house = await House.opened(tmp_path / "vault", server__trusted_proxies=["10.0.0.0/8"])
    peer, forwarded, forwarded_for = case
    named = {"Forwarded": forwarded, "X-Forwarded-For": forwarded_for}
    headers = {name: value for name, value in named.items() if value is not None}
    await house.get("/v1/secrets", headers=headers, client=(peer, 1))
    assert (await house.rows(action="list"))[0]["source_ip"] == HOPS[case]
    await house.close()


async def test_without_trusted_proxies_no_header_is_believed(house: House) -> None:
    headers = {"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9"}
    await house.get("/v1/secrets", headers=headers)
    assert (await house.rows(action="list"))[0]["source_ip"] == "127.0.0.1"


async def test_a_unix_socket_has_no_address(house: House) -> None:
    await house.get("/v1/secrets", client=None)
    assert (await house.rows(action="list"))[0]["source_ip"] is None


async def test_every_answer_to_head_is_empty(house: House) -> None:
    answer = await house.call("HEAD", "/v1/health")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["content-length"]) > 0


class Counted(bytes):
    """A header's name that counts how often it is compared."""

    compared = 0

    def __eq__(self, other: object) -> bool:
        Counted.compared += 1
        return bytes.__eq__(self, other)

    __hash__ = bytes.__hash__


async def test_many_headers_with_a_repeated_one_cost_little(house: House) -> None:
    """Thousands fit into 32 KiB, from callers whom nobody knows."""
    names = [Counted(b"x%x" % number) for number in range(4000)]
    lines = [(b"host", b"v"), *((name, b"") for name in names), (Counted(b"x0"), b"")]
    Counted.compared = 0
    answer = await with_lines(house, lines, target=b"/v1/nothing")
    assert answer.status == 404
    assert Counted.compared < 20 * len(lines)
