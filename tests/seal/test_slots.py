import asyncio
import base64
import os
import stat
import unicodedata
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from scaivault.crypto import aead, codes, digest, kdf, shamir
from scaivault.crypto.memory import Guarded
from scaivault.errors import Refusal
from scaivault.seal.file import SealFile, SealFileInvalid, Slot, WrappedKey, from_text, to_text
from scaivault.seal.slots import KINDS, check_slots, keytext, kinds
from scaivault.seal.slots.contract import Created, Credential, Host, Kind, Wanted
from scaivault.seal.slots.passphrase import normal
from scaivault.seal.slots.shamir import Collection
from scaivault.seal.slots.wrapping import unwrap_root, wrap_root

VAULT = "vlt_" + "5q2m" * 5
SLOT = "slot_" + "0" * 14 + "a1b2c3"
HOST = Host(argon2_ops=1, argon2_mem_kib=65536, credentials=None)
ALL = kinds(HOST)
WORDS = "correct horse battery"
KDF = {"alg": "argon2id13", "ops": 1, "mem_kib": 65536, "salt": to_text(bytes(range(16)))}
UNOPENED: tuple[str, str, dict[str, Any]] = (
    "unseal_failed",
    "no slot opens with this credential",
    {},
)


def slot(kind: str, params: dict[str, Any], **fields: Any) -> Slot:
    bare = Slot(
        id=SLOT,
        type=kind,
        label=kind,
        created_at="2031-02-03T04:05:06.000007Z",
        params=params,
        wrapped_root="AA",
    )
    return structs.replace(bare, **fields)


async def create(kind: str, host: Host = HOST, **wanted: Any) -> Created:
    return await kinds(host)[kind].create(SLOT, VAULT, Wanted(**wanted))


async def secret(at: Slot, host: Host = HOST, **credential: Any) -> Guarded:
    return await kinds(host)[at.type].secret(at, Credential(**credential), VAULT)


async def fault(kind: str, host: Host = HOST, **wanted: Any) -> dict[str, str]:
    with pytest.raises(Refusal) as caught:
        await create(kind, host, **wanted)
    assert caught.value.code == "validation_error"
    fields: dict[str, str] = caught.value.details["fields"]
    return fields


async def not_opened(at: Slot, host: Host = HOST, **credential: Any) -> None:
    with pytest.raises(Refusal) as caught:
        await secret(at, host, **credential)
    refusal = caught.value
    assert (refusal.code, refusal.message, refusal.details) == UNOPENED


async def failing(at: Slot, host: Host = HOST) -> str:
    with pytest.raises(Refusal) as caught:
        await secret(at, host, auto=True)
    assert caught.value.code == "upstream_error"
    assert caught.value.details == {"backend": at.type}
    return caught.value.message


# -- all kinds --------------------------------------------------------------------------------


def key_line(fill: int = 7) -> str:
    return base64.b64encode(bytes([fill]) * 32).decode()


def write_key(path: Path, mode: int = 0o600, text: str | None = None) -> Path:
    path.write_text((key_line() if text is None else text) + "\n")
    path.chmod(mode)
    return path


Maker = Callable[[Path], tuple[Host, dict[str, Any]]]


def with_passphrase(_: Path) -> tuple[Host, dict[str, Any]]:
    return HOST, {"passphrase": WORDS}


def with_shares(_: Path) -> tuple[Host, dict[str, Any]]:
    return HOST, {"shares": 3, "threshold": 2}


def with_key_file(directory: Path) -> tuple[Host, dict[str, Any]]:
    return HOST, {"params": {"path": str(directory / "key"), "create": True}}


def with_credential(directory: Path) -> tuple[Host, dict[str, Any]]:
    write_key(directory / "scaivault.key", 0o440)
    return Host(argon2_ops=1, argon2_mem_kib=65536, credentials=directory), {}


MAKERS: dict[str, Maker] = {
    "passphrase": with_passphrase,
    "shamir": with_shares,
    "keyfile": with_key_file,
    "systemd-credential": with_credential,
}


