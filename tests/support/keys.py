"""The keys of a vault, worked out from its files by docs/formats.md alone.

Nothing of ``scaivault`` is used: another program that can do this proves that the document is
enough, and that what a test searches for was not taken from the place that is searched.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nacl import bindings, pwhash
from sqlcipher3 import dbapi2


def kdf(key: bytes, n: int, ctx: bytes) -> bytes:
    return hashlib.blake2b(
        key=key, salt=n.to_bytes(16, "little"), person=ctx.ljust(16, b"\0"), digest_size=32
    ).digest()


def context(*parts: str | int) -> bytes:
    raw = [str(part).encode() for part in parts]
    return b"scaivault-aad-1" + b"".join(len(part).to_bytes(4, "big") + part for part in raw)


def unbox(key: bytes, box: bytes, aad: bytes) -> bytes:
    assert box[:1] == b"\x01"
    plain: bytes = bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
        box[25:], aad, box[1:25], key
    )
    return plain


def from_text(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Keys:
    """``named``: what each key is -> its 32 bytes."""

    root: bytes
    file: bytes
    seal: dict[str, Any]
    named: dict[str, bytes] = field(default_factory=dict)


def root_key(seal: dict[str, Any], passphrase: str) -> bytes:
    """R, by the first passphrase slot."""
    slot = next(slot for slot in seal["slots"] if slot["type"] == "passphrase")
    cost = slot["params"]["kdf"]
    secret = pwhash.argon2id.kdf(
        32, passphrase.encode(), from_text(cost["salt"]), cost["ops"], cost["mem_kib"] * 1024
    )
    described = {"params": slot["params"], "type": slot["type"]}
    jcs = json.dumps(described, sort_keys=True, separators=(",", ":")).encode()
    place = hashlib.blake2b(jcs, digest_size=32).hexdigest()
    aad = context("root-key", seal["vault_id"], slot["id"], place, seal["root_key_version"], 0)
    return unbox(kdf(secret, 1, b"svslot01"), from_text(slot["wrapped_root"]), aad)


def keys_of(data: Path, passphrase: str, scratch: Path) -> Keys:
    """R, F, Y, every P and every T; ``scratch``: where the files are copied to."""
    seal = json.loads((data / "vault.seal").read_text())
    vault, version = seal["vault_id"], seal["root_key_version"]
    root = root_key(seal, passphrase)
    kept = seal["file_key"]
    aad = context("file-key", vault, "-", "vault.db", kept["version"], version)
    file_key = unbox(kdf(root, 1, b"svroot01"), from_text(kept["wrapped"]), aad)
    keys = Keys(root, file_key, seal, {"root": root, "file": file_key})
    with opened(data, keys, scratch) as rows:
        _unwrap_all(keys, rows)
    return keys


def _unwrap_all(keys: Keys, rows: Any) -> None:
    vault, root_version = keys.seal["vault_id"], keys.seal["root_key_version"]
    top = kdf(keys.root, 3, b"svroot01")
    wrapped = rows.execute(
        "SELECT kind, owner_id, version, parent_version, box FROM wrapped_key"
    ).fetchall()
    partners = dict(rows.execute("SELECT id, partner_id FROM tenant").fetchall())
    for kind, owner, version, parent, box in wrapped:
        if kind != "tenant" and parent == root_version:
            name = "system" if kind == "system" else owner
            aad = context(f"{kind}-key", vault, owner, name, version, root_version)
            keys.named[f"{owner} {version}"] = unbox(top, box, aad)
    for kind, owner, version, parent, box in wrapped:
        if kind == "tenant":
            partner = partners[owner]
            key = kdf(keys.named[f"{partner} {parent}"], 1, b"svpart01")
            aad = context("tenant-key", vault, partner, owner, version, parent)
            keys.named[f"{owner} {version}"] = unbox(key, box, aad)


@contextmanager
def opened(data: Path, keys: Keys, scratch: Path) -> Iterator[Any]:
    """A connection to a copy of vault.db with its log, for as long as it is needed."""
    scratch.mkdir(exist_ok=True)
    for name in ("vault.db", "vault.db-wal"):
        (scratch / name).unlink(missing_ok=True)
        if (data / name).exists():
            shutil.copyfile(data / name, scratch / name)
    with closing(dbapi2.connect(str(scratch / "vault.db"))) as connection:
        connection.execute(f"PRAGMA key = \"x'{keys.file.hex()}'\"")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        yield connection
