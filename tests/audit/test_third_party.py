"""Exports, archives and tombstones as somebody else verifies them, who has docs/formats.md and
nothing of this program: the standard library and an implementation of Ed25519."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from scaivault.clock import MINUTE
from tests.audit.exporting import exported, fill
from tests.audit.test_retention import age, raw, stones
from tests.support.house import House
from tests.support.rights import neighbour
from tests.support.tenants import found_partner

NAMES = (
    "action", "actor_tenant_id", "duration_ms", "extra_data", "id", "identity_id",
    "identity_type", "partner_id", "request_id", "secret_path", "seq", "source_ip", "success",
    "tenant_id", "timestamp", "user_agent",
)  # fmt: skip


def h(personalisation: str, message: bytes) -> bytes:
    return hashlib.blake2b(message, digest_size=32, person=personalisation.encode()).digest()


def jcs(value: Any) -> bytes:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def b64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def lines(path: Path) -> list[bytes]:
    *found, rest = path.read_bytes().split(b"\n")
    assert rest == b""
    return found


def row_digest(row: dict[str, Any]) -> bytes:
    return h("scaivault-arow-1", jcs({name: row[name] for name in NAMES}))


def check_point(point: dict[str, Any], key: bytes) -> None:
    said = {name: value for name, value in point.items() if name != "signature"}
    assert point["key_id"] == hashlib.blake2b(key, digest_size=8).hexdigest()
    signed = b"scaivault-audit-checkpoint-v1\n" + jcs(said)
    Ed25519PublicKey.from_public_bytes(key).verify(b64(point["signature"]), signed)


def check_files(folder: Path, manifest: dict[str, Any]) -> None:
    for file in manifest["files"]:
        content = (folder / file["name"]).read_bytes()
        found = (len(content), hashlib.sha256(content).hexdigest())
        assert found == (file["size_bytes"], file["sha256"])


def rows_of(folder: Path) -> dict[int, dict[str, Any]]:
    found = {}
    for path in sorted(folder.glob("part-*.jsonl")):
        for line in lines(path):
            row = json.loads(line)
            assert line == jcs(row)
            assert set(row) == {*NAMES, "prev_hash", "hash"}
            found[row["seq"]] = row
    return found


def check_export(folder: Path) -> int:
    """How many rows it proves."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    check_files(folder, manifest)
    rows, chain = rows_of(folder), manifest["chain"]
    points = {point["seq"]: point for point in map(json.loads, lines(folder / "checkpoints.jsonl"))}
    now = bytes.fromhex(chain["first_prev_hash"])
    if chain["first_seq"] == 1:
        assert now == h("scaivault-agen-1", manifest["vault_id"].encode())
    seq = chain["first_seq"] - 1
    for line in lines(folder / "chain.jsonl"):
        number, digest = json.loads(line)
        seq += 1
        before, now = now, h("scaivault-alnk-1", now + bytes.fromhex(digest))
        assert number == seq
        if (row := rows.get(seq)) is not None:
            assert (row["prev_hash"], row["hash"]) == (before.hex(), now.hex())
            assert row_digest(row).hex() == digest
        if (point := points.get(seq)) is not None:
            assert point["hash"] == now.hex()
            check_point(point, b64(manifest["public_key"]))
    assert (seq, now.hex()) == (chain["last_seq"], chain["last_hash"])
    assert points[seq] == manifest["checkpoint"]
    assert all(chain["first_seq"] <= number <= seq for number in rows)
    return len(rows)


def check_archive(folder: Path) -> tuple[int, int]:
    """How many rows and tombstones it proves."""
    counts = {True: 0, False: 0}
    now, seq = b"", 0
    for path in sorted(folder.iterdir(), key=lambda path: int(path.stem.split("-")[1])):
        *body, last = lines(path)
        first, end = map(int, path.stem.split("-")[1:])
        assert first == seq + 1
        for line in body:
            row = json.loads(line)
            assert line == jcs(row)
            now = now or bytes.fromhex(row["prev_hash"])
            assert row["prev_hash"] == now.hex()
            digest = bytes.fromhex(row["digest"]) if "digest" in row else row_digest(row)
            now, seq = h("scaivault-alnk-1", now + digest), seq + 1
            assert (row["seq"], row["hash"]) == (seq, now.hex())
            counts["digest" in row] += 1
        closing = json.loads(last)
        assert (closing["checkpoint"]["seq"], closing["checkpoint"]["hash"]) == (end, now.hex())
        assert seq == end
        check_point(closing["checkpoint"], b64(closing["public_key"]))
    return counts[False], counts[True]


@pytest.fixture
async def archiving(tmp_path: Path) -> AsyncIterator[House]:
    """With rows of two tenants, of which some went before there was an archive."""
    house = await House.opened(tmp_path / "data")
    await fill(house)
    token = await neighbour(house, "tenant_admin", (await found_partner(house, "foreign")).id)
    await house.call("PUT", "/v1/secrets/their/own", {"data": {}}, token=token)
    await age(house)
    await house.close()
    again = House(house.path, house.clock, audit__archive__type="file")
    again.token, again.made = house.token, house.made
    await again.unseal()
    yield again
    await again.close()


async def test_by_the_document_alone(archiving: House) -> None:
    house = archiving
    agent = {"User-Agent": 'Zoë "q" \\ =1+1'.encode().decode("latin-1")}
    await house.call("GET", "/v1/secrets/app/s1", headers=agent)
    done, folder = await exported(house)
    assert check_export(folder) == done["records"] > 0
    for _ in range(3):
        house.clock.advance(10 * MINUTE)
        await house.run_jobs()
    left = await stones(house)
    rows, pruned = check_archive(house.path / "archive")
    assert rows > 0
    assert pruned == len(left) > 0
    for row in (await raw(house)).values():
        if row.get("action") == "audit_prune":
            own = [seq for seq in sorted(left) if left[seq]["prune_seq"] == row["seq"]]
            packed = b"".join(seq.to_bytes(8, "big") for seq in own)
            assert row["extra_data"]["set_hash"] == h("scaivault-apru-1", packed).hex()
