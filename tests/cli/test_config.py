"""``scaivault config``, the file behind it, and what comes before what."""

from __future__ import annotations

import json
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaivault.cli import home as home_module
from scaivault.cli import profiles
from scaivault.cli.failure import Failure

CANARY = "canary7secret7canary"
WHOAMI = "GET /v1/auth/whoami"


@pytest.fixture
def kept(home: Path) -> Path:
    return home / ".scaivault" / "config.json"


def write(kept: Path, content: Any, mode: int = 0o600) -> None:
    kept.parent.mkdir(0o700, exist_ok=True)
    kept.write_text(content if isinstance(content, str) else json.dumps(content))
    kept.chmod(mode)


def modes(kept: Path) -> tuple[int, int]:
    return stat.S_IMODE(kept.parent.stat().st_mode), stat.S_IMODE(kept.stat().st_mode)


# -- commands -------------------------------------------------------------------------------------


def test_what_is_set_is_kept_private(run: Any, kept: Path) -> None:
    assert run("config", "set", "base_url", "https://vault.example.org/").exit_code == 0
    assert run("config", "set", "timeout", "20").exit_code == 0
    assert modes(kept) == (0o700, 0o600)
    assert json.loads(kept.read_text()) == {
        "current_profile": "default",
        "profiles": {"default": {"base_url": "https://vault.example.org", "timeout": 20.0}},
    }
    assert run("config", "get", "base_url").stdout == "https://vault.example.org\n"


def test_a_wide_umask_makes_nothing_wider(run: Any, kept: Path) -> None:
    before = os.umask(0)
    try:
        run("config", "set", "tenant_id", "tnt_a")
    finally:
        os.umask(before)
    assert modes(kept) == (0o700, 0o600)


def test_a_token_from_stdin_is_no_argument_and_is_masked(run: Any, kept: Path) -> None:
    result = run("config", "set", "token", "-", stdin=f"{CANARY}\n")
    assert (result.exit_code, result.output) == (0, "")
    run("config", "set", "client_secret", "-", stdin=CANARY)
    listed = run("config", "list")
    assert listed.stdout == "token\t********\nclient_secret\t********\n"
    assert CANARY not in run("config", "list", "--json").output
    assert run("config", "get", "token").stdout == f"{CANARY}\n"


def test_unset_forgets(run: Any, kept: Path) -> None:
    run("config", "set", "tenant_id", "tnt_a")
    assert run("config", "unset", "tenant_id").exit_code == 0
    assert run("config", "unset", "tenant_id").exit_code == 0
    result = run("config", "get", "tenant_id")
    assert (result.exit_code, result.stdout) == (4, "")


def test_profiles(run: Any, kept: Path) -> None:
    run("config", "set", "tenant_id", "tnt_a")
    run("config", "set", "tenant_id", "tnt_b", "--profile", "other")
    assert run("config", "get", "tenant_id").stdout == "tnt_a\n"
    assert run("config", "get", "tenant_id", SCAIVAULT_PROFILE="other").stdout == "tnt_b\n"
    assert run("config", "use-profile", "other").exit_code == 0
    assert run("config", "get", "tenant_id").stdout == "tnt_b\n"
    assert run("--profile", "default", "config", "get", "tenant_id").stdout == "tnt_a\n"
    missing = run("config", "list", "--profile", "none")
    assert (missing.exit_code, missing.stdout) == (5, "")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("nothing", "x"), (CANARY, "token"), ("timeout", "soon"), ("timeout", "0")),
        *(("timeout", "nan"), ("token", ""), ("token", f"{CANARY}\n{CANARY}"), ("base_url", "x")),
        ("base_url", f"https://user:{CANARY}@vault.example.org"),
    ],
)
def test_what_no_setting_can_be_is_refused_unshown(
    run: Any, kept: Path, key: str, value: str
) -> None:
    result = run("config", "set", key, value)
    assert (result.exit_code, result.stdout) == (5, "")
    assert CANARY not in result.stderr
    assert not kept.exists()


@pytest.mark.parametrize("name", ["", "a/b", "../up", "a b", "-x", "x" * 65])
def test_names_of_profiles(run: Any, kept: Path, name: str) -> None:
    assert run("config", "use-profile", "--", name).exit_code == 5
    assert not kept.exists()


# -- the file -------------------------------------------------------------------------------------


def test_a_flat_file_is_the_default_profile(run: Any, server: Any, kept: Path) -> None:
    write(kept, {"base_url": server.url, "token": "skt_flat"})
    server.answer(WHOAMI, {"identity_id": "sa:root"})
    run("auth", "whoami", SCAIVAULT_URL=None, SCAIVAULT_TOKEN=None)
    assert server.requests[0].headers["authorization"] == "Bearer skt_flat"
    run("config", "set", "tenant_id", "tnt_a")
    assert json.loads(kept.read_text())["profiles"]["default"]["token"] == "skt_flat"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o606])
def test_a_file_that_others_could_read_is_refused(run: Any, kept: Path, mode: int) -> None:
    write(kept, {"token": CANARY}, mode)
    result = run("auth", "whoami")
    assert (result.exit_code, result.stdout) == (5, "")
    assert "chmod 600" in result.stderr
    assert CANARY not in result.stderr