def credential_for(kind: str, created: Created) -> dict[str, Any]:
    if kind == "passphrase":
        return {"passphrase": WORDS}
    if kind == "shamir":
        return {"shares": created.shares[:2]}
    return {"auto": True}


def test_every_kind_is_tested_here() -> None:
    assert [kind.type for kind in KINDS] == list(MAKERS)


@pytest.mark.parametrize("kind", MAKERS)
async def test_created_slot_opens(kind: str, tmp_path: Path) -> None:
    host, wanted = MAKERS[kind](tmp_path)
    created = await create(kind, host, **wanted)
    at = slot(kind, created.params)
    ALL[kind].check(created.params)
    root = Guarded.random()
    at = structs.replace(at, wrapped_root=wrap_root(created.secret, root, at, VAULT, 1))

    credential = credential_for(kind, created)
    assert ALL[kind].takes(at, Credential(**credential))
    again = await secret(at, host, **credential)
    assert again.equals(created.secret)
    assert unwrap_root(again, at, VAULT, 1).equals(root)


@pytest.mark.parametrize("kind", MAKERS)
async def test_credential_of_another_sort_opens_nothing(kind: str, tmp_path: Path) -> None:
    host, wanted = MAKERS[kind](tmp_path)
    at = slot(kind, (await create(kind, host, **wanted)).params)
    sorts: dict[str, Any] = {"passphrase": WORDS, "shares": ("svs1-",), "key": "", "auto": True}
    for name, value in sorts.items():
        if not ALL[kind].takes(at, Credential(**{name: value})):
            await not_opened(at, host, **{name: value})
    assert not ALL[kind].takes(at, Credential())
    await not_opened(at, host)


@pytest.mark.parametrize("kind", MAKERS)
async def test_fields_of_other_kinds_are_refused(kind: str, tmp_path: Path) -> None:
    host, wanted = MAKERS[kind](tmp_path)
    foreign: dict[str, Any] = {"passphrase": WORDS, "generate": True, "shares": 3, "threshold": 2}
    own = {"passphrase": {"passphrase", "generate"}, "shamir": {"shares", "threshold"}}
    for name in foreign.keys() - own.get(kind, set()):
        faults = await fault(kind, host, **wanted | {name: foreign[name]})
        assert faults == {name: f"a {kind} slot has no such field"}


@pytest.mark.parametrize("kind", MAKERS)
async def test_unknown_params_are_refused(kind: str, tmp_path: Path) -> None:
    host, wanted = MAKERS[kind](tmp_path)
    params = {**wanted.get("params", {}), "surprise": 1}
    assert "surprise" in (await fault(kind, host, **wanted | {"params": params}))["params"]


@pytest.mark.parametrize("kind", MAKERS)
async def test_edited_params_open_nothing_and_are_named_at_start(kind: str, tmp_path: Path) -> None:
    host, wanted = MAKERS[kind](tmp_path)
    created = await create(kind, host, **wanted)
    edited = slot(kind, {**created.params, "surprise": 1})
    await not_opened(edited, host, **credential_for(kind, created))
    with pytest.raises(ValueError, match="surprise"):
        ALL[kind].check(edited.params)


def test_auto_and_portable_are_those_of_the_contract() -> None:
    table = {kind.type: (kind.auto({}), kind.portable) for kind in ALL.values()}
    assert table == {
        "passphrase": (False, True),
        "shamir": (False, True),
        "keyfile": (True, True),
        "systemd-credential": (True, False),
    }


def test_nothing_secret_is_printed() -> None:
    holders: list[object] = [
        Wanted(passphrase=WORDS),
        Credential(passphrase=WORDS, shares=("svs1-x",), key=key_line()),
        Created(params={}, secret=Guarded(), shares=("svs1-x",), recovery_key="svr1-x"),
    ]
    assert {repr(holder) for holder in holders} == {"<secret>"}


