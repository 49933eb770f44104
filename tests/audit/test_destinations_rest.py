"""Google Cloud Storage and Azure Blob Storage, against servers that hold requests to what the
services document. No real cloud is reached."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from scaivault.audit.destinations import DestinationFailed, Place
from scaivault.audit.destinations.azure_blob import SharedKey
from scaivault.audit.destinations.azure_blob import opened as azure
from scaivault.audit.destinations.gcs import Service, _token
from scaivault.audit.destinations.gcs import opened as gcs
from scaivault.clock import FakeClock
from scaivault.outbound import Allowance, Guard
from scaivault.wire.addresses import parse_range
from tests.audit.stores import Azure, Gcs, serving

LOCAL = Guard(Allowance((parse_range("127.0.0.0/8"),)))
PIECE = 256 * 1024
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption(),
).decode()
PUBLIC = (
    KEY.public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    .decode()
)
ACCOUNT = {
    "client_email": "uploader@harbour.iam.example",
    "private_key": PEM,
    "private_key_id": "k1",
    "token_uri": "http://127.0.0.1:1/stolen",
}
SHARED = base64.b64encode(bytes(range(64))).decode()


async def pieces(*sizes: int) -> AsyncIterator[bytes]:
    for number, size in enumerate(sizes):
        yield bytes([65 + number]) * size


def content(*sizes: int) -> bytes:
    return b"".join(bytes([65 + number]) * size for number, size in enumerate(sizes))


SIZES = [(), (10,), (PIECE,), (PIECE, PIECE, 7)]


def bucket(name: str = "audit", **credentials: str) -> Place:
    found = {**ACCOUNT, **credentials}
    return Place("gcs", "logs/", bucket=name, credentials=found, guard=LOCAL)


async def to_gcs(place: Place, *sizes: int, faults: tuple[int, ...] = (), **state: Any) -> Any:
    with serving(Gcs, uploads={}, public_key=PUBLIC, audience="", **state) as (address, server):
        server.audience = f"{address}/token"  # type: ignore[attr-defined] # of Gcs
        server.faults.extend(faults)
        service = Service(address, f"{address}/token")
        async with gcs(place, service, FakeClock()) as store:
            await store.put("a b/é.jsonl", pieces(*sizes))
            await store.finish()
        return server.objects


@pytest.mark.parametrize("sizes", SIZES)
async def test_gcs(sizes: tuple[int, ...]) -> None:
    assert await to_gcs(bucket(), *sizes) == {"logs/a b/é.jsonl": content(*sizes)}


@pytest.mark.parametrize(
    ("place", "faults", "reason"),
    [
        (bucket("other"), (), "not_found"),
        (bucket(private_key=PEM[:100]), (), "credentials"),
        (bucket(client_email=""), (), "credentials"),
        (bucket(), (500,), "unexpected_answer"),
        (bucket(), (403,), "permission_denied"),
        (bucket(), (302,), "unexpected_answer"),
    ],
)
async def test_gcs_that_fails(place: Place, faults: tuple[int, ...], reason: str) -> None:
    with pytest.raises(DestinationFailed) as caught:
        await to_gcs(place, 10, faults=faults)
    assert caught.value.reason == reason
    assert "PRIVATE" not in str(caught.value)


@pytest.mark.parametrize("answer", [b"", b"[", b"{}", b'{"access_token":"\xff"}', b"[" * 10_000])
def test_gcs_that_gives_no_token(answer: bytes) -> None:
    with pytest.raises(DestinationFailed) as failed:
        _token(answer)
    assert failed.value.reason == "unexpected_answer"


async def test_gcs_that_sends_the_upload_elsewhere() -> None:
    with pytest.raises(DestinationFailed, match="upload of its own"):
        await to_gcs(bucket(), 10, elsewhere="http://127.0.0.1:1")


def container(name: str = "audit", **credentials: str) -> Place:
    found = {"account_name": "harbour", **credentials}
    return Place("azure_blob", "logs/", bucket=name, credentials=found, guard=LOCAL)


async def to_azure(place: Place, *sizes: int, faults: tuple[int, ...] = ()) -> Any:
    with serving(Azure, blocks={}, key=base64.b64decode(SHARED)) as (address, server):
        server.faults.extend(faults)
        async with azure(place, address, FakeClock()) as store:
            await store.put("exp_1/part.jsonl", pieces(*sizes))
            await store.finish()
        return server.objects


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize(
    "credentials", [{"account_key": SHARED}, {"sas_token": "?sv=2021-08-06&sp=cw&sig=s%2B%2F%3D"}]
)
async def test_azure(sizes: tuple[int, ...], credentials: dict[str, str]) -> None:
    found = await to_azure(container(**credentials), *sizes)
    assert found == {"logs/exp_1/part.jsonl": content(*sizes)}


@pytest.mark.parametrize(
    ("place", "faults", "reason"),
    [
        (container("other", account_key=SHARED), (), "not_found"),
        (container(account_key=base64.b64encode(b"other").decode()), (), "permission_denied"),
        (container(account_key="?"), (), "credentials"),
        (container(), (), "credentials"),
        (container(account_name="x.evil.example/", account_key=SHARED), (), "credentials"),
        (container(sas_token="sig=a\r\nx: y"), (), "credentials"),
        (container(account_key=SHARED), (503,), "unexpected_answer"),
        (container(account_key=SHARED), (307,), "unexpected_answer"),
    ],
)
async def test_azure_that_fails(place: Place, faults: tuple[int, ...], reason: str) -> None:
    with pytest.raises(DestinationFailed) as caught:
        await to_azure(place, 10, faults=faults)
    assert caught.value.reason == reason
    assert SHARED not in str(caught.value)


def test_the_string_that_is_signed() -> None:
    """Items in the order and form of the documentation of Shared Key."""
    request = httpx.Request(
        "PUT",
        "https://harbour.blob.core.windows.net/audit/x?comp=block&blockid=MDA%3D",
        headers={"x-ms-version": "2021-08-06", "x-ms-date": "Fri, 09 May 2031 06:30:00 GMT"},
        content=b"12345",
    )
    assert SharedKey("harbour", SHARED).text(request) == (
        "PUT\n\n\n5\n\n\n\n\n\n\n\n\n"
        "x-ms-date:Fri, 09 May 2031 06:30:00 GMT\nx-ms-version:2021-08-06\n"
        "/harbour/audit/x\nblockid:MDA=\ncomp:block"
    )
