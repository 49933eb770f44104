"""Variables that operators know from elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from scaivault.config import ConfigError, lookup
from scaivault.config.aliases import PROVIDERS
from tests.config.conftest import Loading

LOCAL = "server: {bind: '127.0.0.1:8443'}\n"
LISTED = """
identity:
  issuers:
    - {name: corp, issuer: "https://corp.example"}
    - {name: key, type: scaikey, issuer: "https://old.example", tenant: tnt_1}
"""


@pytest.mark.parametrize(
    ("name", "text", "key", "value"),
    [
        ("BIND_ADDRESS", "[::1]:1", "server.bind", "[::1]:1"),
        ("BASE_URL", "https://v.example", "server.base_url", "https://v.example"),
        ("LOG_LEVEL", "debug", "log.level", "debug"),
        ("LOG_FORMAT", "text", "log.format", "text"),
    ],
)
def test_same_named_keys(loading: Loading, name: str, text: str, key: str, value: str) -> None:
    assert lookup(loading(LOCAL, {name: text}), key) == value


def test_certificate_files_switch_tls_on(loading: Loading) -> None:
    tls = loading(LOCAL, {"TLS_CERT_FILE": "/c.pem", "TLS_KEY_FILE": "/k.pem"}).server.tls
    assert (tls.mode, tls.cert_file, tls.key_file) == ("files", Path("/c.pem"), Path("/k.pem"))


def test_a_wrong_alias_is_named(loading: Loading) -> None:
    with pytest.raises(ConfigError, match=r"^LOG_LEVEL: log\.level must be one of"):
        loading(LOCAL, {"LOG_LEVEL": "loud"})


def test_scaikey_becomes_an_issuer(loading: Loading) -> None:
    env = {"SCAIKEY_URL": "https://key.example", "SCAIKEY_JWKS_URL": "https://key.example/jwks"}
    (issuer,) = loading(LOCAL, env).identity.issuers
    assert (issuer.name, issuer.type, issuer.issuer) == ("scaikey", "scaikey", env["SCAIKEY_URL"])
    assert issuer.jwks_url == env["SCAIKEY_JWKS_URL"]
    assert issuer.roles_are_trusted


def test_scaikey_changes_the_issuer_of_the_file(loading: Loading) -> None:
    corp, key = loading(LOCAL + LISTED, {"SCAIKEY_URL": "https://new.example"}).identity.issuers
    assert (corp.issuer, corp.roles_are_trusted) == ("https://corp.example", False)
    assert (key.name, key.issuer, key.tenant) == ("key", "https://new.example", "tnt_1")


def test_scaikey_keys_alone_name_no_issuer(loading: Loading) -> None:
    with pytest.raises(ConfigError, match="SCAIKEY_JWKS_URL needs SCAIKEY_URL"):
        loading(LOCAL, {"SCAIKEY_JWKS_URL": "https://key.example/jwks"})


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_key_service_is_tried_first(loading: Loading, provider: str) -> None:
    slot_type, variable, parameter = PROVIDERS[provider]
    file = LOCAL + f"seal: {{auto: [tpm2, {slot_type}]}}"
    settings = loading(file, {"KMS_PROVIDER": provider, variable: "k1"})
    assert settings.seal.auto == (slot_type, "tpm2")
    assert settings.slot_defaults == {slot_type: {parameter: "k1"}}
    assert loading(LOCAL, {"KMS_PROVIDER": provider}).slot_defaults == {slot_type: {}}


def test_our_own_variable_replaces_the_whole_list(loading: Loading) -> None:
    env = {"KMS_PROVIDER": "aws", "SCAIVAULT_SEAL__AUTO": "keyfile"}
    assert loading(LOCAL, env).seal.auto == ("keyfile",)


def test_an_unknown_key_service_is_refused(loading: Loading) -> None:
    with pytest.raises(ConfigError, match="KMS_PROVIDER must be one of aws, gcp"):
        loading(LOCAL, {"KMS_PROVIDER": "abacus"})


@pytest.mark.parametrize("url", ["sqlite:///srv/v/vault.db", "sqlite:////srv/v/vault.db"])
def test_the_database_url_says_where_the_file_is(loading: Loading, url: str) -> None:
    settings = loading(LOCAL, {"DATABASE_URL": url})
    assert settings.data_dir == Path("/srv/v")
    assert settings.backup.directory == Path("/srv/v/backups")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:hunter2word@db/vault",
        "mysql://db/vault",
        "sqlite://vault.db",
        "sqlite:vault.db",
        "sqlite:///srv/other.db",
        "/srv/vault.db",
    ],
)
def test_no_other_database_is_offered(loading: Loading, url: str) -> None:
    with pytest.raises(ConfigError, match=r"^DATABASE_URL must") as refused:
        loading(LOCAL, {"DATABASE_URL": url})
    assert "hunter2word" not in str(refused.value)


def test_redis_is_ignored_with_one_warning(loading: Loading) -> None:
    (warning,) = loading(LOCAL, {"REDIS_URL": "redis://:hunter2word@cache"}).warnings
    assert warning.startswith("REDIS_URL is ignored")
    assert "hunter2word" not in warning
    assert loading(LOCAL).warnings == ()


def test_empty_aliases_count_as_not_set(loading: Loading) -> None:
    empty = dict.fromkeys(["BASE_URL", "KMS_PROVIDER", "DATABASE_URL", "REDIS_URL"], "")
    assert loading(LOCAL, empty) == loading(LOCAL)