# -- start-up check ---------------------------------------------------------------------------


def seal_file(*slots: Slot) -> SealFile:
    return SealFile(
        format="scaivault-seal",
        version=1,
        vault_id=VAULT,
        created_at="2031-02-03T04:05:06.000007Z",
        root_key_version=1,
        generation=1,
        min_program="0.1.0",
        slots=list(slots),
        file_key=WrappedKey(version=1, wrapped="AA"),
        mac="AA",
    )


def test_start_finds_the_files_that_slots_need() -> None:
    file = seal_file(slot("passphrase", {"kdf": KDF}), slot("keyfile", {"path": "/etc/k"}))
    assert check_slots(file, ALL) == [Path("/etc/k")]


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (slot("abacus", {}), "unknown type abacus"),
        (slot("passphrase", {"kdf": KDF | {"ops": 11}}), r"ops.*restore it from a backup"),
        (slot("keyfile", {"path": "relative"}), "path"),
    ],
)
def test_start_refuses_slots_it_cannot_use(at: Slot, words: str) -> None:
    with pytest.raises(SealFileInvalid, match=words):
        check_slots(seal_file(at), ALL)


# -- wrapping the root key --------------------------------------------------------------------

S = Guarded().load(bytes(range(32)))
ROOT = Guarded().load(bytes(range(32, 64)))
AT = slot("passphrase", {"kdf": KDF})


def test_wrapped_root_is_a_known_answer() -> None:
    """A change here locks every existing vault."""
    wrapped = (
        "AQABAgMEBQYHCAkKCwwNDg8QERITFBUWF9g-cVmkZcflrXi-nA"
        "zpmUf383AaTA89azDHR_kb2vTTAjF_tKrOr5GNlF-7phebfw"
    )
    assert unwrap_root(S, structs.replace(AT, wrapped_root=wrapped), VAULT, 1).equals(ROOT)
    described = digest.jcs({"params": AT.params, "type": AT.type})
    formats = (Path(__file__).parents[2] / "docs/formats.md").read_text(encoding="utf-8")
    assert f"wrapped_root {wrapped}\n" in formats
    assert f"JCS          {described.decode()}\n" in formats
    assert f"object       {digest.plain(described).hex()}\n" in formats


def test_wrapping_is_bound_to_its_place() -> None:
    at = structs.replace(AT, wrapped_root=wrap_root(S, ROOT, AT, VAULT, 2))
    assert unwrap_root(S, at, VAULT, 2).equals(ROOT)
    assert wrap_root(S, ROOT, AT, VAULT, 2) != at.wrapped_root
    for key, place, vault, version in [
        (Guarded.random(), at, VAULT, 2),
        (S, at, "vlt_" + "0" * 20, 2),
        (S, at, VAULT, 1),
        (S, structs.replace(at, id="slot_" + "0" * 20), VAULT, 2),
        (S, structs.replace(at, type="shamir"), VAULT, 2),
        (S, structs.replace(at, params={"kdf": KDF | {"ops": 2}}), VAULT, 2),
        (S, structs.replace(at, wrapped_root=at.wrapped_root[:-4]), VAULT, 2),
        (S, structs.replace(at, wrapped_root="AR"), VAULT, 2),
    ]:
        with pytest.raises(Refusal) as caught:
            unwrap_root(key, place, vault, version)
        assert (caught.value.code, caught.value.message, caught.value.details) == UNOPENED


def test_label_and_date_are_not_bound_here() -> None:
    """They may be corrected without the credential; the MAC of the file holds them."""
    wrapped = wrap_root(S, ROOT, AT, VAULT, 1)
    at = structs.replace(AT, wrapped_root=wrapped, label="x", created_at="")
    assert unwrap_root(S, at, VAULT, 1).equals(ROOT)


# -- passphrase -------------------------------------------------------------------------------


