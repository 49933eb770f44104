"""What one setting demands of another."""

from __future__ import annotations

from pathlib import Path

import pytest

from scaivault.config import ConfigError
from tests.config.conftest import Loading

FILES = "cert_file: /c.pem, key_file: /k.pem"


@pytest.mark.parametrize(
    ("bind", "base_url", "tls", "mode"),
    [
        ("0.0.0.0:1", "https://v", FILES, "files"),
        ("0.0.0.0:1", "https://v", "", "off"),
        ("0.0.0.0:1", "http://v", "mode: off", "off"),
        ("0.0.0.0:1", "https://v", f"mode: off, {FILES}", "off"),
        ("127.0.0.1:1", "", "", "off"),
        ("127.0.0.1:1", "http://v", "", "off"),
        ("127.0.0.1:1", "", FILES, "files"),
        ("0.0.0.0:1", "https://v", f"mode: files, {FILES}", "files"),
    ],
)
def test_when_tls_ends_here(
    loading: Loading, bind: str, base_url: str, tls: str, mode: str
) -> None:
    text = f"server: {{bind: '{bind}', base_url: '{base_url}', tls: {{{tls}}}}}"
    assert loading(text).server.tls.mode == mode


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ("base_url: http://v", "server.tls.mode needs certificate files"),
        ("base_url: https://v, tls: {mode: files}", "server.tls.mode is files, but"),
        ("base_url: https://v, tls: {cert_file: /c.pem}", "server.tls.key_file is missing"),
        ("base_url: https://v, tls: {key_file: /k.pem}", "server.tls.cert_file is missing"),
        ("bind: '0.0.0.0:1'", "server.base_url is required unless"),
    ],
)
def test_what_of_the_server_is_refused(loading: Loading, server: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        loading(f"server: {{{server}}}")


@pytest.mark.parametrize(
    ("server", "base_url"),
    [
        ("bind: '127.0.0.1:9'", "http://127.0.0.1:9"),
        ("bind: '[::1]:9'", "http://[::1]:9"),
        (f"bind: 'localhost:9', tls: {{{FILES}}}", "https://localhost:9"),
    ],
)
def test_on_loopback_the_address_follows_from_bind(
    loading: Loading, server: str, base_url: str
) -> None:
    assert loading(f"server: {{{server}}}").server.base_url == base_url


def test_what_follows_from_other_settings(loading: Loading) -> None:
    derived = loading("data_dir: /v\nserver: {base_url: https://v.example/}")
    assert derived.identity.local.issuer == derived.pki.public_url == "https://v.example"
    assert derived.backup.directory == Path("/v/backups")
    given = loading(
        "server: {base_url: https://v.example}\nidentity: {local: {issuer: https://i/}}\n"
        "pki: {public_url: http://p}\nbackup: {directory: /b}"
    )
    assert given.identity.local.issuer == "https://i/"
    assert given.pki.public_url == "http://p"
    assert given.backup.directory == Path("/b")


A = "{name: a, issuer: 'https://a'}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("identity: {pat_default_ttl: 2d, pat_max_ttl: 1d}", "identity.pat_default_ttl must not"),
        (f"identity: {{issuers: [{A}, {A}]}}", "identity.issuers must have different names"),
        ("identity: {issuers: [{name: local, issuer: 'https://a'}]}", "none of them local"),
        (f"identity: {{issuers: [{A}, {{name: b, issuer: 'https://a'}}]}}", "different issuer"),
        ("identity: {issuers: [{name: a, issuer: 'https://{x}/'}]}", "a: issuer may hold"),
        (f"identity: {{local: {{issuer: 'https://a'}}, issuers: [{A}]}}", "the vault's own issuer"),
        ("audit: {archive: {type: s3}}", "audit.archive.bucket is required"),
        ("audit: {archive: {type: file, prefix: ../out/}}", "audit.archive.prefix must be of"),
        ("audit: {archive: {type: file, prefix: a/../../b}}", "audit.archive.prefix must be of"),
        ("audit: {archive: {type: file, prefix: /tmp/}}", "audit.archive.prefix must be of"),
        ("object_storage: {provider: s3}", "object_storage.bucket is required"),
        ("object_storage: {provider: minio, bucket: b}", "object_storage.endpoint is required"),
        ("backup: {copies: [{type: directory}]}", "backup.copies need directory"),
        ("backup: {copies: [{type: s3}]}", "backup.copies need bucket"),
        ("dynamic: {commands: {x: {argv: [make, it]}}}", "first of argv must be an absolute path"),
    ],
)
def test_what_does_not_fit_together(loading: Loading, text: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected) as refused:
        loading("server: {bind: '127.0.0.1:1'}\n" + text)
    assert "line 2" in str(refused.value) or "is required" in str(refused.value)


def test_what_fits_together(loading: Loading) -> None:
    settings = loading(
        "server: {bind: '127.0.0.1:1'}\n"
        "identity: {issuers: [{name: a, issuer: 'https://a/{tenant_id}', trust_roles: true}]}\n"
        "audit: {archive: {type: file}}\n"
        "object_storage: {provider: minio, bucket: b, endpoint: 'http://m:9000'}\n"
        "backup: {copies: [{type: directory, directory: /mnt}, {type: s3, bucket: b}]}\n"
        "dynamic: {commands: {x: {argv: [/bin/x]}}}\n"
    )
    assert settings.identity.issuers[0].roles_are_trusted
    assert settings.dynamic.commands["x"].timeout == 30
