"""Recipes as people paste them: the very statements, with other names."""

from __future__ import annotations

import textwrap
from typing import Any

import httpx
import pytest

from scaivault_sdk import SyncScaiVaultClient
from scaivault_sdk._local import BASE_URL, LocalTransport, LocalVault
from scaivault_sdk.errors import NotFoundError
from tests.support.clients import URL, Script, refused


@pytest.fixture
def client(vault: LocalVault) -> SyncScaiVaultClient:
    return SyncScaiVaultClient(BASE_URL, token=vault.root_token, transport=LocalTransport(vault))


def run(text: str, **names: Any) -> dict[str, Any]:
    """The names after the statements ran."""
    exec(compile(textwrap.dedent(text), "<pasted>", "exec"), names)
    return names


def test_one_secret_and_one_field(client: SyncScaiVaultClient, vault: LocalVault) -> None:
    client.secrets.write("stages/live/shop/database", {"url": "postgres://db"})
    text = """
    from scaivault_sdk import SyncScaiVaultClient
    client = SyncScaiVaultClient(base_url, token=token, transport=transport)
    db = client.secrets.read("stages/live/shop/database")
    conn_str = db.data["url"]
    """
    names = run(text, base_url=BASE_URL, token=vault.root_token, transport=LocalTransport(vault))
    assert names["conn_str"] == "postgres://db"


def test_many_secrets_at_startup(client: SyncScaiVaultClient) -> None:
    paths = [f"stages/live/shop/{name}" for name in ("one", "two", "three")]
    for path in paths:
        client.secrets.write(path, {"of": path})
    text = """
    batch = client.secrets.batch_read([
        "stages/live/shop/one",
        "stages/live/shop/two",
        "stages/live/shop/three",
    ])
    for path, secret in batch.secrets.items():
        apply_config(path, secret)
    """
    applied: dict[str, Any] = {}
    run(text, client=client, apply_config=applied.__setitem__)
    assert {path: secret.data for path, secret in applied.items()} == {
        path: {"of": path} for path in paths
    }


def test_a_loop_around_transient_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Script(
        refused(429, "rate_limited", retry_after="3"),
        refused(503, "service_unavailable"),
        refused(404, "secret_not_found"),
    )
    client = SyncScaiVaultClient(
        URL, token="skt_x", transport=httpx.MockTransport(server), max_retries=0
    )
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    text = """
    import time
    from scaivault_sdk.errors import RateLimitError, ServiceUnavailableError

    for attempt in range(5):
        try:
            secret = client.secrets.read(path)
            break
        except RateLimitError as e:
            time.sleep(e.retry_after)
        except ServiceUnavailableError:
            time.sleep(2 ** attempt)
    else:
        raise RuntimeError("max retries exceeded")
    """
    with pytest.raises(NotFoundError):
        run(text, client=client, path="a/b")
    assert slept == [3.0, 2]


def test_existence_without_reading(client: SyncScaiVaultClient, fresh: str) -> None:
    text = """
    try:
        client.secrets.read_metadata(path)
        exists = True
    except NotFoundError:
        exists = False
    """
    assert run(text, client=client, path=fresh, NotFoundError=NotFoundError)["exists"] is False
    client.secrets.write(fresh, {})
    assert run(text, client=client, path=fresh, NotFoundError=NotFoundError)["exists"] is True


def test_an_initial_value_is_written_once(client: SyncScaiVaultClient, fresh: str) -> None:
    text = """
    try:
        client.secrets.read_metadata(path)
        # exists; do nothing
    except NotFoundError:
        client.secrets.write(path, data={"key": initial_value}, secret_type="api_key")
    """
    for value in ("first", "second"):
        run(text, client=client, path=fresh, NotFoundError=NotFoundError, initial_value=value)
    secret = client.secrets.read(fresh)
    assert (secret["key"], secret.version, secret.secret_type) == ("first", 1, "api_key")


def test_one_field_is_changed(client: SyncScaiVaultClient) -> None:
    client.secrets.write("app/config", {"a": 1}, secret_type="json")
    text = """
    secret = client.secrets.read("app/config")
    new_data = {**secret.data, "feature_flag_x": True}
    client.secrets.write("app/config", data=new_data, secret_type=secret.secret_type)
    """
    run(text, client=client)
    after = client.secrets.read("app/config")
    assert (after.data, after.secret_type) == ({"a": 1, "feature_flag_x": True}, "json")


def test_a_value_that_expires(client: SyncScaiVaultClient) -> None:
    text = """
    client.secrets.write(
        path="test/token",
        data={"token": value},
        options={"expires_in": "1h"},
    )
    """
    run(text, client=client, value="v")
    expires = client.secrets.read("test/token").expires_at
    assert expires is not None
    assert expires.isoformat() == "2031-05-09T07:30:00+00:00"


def test_tags_for_many(client: SyncScaiVaultClient) -> None:
    for name, tags in (("a", ["x"]), ("b", [])):
        client.secrets.write(f"stages/trial/{name}", {}, metadata={"tags": tags, "owner": "me"})
    text = """
    listing = client.secrets.list(prefix="stages/trial/", limit=200)
    for item in listing.data:
        client.secrets.update_metadata(
            path=item.path,
            metadata={"tags": list(set(item.tags + ["needs-rotation"]))},
        )
    """
    run(text, client=client)
    found = {item.path: set(item.tags) for item in client.secrets.iterate("stages/trial/")}
    assert found == {
        "stages/trial/a": {"x", "needs-rotation"},
        "stages/trial/b": {"needs-rotation"},
    }
    assert client.secrets.read_metadata("stages/trial/a").metadata.owner == "me"