async def test_passphrase_is_argon2id_of_its_normal_form() -> None:
    composed, decomposed = "Blüemliberg-Straße", "Blu\u0308emliberg-Straße"
    expected = Argon2id(
        salt=bytes(range(16)), length=32, iterations=1, lanes=1, memory_cost=65536
    ).derive(composed.encode())
    for words in (composed, decomposed):
        assert bytes((await secret(AT, passphrase=words)).reveal()) == expected


async def test_passphrase_is_not_trimmed() -> None:
    plain = await secret(AT, passphrase=WORDS)
    for other in (f" {WORDS}", f"{WORDS} ", f"{WORDS}\n", WORDS.upper()):
        assert not (await secret(AT, passphrase=other)).equals(plain)


async def test_new_slot_takes_its_numbers_from_the_settings() -> None:
    host = Host(argon2_ops=2, argon2_mem_kib=65540, credentials=None)
    first = await create("passphrase", host, passphrase=WORDS)
    second = await create("passphrase", host, passphrase=WORDS)
    numbers = dict(first.params["kdf"])
    assert len(from_text(numbers.pop("salt"))) == 16
    assert numbers == {"alg": "argon2id13", "ops": 2, "mem_kib": 65540}
    assert first.params["kdf"]["salt"] != second.params["kdf"]["salt"]
    assert first.recovery_key is None


async def test_recovery_key_is_a_passphrase_made_here() -> None:
    created = await create("passphrase", generate=True)
    assert created.recovery_key is not None
    assert len(codes.recovery_raw(created.recovery_key)) == 32
    again = await secret(slot("passphrase", created.params), passphrase=created.recovery_key)
    assert again.equals(created.secret)


@pytest.mark.parametrize("wanted", [{}, {"passphrase": WORDS, "generate": True}])
async def test_either_given_or_generated(wanted: dict[str, Any]) -> None:
    assert "generate" in (await fault("passphrase", **wanted))["passphrase"]


@pytest.mark.parametrize(
    "words",
    ["", "x" * 11, "x" * 1025, "ü" * 513, "x" * 100_000, "u\u0308" * 5000, "long enough \ud800"],
)
async def test_passphrase_of_no_allowed_length(words: str) -> None:
    faults = await fault("passphrase", passphrase=words)
    assert faults == {"passphrase": "must be 12 to 1024 bytes of UTF-8"}
    await not_opened(AT, passphrase=words)


@pytest.mark.parametrize("words", ["x" * 12, "x" * 1024, "üüüüüü", "u\u0308" * 512])
def test_passphrase_of_an_allowed_length(words: str) -> None:
    assert normal(words) == unicodedata.normalize("NFC", words).encode()


@given(st.text(max_size=600))
def test_normal_form_is_one_for_equivalent_texts(text: str) -> None:
    def form(text: str) -> bytes | str:
        try:
            return normal(text)
        except ValueError as fault:
            return str(fault)

    assert form(unicodedata.normalize("NFD", text)) == form(unicodedata.normalize("NFC", text))


