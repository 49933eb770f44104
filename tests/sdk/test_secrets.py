"""Secrets, through both clients, in a real vault."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from scaivault_sdk import SecretMetadata, SecretType, SyncScaiVaultClient
from scaivault_sdk._local import BASE_URL, LocalTransport, LocalVault
from scaivault_sdk.errors import (
    AlreadyExistsError,
    ConfigurationError,
    NotFoundError,
    SecretExistsError,
    ValidationError,
    VersionConflictError,
)


def test_what_is_written_is_read(client: Any, fresh: str) -> None:
    data = {"password": "s3cret", "port": 5432, "big": 2**70, "nested": {"a": [1, None]}}
    made = client.secrets.write(
        fresh,
        data,
        secret_type=SecretType.JSON,
        metadata={"description": "db", "tags": ["a", "b"], "owner": "team:x", "ticket": "OPS-1"},
    )
    assert (made.path, made.version, made.created) == (fresh, 1, True)
    secret = client.secrets.read(fresh)
    assert secret.data == data
    assert secret["port"] == 5432
    assert secret.secret_type is SecretType.JSON
    assert secret.metadata == SecretMetadata("db", ["a", "b"], "team:x", {"ticket": "OPS-1"})
    assert secret.created_at == datetime(2031, 5, 9, 6, 30, tzinfo=UTC)
    assert secret.extra == {}


def test_a_further_version_says_so(client: Any, fresh: str) -> None:
    client.secrets.write(fresh, {"n": 1})
    made = client.secrets.write(fresh, {"n": 2}, secret_type="api_key")
    assert (made.version, made.created, made.previous_version) == (2, False, 1)
    assert client.secrets.read(fresh, version=1).data == {"n": 1}
    assert [each.version for each in client.secrets.versions(fresh)] == [2, 1]
    assert client.secrets.versions(fresh)[0].is_current


def test_settings_are_keywords_or_options(client: Any, fresh: str) -> None:
    client.secrets.write(fresh, {}, expires_in="1h", options={"max_versions": 3}, max_versions=3)
    info = client.secrets.read_metadata(fresh)
    assert info.expires_at == datetime(2031, 5, 9, 7, 30, tzinfo=UTC)
    assert info.options.max_versions == 3
    at = datetime(2031, 6, 1, tzinfo=UTC)
    client.secrets.write(fresh, {}, expires_at=at)
    assert client.secrets.read(fresh).expires_at == at
    client.secrets.write(fresh, {}, options={"expires_at": None})
    assert client.secrets.read(fresh).expires_at is None


def test_two_different_values_of_one_setting_are_refused(client: Any, fresh: str) -> None:
    with pytest.raises(ConfigurationError, match="max_versions"):
        client.secrets.write(fresh, {}, options={"max_versions": 3}, max_versions=4)
    assert not client.secrets.exists(fresh)


def test_a_time_without_a_zone_is_refused(client: Any, fresh: str) -> None:
    with pytest.raises(ConfigurationError, match="time zone"):
        client.secrets.write(fresh, {}, expires_at=datetime(2031, 6, 1))  # noqa: DTZ001 - the fault


def test_what_is_no_json_is_refused_without_its_value(client: Any, fresh: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        client.secrets.write(fresh, {"key": b"top-secret"})
    assert "top-secret" not in str(caught.value)
    with pytest.raises(ConfigurationError):
        client.secrets.write(fresh, {"key": float("nan")})


def test_cas(client: Any, fresh: str) -> None:
    client.secrets.write(fresh, {"n": 1}, cas=0)
    with pytest.raises(VersionConflictError) as caught:
        client.secrets.write(fresh, {"n": 2}, cas=0)
    assert caught.value.current_version == 1
    assert client.secrets.write(fresh, {"n": 2}, cas=1).version == 2


def test_update_writes_what_the_function_gives(client: Any, fresh: str) -> None:
    client.secrets.write(fresh, {"n": 1}, secret_type="json")
    assert client.secrets.update(fresh, lambda data: {**data, "m": 2}).version == 2
    secret = client.secrets.read(fresh)
    assert secret.data == {"n": 1, "m": 2}
    assert secret.secret_type is SecretType.JSON


@pytest.mark.parametrize(("interfering", "fails"), [(2, False), (3, True)])
def test_update_tries_again_when_somebody_was_faster(
    client: Any, vault: LocalVault, fresh: str, interfering: int, fails: bool
) -> None:
    client.secrets.write(fresh, {"n": 0})
    runs = []

    def change(data: dict[str, int]) -> dict[str, int]:
        runs.append(data["n"])
        if len(runs) <= interfering:
            _write_elsewhere(vault, fresh, {"n": len(runs)})
        return {"n": data["n"] + 100}

    if fails:
        with pytest.raises(VersionConflictError):
            client.secrets.update(fresh, change)
    else:
        client.secrets.update(fresh, change)
        assert client.secrets.read(fresh).data == {"n": interfering + 100}
    assert len(runs) == 3


def _write_elsewhere(vault: LocalVault, path: str, data: Any) -> None:
    """By another client: inside the function of an update the test's own loop is busy."""
    other = SyncScaiVaultClient(BASE_URL, token=vault.root_token, transport=LocalTransport(vault))
    other.secrets.write(path, data)


