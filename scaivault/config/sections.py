"""Every setting, its type and its default. What each one means stands in config.example.yaml.

A ``Section`` is a level of keys (``server``, ``server.tls``); an ``Item`` is the shape of an entry
in a list or table of the operator's own. Derived defaults (those that follow ``base_url`` or
``data_dir``) are empty here and filled in by ``rules.settle``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from scaivault.config.quantities import (
    DAY,
    HOUR,
    MINUTE,
    Address,
    Delay,
    Duration,
    Network,
    Origin,
    Size,
    Url,
)

Count = Annotated[int, Meta(ge=1)]
TimeOfDay = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
CloudStore = Literal["s3", "gcs", "azure_blob", "minio"]
AutoSlotType = Literal[
    "keyfile",
    "systemd-credential",
    "tpm2",
    "pkcs11",
    "aws-kms",
    "gcp-kms",
    "azure-key-vault",
    "vault-transit",
]


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A level of the configuration."""


class Item(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The shape of an entry that the operator names."""


class Tls(Section, frozen=True):
    """``server.tls``. After loading, ``mode`` is ``files`` or ``off``, never ``auto``."""

    mode: Literal["auto", "files", "off"] = "auto"
    cert_file: Path | None = None
    key_file: Path | None = None
    min_version: Literal["1.2", "1.3"] = "1.2"


class Server(Section, frozen=True):
    """``server``: where and how requests come in."""

    bind: Address = Address("0.0.0.0:8443")
    base_url: Url = Url()
    unix_socket: Path | None = None
    trusted_proxies: tuple[Network, ...] = ()
    cors_origins: tuple[Origin, ...] = ()
    max_body: Size = Size(1 << 20)
    max_headers: Size = Size(32 << 10)
    max_connections: Count = 1024
    header_timeout: Duration = Duration(10)
    request_timeout: Duration = Duration(60)
    drain_delay: Delay = Delay(2)
    shutdown_grace: Delay = Delay(30)
    lock_memory: bool = True
    tls: Tls = Tls()


class Storage(Section, frozen=True):
    """``storage``: the database file."""

    readers: Annotated[int, Meta(ge=1, le=64)] = 4
    busy_timeout: Duration = Duration(5)
    cache_mib: Annotated[int, Meta(ge=1, le=65_536)] = 64
    min_free: Size = Size(256 << 20)
    scrub_interval: Duration = Duration(7 * DAY)
    allow_network_fs: bool = False


class Secrets(Section, frozen=True):
    """``secrets``."""

    soft_delete_retention: Duration = Duration(30 * DAY)


class Argon2(Section, frozen=True):
    """``seal.argon2``: the cost of new passphrase slots."""

    ops: Annotated[int, Meta(ge=1, le=10)] = 3
    mem_kib: Annotated[int, Meta(ge=65_536, le=2_097_152)] = 262_144


class Seal(Section, frozen=True):
    """``seal``."""

    auto: tuple[AutoSlotType, ...] = ()
    local_from: tuple[Network, ...] = ()
    argon2: Argon2 = Argon2()


class Policies(Section, frozen=True):
    """``policies``."""

    mfa_max_age: Duration = Duration(15 * MINUTE)
    cache_ttl: Duration = Duration(30)


class Archive(Section, frozen=True):
    """``audit.archive``: where rows go before they are pruned; off without a ``type``."""

    type: Literal["s3", "gcs", "azure_blob", "file"] | None = None
    bucket: str | None = None
    prefix: str = ""
    credentials_path: str | None = None


class Audit(Section, frozen=True):
    """``audit``."""

    retention: Duration = Duration(2555 * DAY)
    checkpoint_interval: Duration = Duration(10 * MINUTE)
    group_commit_max: Count = 1000
    archive: Archive = Archive()


class Webhooks(Section, frozen=True):
    """``webhooks``."""

    allowed_networks: tuple[Network, ...] = ()
    timeout: Duration = Duration(10)


class Outbound(Section, frozen=True):
    """``outbound``: what the vault may call, and as whom."""

    allowed_networks: tuple[Network, ...] = (Network("0.0.0.0/0"), Network("::/0"))
    ambient_credentials: bool = False


class Subscriptions(Section, frozen=True):
    """``subscriptions``."""

    default_buffer: Count = 1000


class Rotation(Section, frozen=True):
    """``rotation``."""

    scan_interval: Duration = Duration(30)


class Federation(Section, frozen=True):
    """``federation``."""

    timeout: Duration = Duration(5)


class Pki(Section, frozen=True):
    """``pki``."""

    public_url: Url = Url()
    crl_interval: Duration = Duration(24 * HOUR)


class Acme(Section, frozen=True):
    """``acme``: listeners for challenges, off unless given."""

    http_bind: Address | None = None
    tls_alpn_bind: Address | None = None


class Command(Item, frozen=True):
    """A program that the custom engine may run; the API names it but never supplies it."""

    argv: Annotated[tuple[str, ...], Meta(min_length=1)]
    timeout: Duration = Duration(30)


class Dynamic(Section, frozen=True):
    """``dynamic``."""

    commands: dict[str, Command] = {}


class ObjectStorage(Section, frozen=True):
    """``object_storage``; off without a ``provider``."""

    provider: CloudStore | None = None
    bucket: str | None = None
    endpoint: Url | None = None
    credentials_path: str | None = None


class Keep(Section, frozen=True):
    """``backup.keep``: how many verified backups of each kind stay."""

    last: Count = 3
    daily: Annotated[int, Meta(ge=0)] = 7
    weekly: Annotated[int, Meta(ge=0)] = 4
    monthly: Annotated[int, Meta(ge=0)] = 6


class Copy(Item, frozen=True):
    """A second place for every backup."""

    type: Literal["directory", "s3", "gcs", "azure_blob", "minio"]
    directory: Path | None = None
    bucket: str | None = None
    prefix: str = ""
    endpoint: Url | None = None
    credentials_path: str | None = None


class Backup(Section, frozen=True):
    """``backup``."""

    every: Duration = Duration(24 * HOUR)
    at: TimeOfDay = "02:30"
    directory: Path = Path()
    keep: Keep = Keep()
    verify: Literal["always", "off"] = "always"
    copies: tuple[Copy, ...] = ()


class Metrics(Section, frozen=True):
    """``metrics``."""

    bind: Address | None = Address("127.0.0.1:9464")
    main_port: Literal["off", "token", "open"] = "off"


class Log(Section, frozen=True):
    """``log``."""

    level: Literal["debug", "info", "warn", "error"] = "info"
    format: Literal["json", "text"] = "json"
    paths: bool = False