@pytest.mark.parametrize(
    "change",
    [
        {"ops": 0},
        {"ops": 11},
        {"ops": True},
        {"mem_kib": 65535},
        {"mem_kib": 2097153},
        {"mem_kib": 2**50},
        {"salt": ""},
        {"salt": "A" * 43},
        {"alg": "argon2i13"},
        {"more": 1},
    ],
)
async def test_bounds_hold_before_any_derivation(
    change: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("derived")

    monkeypatch.setattr(kdf, "argon2id", never)
    edited = slot("passphrase", {"kdf": KDF | change})
    await not_opened(edited, passphrase=WORDS)
    with pytest.raises(ValueError, match="kdf"):
        ALL["passphrase"].check(edited.params)


async def test_derivation_leaves_the_event_loop_free() -> None:
    turns = 0
    deriving = asyncio.create_task(secret(AT, passphrase=WORDS))
    while not deriving.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns > 10


async def test_too_little_memory_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(kdf, "argon2id", none_left)
    with pytest.raises(Refusal, match="needs 64 MiB of memory") as caught:
        await secret(AT, passphrase=WORDS)
    assert caught.value.code == "service_unavailable"


# -- shamir -----------------------------------------------------------------------------------


async def test_any_threshold_of_shares_opens() -> None:
    created = await create("shamir", shares=5, threshold=3)
    at = slot("shamir", created.params)
    assert len(set(created.shares)) == 5
    for some in [*combinations(created.shares, 3), created.shares, created.shares[3::-1]]:
        assert (await secret(at, shares=tuple(some))).equals(created.secret)
    await not_opened(at, shares=created.shares[:2])
    await not_opened(at, shares=(created.shares[0],) * 3)


async def test_params_tell_nothing_but_digests() -> None:
    created = await create("shamir", shares=3, threshold=2)
    parts = [codes.share_raw(text) for text in created.shares]
    digests = [to_text(shamir.digest(part.index, part.data)) for part in parts]
    assert created.params == {"shares": 3, "threshold": 2, "digests": digests}
    assert [part.index for part in parts] == [1, 2, 3]
    assert {part.slot for part in parts} == {"a1b2c3"}


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({}, "shares"),
        ({"shares": 1, "threshold": 1}, "shares"),
        ({"shares": 33, "threshold": 2}, "shares"),
        ({"shares": 3}, "threshold"),
        ({"shares": 3, "threshold": 1}, "threshold"),
        ({"shares": 3, "threshold": 4}, "threshold"),
        ({"shares": -3, "threshold": -3}, "shares"),
    ],
)
async def test_impossible_numbers(wanted: dict[str, Any], field: str) -> None:
    assert list(await fault("shamir", **wanted)) == [field]


@pytest.mark.parametrize(
    "change",
    [
        {"shares": 2},
        {"shares": 4},
        {"threshold": 1},
        {"threshold": 4},
        {"digests": []},
        {"digests": ["A" * 43, "A" * 43, "A" * 42]},
    ],
)
async def test_edited_numbers_open_nothing(change: dict[str, Any]) -> None:
    created = await create("shamir", shares=3, threshold=2)
    edited = slot("shamir", created.params | change)
    await not_opened(edited, shares=created.shares)
    with pytest.raises(Refusal, match="no slot opens"):
        Collection(edited)


async def test_shares_collect_one_by_one() -> None:
    created = await create("shamir", shares=3, threshold=2)
    collection = Collection(slot("shamir", created.params))
    assert (collection.indexes, collection.complete) == ([], False)
    assert collection.add(created.shares[2]) == 3
    assert collection.add(created.shares[2]) == 3
    assert (collection.indexes, collection.complete) == ([3], False)
    with pytest.raises(Refusal, match="no slot opens"):
        collection.secret()
    assert collection.add(created.shares[0]) == 1
    assert (collection.indexes, collection.complete) == ([1, 3], True)
    assert collection.secret().equals(created.secret)
    assert collection.secret().equals(created.secret)
    collection.wipe()
    collection.wipe()
    assert (collection.indexes, collection.complete) == ([], False)


async def test_share_that_is_not_genuine_changes_nothing() -> None:
    created = await create("shamir", shares=3, threshold=2)
    collection = Collection(slot("shamir", created.params))
    collection.add(created.shares[0])
    second = codes.share_raw(created.shares[1])
    same_slot = (await create("shamir", shares=5, threshold=2)).shares
    for text in [
        "",
        "svs1-",
        created.shares[1][:-1] + "!",
        created.shares[1].upper(),
        created.shares[1] + "\n",
        codes.share(SLOT, 2, bytes(32)),
        codes.share(SLOT, 3, second.data),
        codes.share(SLOT, 4, second.data),
        codes.share("slot_" + "0" * 20, 2, second.data),
        same_slot[1],
        same_slot[4],
        codes.recovery(bytes(32)),
    ]:
        with pytest.raises(Refusal) as caught:
            collection.add(text)
        assert (caught.value.code, caught.value.message, caught.value.details) == UNOPENED
        await not_opened(slot("shamir", created.params), shares=(*created.shares, text))
    assert collection.indexes == [1]
    collection.add(created.shares[1])
    assert collection.secret().equals(created.secret)


