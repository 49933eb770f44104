"""Where settings come from, in which order, and how a wrong one is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from scaivault.config import KEYS, Address, ConfigError, load, lookup, reloadable
from scaivault.config.layers import from_environment
from tests.config.conftest import Loading

LOCAL = "server: {bind: '127.0.0.1:8443'}\n"


def variable(key: str) -> str:
    return "SCAIVAULT_" + key.upper().replace(".", "__")


def test_without_any_source_the_base_url_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("scaivault.config.layers.DEFAULT_FILE", tmp_path / "absent.yaml")
    with pytest.raises(ConfigError, match=r"^server\.base_url is required unless"):
        load(None, {}, {})


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no configuration file"):
        load(tmp_path / "absent.yaml", {}, {})
    with pytest.raises(ConfigError, match="there is no configuration file"):
        load(None, {"SCAIVAULT_CONFIG": str(tmp_path / "absent.yaml")}, {})


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        load(tmp_path, {}, {})
    (tmp_path / "latin.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="it is not UTF-8"):
        load(tmp_path / "latin.yaml", {}, {})


def test_a_file_that_names_programs_is_not_everybodys_to_write(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(LOCAL + "dynamic: {commands: {x: {argv: [/bin/x]}}}")
    path.chmod(0o646)
    with pytest.raises(ConfigError, match=r"line 2: dynamic\.commands names programs.*chmod o-w"):
        load(path, {}, {})
    path.chmod(0o664)
    assert load(path, {}, {}).dynamic.commands.keys() == {"x"}
    path.write_text(LOCAL)
    path.chmod(0o646)
    assert load(path, {}, {}).dynamic.commands == {}


def test_the_flag_wins_over_the_variable_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(LOCAL + "log: {level: warn}")
    (tmp_path / "b.yaml").write_text(LOCAL + "log: {level: error}")
    env = {"SCAIVAULT_CONFIG": str(tmp_path / "b.yaml")}
    assert load(None, env, {}).log.level == "error"
    assert load(tmp_path / "a.yaml", env, {}).log.level == "warn"


def test_flag_then_variable_then_alias_then_file_then_default(loading: Loading) -> None:
    file = LOCAL + "log: {level: debug}"
    alias = {"LOG_LEVEL": "warn"}
    variable = {**alias, "SCAIVAULT_LOG__LEVEL": "error"}
    assert loading(LOCAL).log.level == "info"
    assert loading(file).log.level == "debug"
    assert loading(file, alias).log.level == "warn"
    assert loading(file, variable).log.level == "error"
    assert loading(file, variable, {"log.level": "debug"}).log.level == "debug"
    assert loading(file, variable, {"log.level": None}).log.level == "error"


@pytest.mark.parametrize(
    ("name", "text", "key", "value"),
    [
        ("SERVER__BIND", "[::1]:8443", "server.bind", "[::1]:8443"),
        ("SERVER__TLS__MODE", "off", "server.tls.mode", "off"),
        ("SERVER__TLS__MIN_VERSION", "1.3", "server.tls.min_version", "1.3"),
        (
            "SERVER__TRUSTED_PROXIES",
            "10.0.0.0/8, ::1",
            "server.trusted_proxies",
            ("10.0.0.0/8", "::1"),
        ),
        ("SERVER__TRUSTED_PROXIES", "[10.0.0.0/8]", "server.trusted_proxies", ("10.0.0.0/8",)),
        ("SERVER__TRUSTED_PROXIES", "[]", "server.trusted_proxies", ()),
        ("SERVER__LOCK_MEMORY", "false", "server.lock_memory", False),
        ("SERVER__MAX_BODY", "2MiB", "server.max_body", 2 << 20),
        ("SERVER__UNIX_SOCKET", "null", "server.unix_socket", None),
        ("STORAGE__READERS", "7", "storage.readers", 7),
        ("AUDIT__ARCHIVE__PREFIX", "123", "audit.archive.prefix", "123"),
        ("BACKUP__KEEP", "{last: 9}", "backup.keep.last", 9),
        ("BACKUP__AT", "12:30", "backup.at", "12:30"),
        ("METRICS__BIND", "off", "metrics.bind", None),
        ("DATA_DIR", "/srv/vault", "data_dir", Path("/srv/vault")),
        ("DATA_DIR", "'/srv/#1'", "data_dir", Path("/srv/#1")),
        ("LOG__LEVEL", "", "log.level", "info"),
    ],
)
def test_variables(loading: Loading, name: str, text: str, key: str, value: object) -> None:
    assert lookup(loading(LOCAL, {f"SCAIVAULT_{name}": text}), key) == value


@pytest.mark.parametrize("key", KEYS)
def test_every_key_has_a_variable(key: str) -> None:
    assert list(from_environment({variable(key): "1"})) == [key]


@pytest.mark.parametrize(
    "name", ["SCAIVAULT_SERVER__BINDD", "SCAIVAULT_NO__SUCH", "SCAIVAULT_DATA__DIR", "SCAIVAULT___"]
)
def test_an_unknown_variable_of_ours_is_refused(loading: Loading, name: str) -> None:
    with pytest.raises(ConfigError, match=f"^{name}.*unknown key"):
        loading(LOCAL, {name: "x"})
    with pytest.raises(ConfigError, match="unknown key"):
        loading(LOCAL, {name: ""})


def test_other_variables_are_none_of_our_business(loading: Loading) -> None:
    others = {"SCAIVAULT_TOKEN": "t", "SCAIVAULT_PORT_8443_TCP": "x", "PATH": "y", "A__B": "z"}
    assert loading(LOCAL, others) == loading(LOCAL)


def test_a_relative_data_dir_is_only_taken_from_the_flag(
    loading: Loading, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert loading(LOCAL, {}, {"data_dir": "here"}).data_dir == tmp_path / "here"
    with pytest.raises(ConfigError, match="data_dir must be an absolute path"):
        loading(LOCAL, {"SCAIVAULT_DATA_DIR": "here"})


ISSUER = "identity:\n  issuers:\n    - name: a\n      issuer: https://a\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("serve:\n  bind: x", "line 1: unknown key serve; did you mean server?"),
        ("log:\n  level: info\n  colour: red", "line 3: unknown key log.colour"),
        ("log:\n  level: loud", "line 2: log.level must be one of debug, info, warn, error"),
        ("log: info", "line 1: log must hold keys"),
        ("- log", "line 1: the file must hold keys"),
        ("log:\n  paths: yes", "line 2: log.paths is not valid: expected true or false, got text"),
        ("storage:\n  readers: 0", "line 2: storage.readers is not valid: expected a whole number"),
        ("storage:\n  readers:", "line 2: storage.readers is not valid"),
        ("data_dir: vault", "line 1: data_dir must be an absolute path"),
        ("data_dir: {a: 1}", "line 1: data_dir must be an absolute path"),
        ("server:\n  bind: 8443", "line 2: server.bind must be host:port"),
        (
            "server:\n  trusted_proxies:\n    - ::1\n    - x",
            "line 4: server.trusted_proxies[1] must",
        ),
        ("server: {trusted_proxies: 10.0.0.0/8}", "line 1: server.trusted_proxies is not valid"),
        (
            ISSUER + "      type: ldap",
            "line 5: identity.issuers[0].type must be one of oidc, scaikey",
        ),
        (ISSUER + "      colour: red", "line 3: identity.issuers[0] is not valid: object contains"),
        (ISSUER + "      algorithms: [HS256]", "line 5: identity.issuers[0].algorithms[0] must be"),
        (ISSUER + "      algorithms: []", "line 5: identity.issuers[0].algorithms is not valid"),
        (
            ISSUER + "      claims:\n        subject: null",
            "line 6: identity.issuers[0].claims.subject",
        ),
        ("dynamic: {commands: {x: {argv: [/x], timeout: 0s}}}", "line 1: dynamic.commands"),
        ("seal: {auto: [shamir]}", "line 1: seal.auto[0] must be one of keyfile,"),
        ("backup: {at: '24:00'}", "line 1: backup.at is not valid"),
        ("rate_limits: {secrets_read: -1}", "line 1: rate_limits.secrets_read is not valid"),
    ],
)
def test_a_wrong_setting_is_named_with_its_line(
    loading: Loading, tmp_path: Path, text: str, expected: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        loading(text)
    assert str(refused.value).startswith(f"{tmp_path}/config.yaml, {expected}")


@pytest.mark.parametrize("key", KEYS)
def test_no_message_repeats_a_value(loading: Loading, key: str) -> None:
    canary = "skt-canary-93fa1c"
    messages = ""
    for text in (canary, f"{{x: {canary}}}", f"[{canary}]", f"'{canary}"):
        try:
            loading(LOCAL, {variable(key): text})
        except ConfigError as refused:
            messages += str(refused)
    assert canary not in messages


def test_only_files_and_secrets_in_the_vault_may_be_named() -> None:
    suspicious = [key for key in KEYS if "secret" in key.split(".")[-1] or "password" in key]
    assert [key for key in suspicious if not key.endswith(("_file", "_path"))] == [
        *("rate_limits.secrets_read", "rate_limits.secrets_write"),
        *("rate_limits.secrets_delete", "rate_limits.secrets_list"),
        "rate_limits.secret_policy_admin",
    ]


def test_reload_takes_what_can_change_and_names_the_rest(loading: Loading) -> None:
    old = loading(LOCAL)
    new = loading(
        "server: {bind: '127.0.0.1:9443', trusted_proxies: [10.0.0.0/8],"
        " tls: {cert_file: /c.pem, key_file: /k.pem}}\n"
        "log: {level: debug, paths: true}\nrate_limits: {secrets_read: 5}\nstorage: {readers: 9}\n"
    )
    settings, restart = reloadable(old, new)
    assert settings.log == new.log
    assert settings.rate_limits == new.rate_limits
    assert settings.server.trusted_proxies == ("10.0.0.0/8",)
    assert settings.server.tls.cert_file == Path("/c.pem")
    assert settings.server.bind == Address("127.0.0.1:8443")
    assert settings.storage == old.storage
    assert restart == [
        *("server.bind", "server.base_url", "server.tls.mode", "storage.readers"),
        *("identity.local.issuer", "pki.public_url"),
    ]


def test_reload_of_the_same_changes_nothing(loading: Loading) -> None:
    assert reloadable(loading(LOCAL), loading(LOCAL)) == (loading(LOCAL), [])


def test_limits_are_a_table_for_the_limiter(loading: Loading) -> None:
    table = loading(LOCAL + "rate_limits: {unseal: 3}").rate_limits.per_minute()
    assert (table["unseal"], table["secrets_read"]) == (3, 1000)
    off = loading(LOCAL + "rate_limits: {enabled: false}").rate_limits.per_minute()
    assert off.keys() == table.keys()
    assert set(off.values()) == {0}