@pytest.mark.parametrize("mode", [0o750, 0o711, 0o755])
def test_a_directory_that_others_could_enter_is_refused(run: Any, kept: Path, mode: int) -> None:
    write(kept, {"token": CANARY})
    kept.parent.chmod(mode)
    for words in (["auth", "whoami"], ["config", "set", "token", "x"], ["config", "list"]):
        result = run(*words)
        assert (result.exit_code, result.stdout) == (5, ""), words
    assert json.loads(kept.read_text()) == {"token": CANARY}


def test_links_are_not_followed(run: Any, kept: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere.json"
    target.write_text("{}")
    target.chmod(0o600)
    kept.parent.mkdir(0o700)
    kept.symlink_to(target)
    assert run("config", "list").exit_code == 5
    # What is written takes the place of the link; its target stays.
    assert target.read_text() == "{}"


def test_a_linked_directory_is_refused(run: Any, kept: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(0o700)
    kept.parent.symlink_to(elsewhere)
    assert run("config", "set", "tenant_id", "tnt_a").exit_code == 5
    assert list(elsewhere.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_somebody_else_is_refused(run: Any, kept: Path) -> None:
    write(kept, {"token": CANARY})
    os.chown(kept, 1, 1)
    result = run("config", "list")
    assert (result.exit_code, result.stdout) == (5, "")
    assert "another user" in result.stderr


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", "nonsense", "[" * 100_000, '{"tokn": "canary7secret7canary"}'),
        *('{"profiles": []}', '{"profiles": {"a": 1}}', '{"profiles": {}, "token": "x"}'),
        *('{"token": 7}', '{"timeout": "7"}', '{"timeout": true}', '{"current_profile": 1}'),
        '{"profiles": {"../x": {}}}',
    ],
)
def test_a_broken_file_is_named_and_not_shown(run: Any, kept: Path, content: str) -> None:
    write(kept, content)
    result = run("config", "list")
    assert (result.exit_code, result.stdout) == (5, "")
    assert CANARY not in result.stderr


def test_a_reader_sees_the_old_file_or_the_new_one(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.setenv("HOME", str(home))
    contents = [json.dumps({"n": n, "filler": "x" * 20_000}).encode() for n in range(2)]
    home_module.write("probe.json", contents[0])
    stop = threading.Event()

    def replace() -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            home_module.write("probe.json", contents[turn % 2])

    writer = threading.Thread(target=replace)
    writer.start()
    try:
        assert all(home_module.read("probe.json") in contents for _ in range(200))
    finally:
        stop.set()
        writer.join()
    assert [each.name for each in (home / ".scaivault").iterdir()] == ["probe.json"]


def test_a_write_that_fails_leaves_the_old_file(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.setenv("HOME", str(home))
    home_module.write("probe.json", b"old")

    def broken(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "rename", broken)
    with pytest.raises(Failure, match="No space"):
        home_module.write("probe.json", b"new")
    assert home_module.read("probe.json") == b"old"
    assert [each.name for each in (home / ".scaivault").iterdir()] == ["probe.json"]


TEXT = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=40)
PROFILE = st.dictionaries(st.sampled_from([k for k in profiles.TEXTS if k != "base_url"]), TEXT)


@given(st.dictionaries(st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,20}\Z"), PROFILE))
def test_whatever_can_be_set_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, table: dict[str, dict[str, str]]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        written = profiles.Profiles()
        for name, profile in table.items():
            for key, value in profile.items():
                written.change(name, key, value)
        written.save()
        assert profiles.load() == written


# -- order ----------------------------------------------------------------------------------------


def test_flag_then_environment_then_file(run: Any, server: Any, kept: Path) -> None:
    own = {"base_url": "http://127.0.0.1:1", "token": "skt_file", "tenant_id": "tnt_file"}
    write(kept, own)
    server.answer(WHOAMI, {"identity_id": "sa:root"})
    run("auth", "whoami")
    run("auth", "whoami", SCAIVAULT_TENANT_ID="tnt_env")
    run("auth", "whoami", "--tenant", "tnt_flag", SCAIVAULT_TENANT_ID="tnt_env")
    run("auth", "whoami", "--url", server.url, SCAIVAULT_URL=None, SCAIVAULT_TOKEN=None)
    sent = [
        (each.headers["x-tenant-id"], each.headers["authorization"]) for each in server.requests
    ]
    own_token = f"Bearer {server.token}"
    assert sent == [
        ("tnt_file", own_token),
        ("tnt_env", own_token),
        ("tnt_flag", own_token),
        ("tnt_file", "Bearer skt_file"),
    ]


def test_credentials_of_two_places_are_not_mixed(run: Any, server: Any, kept: Path) -> None:
    write(kept, {"client_id": "id_file", "client_secret": CANARY})
    result = run("auth", "whoami", SCAIVAULT_TOKEN=None, SCAIVAULT_CLIENT_ID="id_env")
    assert result.exit_code == 5
    assert "SCAIVAULT_CLIENT_SECRET" in result.stderr
    assert server.requests == []


def test_operator_commands_know_no_profiles(run: Any, server: Any, kept: Path) -> None:
    write(kept, {"base_url": "http://127.0.0.1:1", "token": "skt_file"}, 0o644)
    server.answer("GET /v1/system/jobs", {"paused": False, "jobs": []})
    assert run("operator", "jobs", "status").exit_code == 0
