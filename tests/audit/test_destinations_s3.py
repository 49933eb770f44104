"""Exports to a server that speaks S3."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from scaivault.audit import archive, files
from scaivault.audit.destinations import DestinationFailed, Place, contract, open_place
from scaivault.clock import HOUR, MINUTE
from scaivault.outbound import Allowance, Guard
from scaivault.wire.addresses import parse_range
from tests.audit.exporting import fill, job, run, start, verify
from tests.audit.stores import Store, free_port, moto, needs_moto, serving
from tests.support.house import House

pytestmark = [
    needs_moto,
    # botocore's own use of what Python gives up.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:botocore"),
]
KEYS = {"access_key_id": "AKIAEXAMPLE", "secret_access_key": "secret", "session_token": "token"}
LOCAL = Guard(Allowance((parse_range("127.0.0.0/8"),)))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with moto(tmp_path_factory.mktemp("moto")) as address:
        yield address


@contextlib.asynccontextmanager
async def client(server: str) -> AsyncIterator[Any]:
    from aiobotocore.session import AioSession

    async with AioSession().create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url=server,
        aws_access_key_id="a",
        aws_secret_access_key="b",
    ) as api:
        yield api


async def bucket(server: str, name: str) -> str:
    async with client(server) as api:
        await api.create_bucket(Bucket=name)
    return name


async def objects(server: str, name: str) -> dict[str, bytes]:
    found = {}
    async with client(server) as api:
        for entry in (await api.list_objects_v2(Bucket=name)).get("Contents", []):
            answer = await api.get_object(Bucket=name, Key=entry["Key"])
            found[entry["Key"]] = await answer["Body"].read()
    return found


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[House]:
    house = await House.opened(tmp_path / "vault", webhooks__allowed_networks=["127.0.0.0/8"])
    await house.put("infra/key", KEYS)
    yield house
    await house.close()


def to(server: str, name: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "s3",
        "bucket": name,
        "credentials_path": "infra/key",
        "endpoint": server,
        **more,
    }


async def test_an_export(local: House, server: str, tmp_path: Path) -> None:
    name = await bucket(server, "whole")
    await fill(local)
    started = await start(local, destination=to(server, name, prefix="audit/", region="eu-west-1"))
    assert started.status == 202, started.body
    await run(local)
    done = await job(local, started.json["export_id"])
    assert done["status"] == "completed", done
    assert done["destination"] == to(server, name, prefix="audit/", region="eu-west-1")
    folder = tmp_path / "fetched"
    folder.mkdir()
    for key, content in (await objects(server, name)).items():
        head, _, last = key.rpartition("/")
        assert head == f"audit/{done['export_id']}"
        (folder / last).write_bytes(content)
    assert verify(folder)["valid"]
    (read,) = await local.rows(action="read", secret_path="infra/key")
    assert read["extra_data"] == {"purpose": "audit_export", "version": 1}
    assert read["identity_id"] == "sa:root"


async def test_parts_of_an_upload(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    piece = 5 * 1024 * 1024
    monkeypatch.setattr(files, "PIECE", piece)
    name = await bucket(server, "large")
    content = bytes(range(256)) * (piece // 100)

    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(content), 100_000):
            yield content[at : at + 100_000]

    place = Place("s3", "p/", bucket=name, endpoint=server, credentials=KEYS, guard=LOCAL)
    async with open_place(place) as store:
        await store.put("big", files.Growing("big").pieces(chunks()))
    assert await objects(server, name) == {"p/big": content}


async def test_the_archive(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = await bucket(server, "archive")

    def here(place: Place) -> Any:
        return open_place(dataclasses.replace(place, endpoint=server))

    monkeypatch.setattr(archive, "open_place", here)
    house = await House.opened(
        tmp_path / "vault",
        webhooks__allowed_networks=["127.0.0.0/8"],
        audit__archive__type="s3",
        audit__archive__bucket=name,
        audit__archive__prefix="log/",
        audit__archive__credentials_path="infra/key",
    )
    await house.run_jobs()
    house.clock.advance(11 * MINUTE)
    await house.run_jobs()
    assert await objects(server, name) == {}  # there are no credentials yet
    await house.put("infra/key", KEYS)
    for _ in range(4):
        await house.put("app/more", {})
        house.clock.advance(11 * MINUTE)
        await house.run_jobs()
    folder = tmp_path / "fetched"
    folder.mkdir()
    for key, content in (await objects(server, name)).items():
        assert key.startswith("log/audit-")
        (folder / key.removeprefix("log/")).write_bytes(content)
    report = verify(folder)
    assert report["valid"]
    assert report["first_seq"] == 1
    reads = await house.rows(action="read", secret_path="infra/key", success=True)
    assert reads
    for row in reads:
        assert row["identity_id"] == "system:audit"
        assert row["extra_data"] == {"purpose": "audit_archive", "version": 1}
    await house.close()


async def test_uploads_that_a_killed_try_left(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    piece = 5 * 1024 * 1024
    monkeypatch.setattr(files, "PIECE", piece)
    name = await bucket(server, "left")
    async with client(server) as api:
        for key in ("p/big", "p/big-of-another"):
            await api.create_multipart_upload(Bucket=name, Key=key)

    async def chunks() -> AsyncIterator[bytes]:
        yield bytes(piece + 1)

    place = Place("s3", "p/", bucket=name, endpoint=server, credentials=KEYS, guard=LOCAL)
    async with open_place(place) as store:
        await store.put("big", files.Growing("big").pieces(chunks()))
    async with client(server) as api:
        left = (await api.list_multipart_uploads(Bucket=name)).get("Uploads", [])
    assert [upload["Key"] for upload in left] == ["p/big-of-another"]
    assert await objects(server, name) == {"p/big": bytes(piece + 1)}


@pytest.mark.parametrize("missing", ["bucket", "secret", "field"])
async def test_what_is_missing(local: House, server: str, missing: str) -> None:
    name = "nowhere" if missing == "bucket" else await bucket(server, f"there-{missing}")
    more = {"credentials_path": "infra/none"} if missing == "secret" else {}
    if missing == "field":
        await local.put("infra/half", {"access_key_id": "A"})
        more = {"credentials_path": "infra/half"}
    started = await start(local, destination=to(server, name, **more))
    await run(local)
    done = await job(local, started.json["export_id"])
    if missing == "secret":
        assert (done["status"], done["error"]["code"]) == ("failed", "secret_not_found")
    else:
        assert done["status"] == "pending"  # it is tried again


async def test_five_tries_within_the_hour(local: House) -> None:
    class Broken(Store):
        """Down."""

        def do_PUT(self) -> None:  # noqa: N802 - the name that http.server calls
            self.body()
            self.answer(503)

    with serving(Broken) as (address, _):
        began = local.clock.now()
        started = await start(local, destination=to(address, "b"))
        await run(local)
        for _ in range(12):
            found = await job(local, started.json["export_id"])
            if found["status"] == "failed":
                break
            await run(local, 5 * MINUTE)
    assert found["error"] == {
        "code": "upstream_error",
        "message": found["error"]["message"],
        "reason": "unexpected_answer",
    }
    tries = [row for row in await local.rows(action="read") if row["secret_path"] == "infra/key"]
    assert len(tries) == 5
    assert local.clock.now() - began <= HOUR
    row = (await local.rows(action="export_run"))[0]
    assert (row["success"], row["extra_data"]["error_code"]) == (False, "upstream_error")


async def test_it_succeeds_once_the_store_is_back(local: House, server: str) -> None:
    started = await start(local, destination=to(server, "later"))
    await run(local)
    await bucket(server, "later")
    await run(local, MINUTE)
    assert (await job(local, started.json["export_id"]))["status"] == "completed"


async def refused(endpoint: str, guard: Guard = LOCAL) -> str:
    place = Place("s3", "p/", bucket="b", endpoint=endpoint, credentials=KEYS, guard=guard)

    async def nothing() -> AsyncIterator[bytes]:
        yield b"x"

    with pytest.raises(DestinationFailed) as caught:
        async with open_place(place) as store:
            await store.put("x", nothing())
    assert "secret" not in str(caught.value)
    return caught.value.reason


async def test_addresses_that_may_not_be_called(server: str) -> None:
    none = Guard(Allowance())
    assert await refused(server, none) == "address_not_allowed"
    port = server.rpartition(":")[2]
    # By name, so that the look-up decides.
    assert await refused(f"https://localhost:{port}", none) == "address_not_allowed"


async def test_servers_that_are_none() -> None:
    assert await refused(f"http://127.0.0.1:{free_port()}") == "unreachable"


@pytest.mark.parametrize("status", [301, 302, 307])
async def test_redirects_lead_nowhere(status: int) -> None:
    called: list[str] = []

    class Elsewhere(Store):
        """Must not be called."""

        def do_PUT(self) -> None:  # noqa: N802 - the name that http.server calls
            called.append(self.path)
            self.body()
            self.answer(200)

    with serving(Elsewhere) as (there, _):

        class Sending(Store):
            """Sends callers away."""

            def do_PUT(self) -> None:  # noqa: N802 - the name that http.server calls
                self.body()
                self.answer(status, Location=f"{there}/b/x")

            def do_HEAD(self) -> None:  # noqa: N802 - the name that http.server calls
                self.answer(404)

        with serving(Sending) as (here, _):
            assert await refused(here) in ("unexpected_answer", "unreachable")
    assert called == []


async def test_the_region_of_the_secret_is_a_region(local: House, server: str) -> None:
    place = Place("s3", bucket="b", credentials={**KEYS, "region": "x.evil.example/"}, guard=LOCAL)
    with pytest.raises(DestinationFailed, match="region"):
        async with open_place(place):
            pass


async def test_the_hosts_environment_does_not_count(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = await bucket(server, "environment")
    dead = f"http://127.0.0.1:{free_port()}"
    for variable in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(variable, dead)
    place = Place("s3", "e/", bucket=name, endpoint=server, credentials=KEYS, guard=LOCAL)

    async def nothing() -> AsyncIterator[bytes]:
        yield b"x"

    async with open_place(place) as store:
        await store.put("x", nothing())
    for variable in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(variable)
    assert await objects(server, name) == {"e/x": b"x"}


def test_pieces_fit_every_store() -> None:
    assert contract.PIECE % (256 * 1024) == 0
    assert contract.PIECE >= 5 * 1024 * 1024