async def test_replacing_the_root_key_means_fresh_shares() -> None:
    created = await create("shamir", shares=3, threshold=2)
    renewal = ALL["shamir"].renewal(created.params)
    assert renewal is not None
    fresh = await ALL["shamir"].create(SLOT, VAULT, renewal)
    assert (fresh.params["shares"], fresh.params["threshold"]) == (3, 2)
    assert not set(fresh.shares) & set(created.shares)
    await not_opened(slot("shamir", fresh.params), shares=created.shares)


@pytest.mark.parametrize("kind", ["passphrase", "keyfile", "systemd-credential"])
def test_other_kinds_keep_their_secret(kind: str) -> None:
    assert ALL[kind].renewal({}) is None


# -- key files --------------------------------------------------------------------------------


async def test_key_file_is_made_for_the_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "key"
    before = os.umask(0)
    try:
        created = await create("keyfile", params={"path": str(path), "create": True})
    finally:
        os.umask(before)
    assert created.params == {"path": str(path)}
    assert stat.S_IMODE(path.stat().st_mode) == 0o400
    raw = base64.b64decode(path.read_bytes(), validate=False)
    assert path.read_bytes() == base64.b64encode(raw) + b"\n"
    assert bytes(created.secret.reveal()) == raw
    assert ALL["keyfile"].files(created.params) == [path]


async def test_existing_file_is_used_never_replaced(tmp_path: Path) -> None:
    path = write_key(tmp_path / "key")
    faults = await fault("keyfile", params={"path": str(path), "create": True})
    assert "leave out create" in faults["params.path"]
    created = await create("keyfile", params={"path": str(path)})
    assert bytes(created.secret.reveal()) == bytes([7]) * 32
    assert path.read_text() == key_line() + "\n"


async def test_key_sent_by_hand_opens_without_the_file(tmp_path: Path) -> None:
    for kind, params in [("keyfile", {"path": "/none"}), ("systemd-credential", {"name": "none"})]:
        at = slot(kind, params)
        assert bytes((await secret(at, key=key_line(9))).reveal()) == bytes([9]) * 32
        for wrong in ("", "A", key_line()[:-1], key_line() + " ", "=" * 44, "ä" * 44, "A" * 44):
            await not_opened(at, key=wrong)


@pytest.mark.parametrize(
    "path", ["", "key", "/", "//", "/etc//key", "/etc/", "/a\0b", "/" + "a" * 4096, 7]
)
async def test_key_file_needs_an_absolute_path(path: object) -> None:
    for create_it in (True, False):
        faults = await fault("keyfile", params={"path": path, "create": create_it})
        assert list(faults) == ["params.path"]


async def test_key_file_that_cannot_be_used(tmp_path: Path) -> None:
    path = tmp_path / "key"
    at = slot("keyfile", {"path": str(path)})

    async def causes() -> tuple[str, str]:
        wrong = (await fault("keyfile", params={"path": str(path)}))["params.path"]
        message = await failing(at)
        assert str(tmp_path) not in message
        return wrong, message

    wrong, message = await causes()
    assert "No such file" in wrong
    assert "No such file" in message

    write_key(path, 0o640)
    wrong, message = await causes()
    assert "chmod 600" in wrong
    assert "mode 0400 or 0600" in message

    write_key(path, 0o600, key_line()[:-8])
    wrong, message = await causes()
    assert "not one base64 line of 32 bytes" in wrong
    assert "not one base64 line of 32 bytes" in message

    path.rename(tmp_path / "real")
    path.symlink_to(tmp_path / "real")
    wrong, message = await causes()
    assert "symbolic link" in wrong
    assert "plain file" in message