def test_an_update_of_nothing_is_not_found(client: Any, fresh: str) -> None:
    with pytest.raises(NotFoundError):
        client.secrets.update(fresh, lambda data: data)


def test_metadata_is_merged(client: Any, fresh: str) -> None:
    client.secrets.write(fresh, {}, metadata={"description": "x", "ticket": 1})
    info = client.secrets.update_metadata(
        fresh, {"tags": ["new"], "ticket": None}, options={"max_versions": 2}
    )
    assert info.metadata == SecretMetadata("x", ["new"])
    assert info.options.max_versions == 2
    assert (info.current_version, info.version_count) == (1, 1)


def test_existence_is_asked_without_the_value(client: Any, fresh: str) -> None:
    assert client.secrets.exists(fresh) is False
    client.secrets.write(fresh, {})
    assert client.secrets.exists(fresh) is True


def test_deleted_and_restored(client: Any, fresh: str) -> None:
    client.secrets.write(fresh, {"n": 1})
    gone = client.secrets.delete(fresh)
    assert (gone.deleted, gone.permanent) == (True, False)
    assert gone.recoverable_until == datetime(2031, 6, 8, 6, 30, tzinfo=UTC)
    with pytest.raises(NotFoundError) as missing:
        client.secrets.read(fresh)
    assert missing.value.code == "secret_not_found"
    with pytest.raises(SecretExistsError):
        client.secrets.write(fresh, {})
    assert client.secrets.restore(fresh).current_version == 1
    assert client.secrets.delete(fresh, permanent=True).permanent
    assert client.secrets.write(fresh, {}).version == 1


def test_one_version_is_deleted(client: Any, fresh: str) -> None:
    client.secrets.write(fresh, {"n": 1})
    client.secrets.write(fresh, {"n": 2})
    assert client.secrets.delete(fresh, version=1).version == 1
    with pytest.raises(NotFoundError):
        client.secrets.read(fresh, version=1)


def test_rotation(client: Any, fresh: str) -> None:
    client.secrets.write(fresh, {"n": 1})
    turned = client.secrets.rotate(fresh, new_value={"n": 2}, reason="leak", grace_period="1h")
    assert (turned.version, turned.previous_version, turned.auto_generated) == (2, 1, False)
    assert turned.grace_period_ends == datetime(2031, 5, 9, 7, 30, tzinfo=UTC)
    assert client.secrets.read(fresh, version=1).readable_until == turned.grace_period_ends
    with pytest.raises(ValidationError) as caught:
        client.secrets.rotate(fresh)
    assert "new_value" in caught.value.fields


def test_lists_and_their_pages(client: Any, fresh: str) -> None:
    for n in range(5):
        client.secrets.write(f"{fresh}/s{n}", {}, metadata={"tags": ["t", f"n{n}"]})
    page = client.secrets.list(f"{fresh}/", limit=2)
    assert [item.path for item in page.data] == [f"{fresh}/s0", f"{fresh}/s1"]
    assert (page.has_more, page.total, len(page)) == (True, 5, 2)
    assert page.data[0].tags == ["t", "n0"]
    seen = []
    while page is not None:
        seen += [item.path for item in page]
        page = page.next_page()
    assert seen == [f"{fresh}/s{n}" for n in range(5)]
    assert [item.path for item in client.secrets.iterate(f"{fresh}/", limit=2)] == seen
    assert [item.path for item in client.secrets.iterate(f"{fresh}/", tag=["t", "n3"])] == seen[3:4]


