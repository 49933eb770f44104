"""What one setting demands of another, and the defaults that follow from others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, NoReturn

from msgspec.structs import replace

from scaivault.config.errors import ConfigError
from scaivault.config.layers import Layer
from scaivault.config.quantities import Url
from scaivault.config.settings import Settings
from scaivault.wire.prefixes import PREFIX_RULE, is_prefix

Refuse = Callable[[str, str], NoReturn]


def settle(settings: Settings, given: Layer) -> Settings:
    """Check what must fit together and fill in derived defaults."""

    def refuse(key: str, demand: str) -> NoReturn:
        where = f"{given[key].where}: " if key in given else ""
        raise ConfigError(f"{where}{key} {demand}")

    _identity(settings, refuse)
    _stores(settings, refuse)
    for name, command in settings.dynamic.commands.items():
        if not command.argv[0].startswith("/"):
            refuse("dynamic.commands", f"{name}: the first of argv must be an absolute path")
    return _derive(_server(settings, refuse))


def _server(settings: Settings, refuse: Refuse) -> Settings:
    """Settle TLS and the public address.

    Plain HTTP needs a reason: only this machine can connect, or the public address is https,
    which means that TLS ends in front of this process.
    """
    server = settings.server
    if not server.base_url and not server.bind.is_loopback:
        refuse("server.base_url", "is required unless server.bind is a loopback address")
    mode = _tls_mode(settings, refuse)
    scheme = "https" if mode == "files" else "http"
    base_url = server.base_url or Url(f"{scheme}://{server.bind}")
    return replace(
        settings, server=replace(server, base_url=base_url, tls=replace(server.tls, mode=mode))
    )


def _tls_mode(settings: Settings, refuse: Refuse) -> Literal["files", "off"]:
    server, tls = settings.server, settings.server.tls
    if (tls.cert_file is None) != (tls.key_file is None):
        missing = "key_file" if tls.key_file is None else "cert_file"
        refuse(f"server.tls.{missing}", "is missing: certificate and key belong together")
    if tls.mode == "off":
        return "off"
    if tls.cert_file is not None:
        return "files"
    if tls.mode == "files":
        refuse("server.tls.mode", "is files, but server.tls.cert_file and key_file are not set")
    if not (server.bind.is_loopback or server.base_url.is_https):
        refuse(
            "server.tls.mode",
            "needs certificate files: server.bind is reachable from outside and server.base_url "
            "is not https; off allows plain HTTP",
        )
    return "off"


def _identity(settings: Settings, refuse: Refuse) -> None:
    identity = settings.identity
    if identity.pat_default_ttl > identity.pat_max_ttl:
        refuse("identity.pat_default_ttl", "must not be longer than identity.pat_max_ttl")
    names = ["local", *(issuer.name for issuer in identity.issuers)]
    if len(set(names)) < len(names):
        refuse("identity.issuers", "must have different names, none of them local")
    addresses = [issuer.issuer for issuer in identity.issuers]
    if len(set(addresses)) < len(addresses):
        refuse("identity.issuers", "must have different issuer values")
    if (identity.local.issuer or str(settings.server.base_url)) in addresses:
        refuse("identity.issuers", "must not hold the vault's own issuer")
    for issuer in identity.issuers:
        rest = issuer.issuer.replace("{tenant_id}", "", 1)
        if "{" in rest or "}" in rest:
            refuse("identity.issuers", f"{issuer.name}: issuer may hold {{tenant_id}} once")


def _stores(settings: Settings, refuse: Refuse) -> None:
    archive, storage = settings.audit.archive, settings.object_storage
    if archive.type not in {None, "file"} and not archive.bucket:
        refuse("audit.archive.bucket", "is required for this audit.archive.type")
    if not is_prefix(archive.prefix):
        refuse("audit.archive.prefix", PREFIX_RULE)
    if storage.provider is not None and not storage.bucket:
        refuse("object_storage.bucket", "is required with object_storage.provider")
    if storage.provider == "minio" and storage.endpoint is None:
        refuse("object_storage.endpoint", "is required for minio")
    for copy in settings.backup.copies:
        needed = "directory" if copy.type == "directory" else "bucket"
        if not getattr(copy, needed):
            refuse("backup.copies", f"need {needed} for the type {copy.type}")


def _derive(settings: Settings) -> Settings:
    base_url, identity, pki = settings.server.base_url, settings.identity, settings.pki
    backup = settings.backup
    if backup.directory == Path():
        backup = replace(backup, directory=settings.data_dir / "backups")
    local = replace(identity.local, issuer=identity.local.issuer or str(base_url))
    return replace(
        settings,
        identity=replace(identity, local=local),
        pki=replace(pki, public_url=pki.public_url or base_url),
        backup=backup,
    )
