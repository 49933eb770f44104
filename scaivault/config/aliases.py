"""Variables without the prefix, under the names that operators know from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Final, NamedTuple

from scaivault.config.errors import ConfigError
from scaivault.config.layers import Given, Layer

SAME_NAME: Final[Mapping[str, str]] = {
    "BIND_ADDRESS": "server.bind",
    "BASE_URL": "server.base_url",
    "LOG_LEVEL": "log.level",
    "LOG_FORMAT": "log.format",
    "TLS_CERT_FILE": "server.tls.cert_file",
    "TLS_KEY_FILE": "server.tls.key_file",
}

PROVIDERS: Final[Mapping[str, tuple[str, str, str]]] = {
    "aws": ("aws-kms", "KMS_KEY_ID", "key_id"),
    "gcp": ("gcp-kms", "KMS_KEY_NAME", "key_name"),
    "azure": ("azure-key-vault", "KMS_KEY_URL", "key_url"),
    "hashicorp": ("vault-transit", "KMS_KEY_NAME", "key_name"),
    "pkcs11": ("pkcs11", "KMS_KEY_NAME", "key_label"),
}
"""``KMS_PROVIDER`` -> slot type, the variable that names the key, the slot parameter it sets."""


class Aliases(NamedTuple):
    """What the aliases say: settings, parameters of new slots, and what to warn about."""

    layer: Layer
    slot_defaults: dict[str, dict[str, str]]
    warnings: tuple[str, ...]


def from_aliases(env: Mapping[str, str], below: Layer) -> Aliases:
    """Read the aliases; ``below`` is what the file says, for those that add to a list."""
    env = {name: text for name, text in env.items() if text}
    layer = {key: Given(env[name], name) for name, key in SAME_NAME.items() if name in env}
    slot_defaults = _key_service(env, below, layer)
    _scaikey(env, below, layer)
    warnings = _stores(env, layer)
    return Aliases(layer, slot_defaults, warnings)


def _key_service(env: Mapping[str, str], below: Layer, layer: Layer) -> dict[str, dict[str, str]]:
    provider = env.get("KMS_PROVIDER")
    if provider is None:
        return {}
    if provider not in PROVIDERS:
        raise ConfigError(f"KMS_PROVIDER must be one of {', '.join(PROVIDERS)}")
    slot_type, variable, parameter = PROVIDERS[provider]
    others = [one for one in _listed(below, "seal.auto") if one != slot_type]
    layer["seal.auto"] = Given([slot_type, *others], "KMS_PROVIDER")
    return {slot_type: {parameter: env[variable]} if variable in env else {}}


def _scaikey(env: Mapping[str, str], below: Layer, layer: Layer) -> None:
    """Change the file's issuer of type ``scaikey``, or add one."""
    names = {"SCAIKEY_URL": "issuer", "SCAIKEY_JWKS_URL": "jwks_url"}
    fields = {field: env[name] for name, field in names.items() if name in env}
    if not fields:
        return
    issuers = _listed(below, "identity.issuers")
    places = [
        place
        for place, one in enumerate(issuers)
        if isinstance(one, dict) and one.get("type") == "scaikey"
    ]
    if places:
        issuers[places[0]] = {**issuers[places[0]], **fields}
    elif "issuer" not in fields:
        raise ConfigError("SCAIKEY_JWKS_URL needs SCAIKEY_URL beside it")
    else:
        issuers.append({"name": "scaikey", "type": "scaikey", **fields})
    layer["identity.issuers"] = Given(issuers, "SCAIKEY_URL or SCAIKEY_JWKS_URL")


def _listed(below: Layer, key: str) -> list[Any]:
    """A copy of the file's list; empty when there is none or it is no list (refused later)."""
    raw = below[key].raw if key in below else []
    return list(raw) if isinstance(raw, list) else []


def _stores(env: Mapping[str, str], layer: Layer) -> tuple[str, ...]:
    """``DATABASE_URL`` may only say where vault.db is; there is no Redis to connect to."""
    if "DATABASE_URL" in env:
        scheme, separator, path = env["DATABASE_URL"].partition("://")
        file = PurePosixPath("/" + path.lstrip("/"))
        if scheme != "sqlite" or not separator or not path.startswith("/"):
            raise ConfigError("DATABASE_URL must be sqlite:///<path>: the database is a file")
        if file.name != "vault.db":
            raise ConfigError("DATABASE_URL must end in /vault.db: the file has this name")
        layer["data_dir"] = Given(str(file.parent), "DATABASE_URL")
    if "REDIS_URL" in env:
        return ("REDIS_URL is ignored: cache and rate limits are kept in this process",)
    return ()