def test_a_list_tells_more_when_asked(client: Any, fresh: str) -> None:
    client.secrets.write(fresh, {}, metadata={"owner": "team:x"}, secret_type="ssh_key")
    client.secrets.delete(fresh)
    assert client.secrets.list(fresh).data == []
    (item,) = client.secrets.list(
        fresh, include_deleted=True, include_metadata=True, secret_type=SecretType.SSH_KEY
    ).data
    assert item.metadata == SecretMetadata(owner="team:x")
    assert (item.access_count_30d, item.version_count) == (0, 1)
    assert item.recoverable_until == datetime(2031, 6, 8, 6, 30, tzinfo=UTC)


def test_what_expires_soon(client: Any, fresh: str) -> None:
    client.secrets.write(f"{fresh}/a", {}, expires_in="10d")
    client.secrets.write(f"{fresh}/b", {}, expires_in="20d")
    found = client.secrets.expiring(15, prefix=f"{fresh}/")
    assert [(each.path, each.days_remaining) for each in found] == [(f"{fresh}/a", 10)]


def test_batches(client: Any, fresh: str) -> None:
    paths = [f"{fresh}/s{n}" for n in range(3)]
    for n, path in enumerate(paths):
        client.secrets.write(path, {"n": n}, metadata={"tags": ["t"]})
    result = client.secrets.batch_read([*paths, f"{fresh}/none"], include_metadata=True)
    assert {path: secret["n"] for path, secret in result.secrets.items()} == {
        path: n for n, path in enumerate(paths)
    }
    assert result.secrets[paths[0]].path == paths[0]
    assert result.secrets[paths[0]].metadata.tags == ["t"]
    assert result.errors[f"{fresh}/none"].code == "secret_not_found"
    assert (result.retrieved, result.failed) == (3, 1)
    with pytest.raises(NotFoundError) as caught:
        client.secrets.batch_read([paths[0], f"{fresh}/none"], fail_fast=True)
    assert caught.value.details["path"] == f"{fresh}/none"


def test_more_than_a_hundred_paths_are_several_calls(client: Any, fresh: str) -> None:
    client.secrets.write(fresh, {"n": 1})
    paths = [fresh, *(f"{fresh}/{n}" for n in range(204)), fresh]
    result = client.secrets.batch_read(paths)
    assert (result.retrieved, result.failed) == (1, 204)
    assert list(client.secrets.batch_metadata(paths)) == [fresh]


def test_no_paths_are_no_call(client: Any) -> None:
    assert client.secrets.batch_read([]).secrets == {}
    with pytest.raises(ConfigurationError):
        client.secrets.batch_read("app/db")


def test_metadata_of_globs(client: Any, fresh: str) -> None:
    client.secrets.write(f"{fresh}/a", {}, metadata={"tags": ["t"]})
    client.secrets.write(f"{fresh}/b", {})
    found = client.secrets.batch_metadata([f"{fresh}/*"], expand_wildcards=True)
    assert {path: info.tags for path, info in found.items()} == {
        f"{fresh}/a": ["t"],
        f"{fresh}/b": [],
    }


def test_partner_secrets_are_others(client: Any, fresh: str) -> None:
    assert client.partner.secrets.write(fresh, {"of": "partner"}).scope == "partner"
    assert not client.secrets.exists(fresh)
    assert client.partner.secrets.read(fresh)["of"] == "partner"
    assert [item.path for item in client.partner.secrets.iterate(fresh)] == [fresh]
    assert client.partner.secrets.read_metadata(fresh).scope == "partner"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "empty"),
        ("/app", "empty_segment"),
        ("app//db", "empty_segment"),
        ("app/", "empty_segment"),
        ("app/../../health", "dot_segment"),
        ("./app", "dot_segment"),
        ("metadata/app", "reserved"),
        ("expiring", "reserved"),
        ("app/versions", "reserved"),
        ("App", "case"),
        ("app?version=2", "encoding"),
        ("app%2fdb", "encoding"),
        ("app db", "encoding"),
    ],
)
def test_a_path_never_leads_to_another_endpoint(client: Any, path: str, reason: str) -> None:
    for call in (client.secrets.read, client.secrets.delete, client.secrets.restore):
        with pytest.raises(ValidationError) as caught:
            call(path)
        assert caught.value.code == "invalid_path"
        assert caught.value.details["reason"] == reason


def test_no_value_is_in_a_repr(client: Any, fresh: str) -> None:
    client.secrets.write(fresh, {"password": "topsecret"})
    shown = repr(client.secrets.read(fresh)) + repr(client.secrets.batch_read([fresh]))
    assert "topsecret" not in shown
    assert fresh in shown


def test_names_that_are_taken(client: Any, fresh: str) -> None:
    client.identity.create_group(fresh)
    with pytest.raises(AlreadyExistsError):
        client.identity.create_group(fresh)