async def test_key_file_where_none_can_be_made(tmp_path: Path) -> None:
    faults = await fault("keyfile", params={"path": str(tmp_path / "no" / "k"), "create": True})
    assert "No such file" in faults["params.path"]


@pytest.mark.parametrize(
    "line", ["", "\n", "A" * 44, key_line() + "\n\n", key_line() + "\r\n", " " + key_line()]
)
def test_key_line_is_strict(line: str) -> None:
    buffer = bytearray(line.encode())
    with pytest.raises(ValueError, match="not one base64 line of 32 bytes"):
        keytext.key(buffer)
    assert len(buffer) < 2 or not any(buffer)


def test_key_line_is_wiped() -> None:
    for line in (key_line(), key_line() + "\n"):
        buffer = bytearray(line.encode())
        assert bytes(keytext.key(buffer).reveal()) == bytes([7]) * 32
        assert not any(buffer)


# -- systemd credentials ----------------------------------------------------------------------


async def test_credential_by_name(tmp_path: Path) -> None:
    write_key(tmp_path / "other", 0o440, key_line(5))
    host = Host(credentials=tmp_path)
    created = await create("systemd-credential", host, params={"name": "other"})
    assert created.params == {"name": "other"}
    assert bytes(created.secret.reveal()) == bytes([5]) * 32


def test_credentials_directory_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert Host().credentials == tmp_path
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    assert Host().credentials is None


@pytest.mark.parametrize("name", ["", ".", "..", "../key", "/etc/key", "a/b", "a\0b", "x" * 256])
async def test_credential_name_stays_in_its_directory(name: str, tmp_path: Path) -> None:
    faults = await fault("systemd-credential", Host(credentials=tmp_path), params={"name": name})
    assert list(faults) == ["params.name"]
    await not_opened(slot("systemd-credential", {"name": name}), auto=True)


async def test_credential_that_cannot_be_used(tmp_path: Path) -> None:
    at = slot("systemd-credential", {"name": "scaivault.key"})
    assert "LoadCredentialEncrypted=" in await failing(at)
    assert "LoadCredentialEncrypted=" in (await fault(at.type))["params.name"]
    host = Host(credentials=tmp_path)
    assert "No such file" in await failing(at, host)
    path = write_key(tmp_path / "scaivault.key", text="A" * 44)
    assert "one base64 line" in await failing(at, host)
    write_key(path, text="A" * 500)
    assert "one base64 line" in await failing(at, host)
    path.unlink()
    os.mkfifo(path)
    assert "one base64 line" in await failing(at, host)


# -- a later kind -----------------------------------------------------------------------------


async def test_a_kind_that_asks_a_service_fits_the_contract() -> None:
    """Wrapped by a key service, bound to vault and slot, over the event loop."""

    class Service(Kind):
        type = "service"
        portable = True

        def check(self, params: Any) -> None:
            if set(params) != {"wrapped"}:
                raise ValueError("wrapped")

        def auto(self, params: Any) -> bool:
            return True

        def takes(self, slot: Slot, credential: Credential) -> bool:
            return credential.auto

        async def create(self, slot_id: str, vault_id: str, wanted: Wanted) -> Created:
            await asyncio.sleep(0)
            made = Guarded.random()
            box = aead.wrap(S, made, f"{vault_id}/{slot_id}".encode())
            return Created(params={"wrapped": to_text(box)}, secret=made)

        async def secret(self, slot: Slot, credential: Credential, vault_id: str) -> Guarded:
            await asyncio.sleep(0)
            box = from_text(slot.params["wrapped"])
            return aead.unwrap(S, box, f"{vault_id}/{slot.id}".encode())

    service = Service(HOST)
    created = await service.create(SLOT, VAULT, Wanted())
    at = slot("service", created.params)
    assert check_slots(seal_file(at), {"service": service}) == []
    again = await service.secret(at, Credential(auto=True), VAULT)
    assert again.equals(created.secret)
