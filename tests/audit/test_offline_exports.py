"""Directories from elsewhere: whatever is in them, the verifier says so and stays inside."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from scaivault.cli.main import scaivault as main
from scaivault.clock import DAY, HOUR, instant
from scaivault.errors import Refusal
from scaivault.storage.folder import StartRefused
from tests.audit.exporting import exported, fill, kinds, verify
from tests.support.running import EXAMPLES, Running, running_house


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_house(tmp_path_factory.mktemp("vault") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def sound(house: Running) -> Path:
    house.run(fill(house.house))
    _, path = house.run(exported(house.house))
    assert verify(path)["valid"]
    return path


@pytest.fixture
def export(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "export"))


def outcome(path: Path) -> tuple[bool, set[str]]:
    """(sound, kinds of damage); never anything but a report or a refusal with exit code 7."""
    try:
        report = verify(path)
    except StartRefused as refused:
        return False, {"refused"} if refused.exit_code == 7 else set()
    return report["valid"], kinds(report)


NAMES = ("manifest.json", "part-00001.jsonl", "chain.jsonl", "checkpoints.jsonl")


@EXAMPLES
@given(data=st.data())
def test_any_changed_byte_is_found(sound: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(NAMES[1:]))
    path = sound / name
    before = path.read_bytes()
    place = data.draw(st.integers(0, len(before) - 1))
    other = data.draw(st.integers(1, 255))
    changed = bytearray(before)
    changed[place] ^= other
    try:
        path.write_bytes(changed)
        valid, found = outcome(sound)
    finally:
        path.write_bytes(before)
    assert not valid
    assert found & {"file_modified", "refused"}


@EXAMPLES
@given(data=st.data())
def test_hostile_files_end_in_a_verdict(sound: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(NAMES))
    path = sound / name
    before = path.read_bytes()
    content = data.draw(
        st.one_of(
            st.binary(max_size=300),
            st.just(b"[" * 100_000),
            st.just(b'{"a":' * 50_000 + b"1"),
            st.just(before[: len(before) // 2]),
            st.just(before + b"\0"),
            st.just(before.replace(b'"seq":', b'"seq":9999999999999999')),
            st.just(b'[9007199254740993,"' + b"0" * 64 + b'"]\n'),
        )
    )
    try:
        path.write_bytes(content)
        valid, _ = outcome(sound)
    finally:
        path.write_bytes(before)
    assert valid is (content == before)


@pytest.mark.parametrize("name", NAMES[1:])
@pytest.mark.parametrize("what", ["link", "pipe", "directory", "missing"])
def test_only_plain_files_of_the_directory(export: Path, name: str, what: str) -> None:
    path = export / name
    aside = export.parent / "aside"
    path.rename(aside)
    if what == "link":
        path.symlink_to(aside)
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "directory":
        path.mkdir()
    valid, found = outcome(export)
    assert not valid
    assert found & {"file_missing", "refused"}


@pytest.mark.parametrize(
    "name", ["../aside", "/etc/passwd", "..", "sub/part-00001.jsonl", "a\\u0000"]
)
def test_names_in_the_manifest_lead_nowhere(export: Path, name: str) -> None:
    (export.parent / "aside").write_text("outside")
    path = export / "manifest.json"
    path.write_text(path.read_text().replace("part-00001.jsonl", name))
    report = verify(export)
    assert not report["valid"]
    assert "outside" not in str(report)
    assert {"file_modified", "file_missing"} <= kinds(report)


def test_a_file_that_is_listed_twice_or_not_at_all(export: Path) -> None:
    path = export / "manifest.json"
    whole = path.read_text()
    path.write_text(whole.replace("checkpoints.jsonl", "chain.jsonl"))
    assert "file_missing" in outcome(export)[1]


def test_another_vaults_checkpoints(export: Path, sound: Path) -> None:
    for name in ("manifest.json", "checkpoints.jsonl"):
        path = export / name
        text = path.read_text()
        vault = text.partition('"vault_id":"vlt_')[2][:20]
        path.write_text(text.replace(vault, "0" * 20))
    assert "checkpoint_invalid" in outcome(export)[1]
    assert outcome(sound) == (True, set())


def test_what_the_command_says(export: Path, tmp_path: Path) -> None:
    with pytest.raises(Refusal) as caught:
        verify(export, from_seq=2)
    assert "as a whole" in caught.value.details["fields"]["from_seq"]
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(Refusal, match="no export"):
        verify(empty)


def test_the_command(export: Path) -> None:
    result = CliRunner().invoke(main, ["operator", "audit-verify", str(export)])
    assert result.exit_code == 0, result.output
    part = export / "part-00001.jsonl"
    part.write_text(part.read_text().replace("app/s1", "app/x1"))
    result = CliRunner().invoke(main, ["operator", "audit-verify", str(export)])
    assert result.exit_code == 7
    assert "row_modified" in result.output


def test_what_is_expected_of_rows_before_the_first(house: Running) -> None:
    house.house.clock.advance(2 * DAY)
    house.run(house.house.run_jobs())
    assert house.run(house.house.put("app/later", {})).status == 201
    since = instant(house.house.clock.now() - HOUR)
    done, path = house.run(exported(house.house, **{"from": since}))
    chain = done["manifest"]["chain"]
    before = chain["first_seq"] - 1
    assert before > 1
    assert verify(path, expect=f"{before}:{chain['first_prev_hash']}")["valid"]
    assert kinds(verify(path, expect=f"{before}:{'0' * 64}")) == {"truncated"}
    with pytest.raises(Refusal) as caught:
        verify(path, expect=f"{before - 1}:{'0' * 64}")
    assert f"begin at row {chain['first_seq']}" in caught.value.details["fields"]["expect"]


@pytest.mark.parametrize(
    ("content", "said"), [(None, "is not there"), ("{", "cut off or changed"), ("", "cut off")]
)
def test_without_its_manifest_it_is_damaged(export: Path, content: str | None, said: str) -> None:
    (export / "manifest.json").unlink()
    if content is not None:
        (export / "manifest.json").write_text(content)
    result = CliRunner().invoke(main, ["operator", "audit-verify", str(export)])
    assert result.exit_code == 7
    assert said in result.output


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_the_numbers_of_the_manifest_agree(house: Running, tmp_path: Path, form: str) -> None:
    house.house.clock.advance(HOUR)
    _, path = house.run(exported(house.house, format=form))
    assert verify(path)["valid"]
    copied = Path(shutil.copytree(path, tmp_path / "export"))
    manifest = json.loads((copied / "manifest.json").read_text())
    manifest["records"] += 1
    (copied / "manifest.json").write_text(json.dumps(manifest))
    assert kinds(verify(copied)) == {"row_missing"}
