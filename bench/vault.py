"""ScaiVault as ``scaivault serve`` runs it: data on disk, audit on, one user under one policy.

Unlike a default installation: no TLS, rate limits and metrics off, memory not locked, and the
cheapest passphrase KDF that is allowed, so that unsealing measures the vault and not Argon2id.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import httpx

from bench.process import MissingProgramError, Process, free_port
from bench.target import Sealable, call, initialised, path

KDF_OPS = 1
KDF_MEM_KIB = 65536
ARGON2 = {"ops": KDF_OPS, "mem_kib": KDF_MEM_KIB}
CACHE_MIB = 64  # what it is by default
PASSPHRASE = "bench passphrase, loopback only"
SCOPES = ("secrets:read", "secrets:write", "secrets:list")
RULES = [{"path_pattern": "bench/**", "permissions": ["read", "write", "list"]}]


def program() -> list[str]:
    """The ``scaivault`` command of this environment; without one, this source tree's.

    Raises:
        MissingProgramError: there is neither.
    """
    found = shutil.which("scaivault", path=str(Path(sys.executable).parent))
    if found:
        return [found]
    if importlib.util.find_spec("scaivault") is None:
        raise MissingProgramError("ScaiVault is not installed: pip install -e .")
    return [sys.executable, "-m", "scaivault.cli.main"]


def version() -> str:
    """What the program says it is."""
    said = subprocess.run([*program(), "--version"], check=True, capture_output=True, text=True)
    return said.stdout.strip()


class Vault(Sealable):
    """A running, unsealed ScaiVault with the token of a service account under one policy."""

    name = "ScaiVault"
    secrets = "/v1/secrets"

    def __init__(self, folder: Path, data: Path | None = None) -> None:
        self.port = free_port()
        self._folder = folder
        self.data = data or folder / "data"
        self.data.mkdir(mode=0o700, exist_ok=True)
        # JSON is YAML.
        config = folder / "config.yaml"
        config.touch(mode=0o600)
        config.write_text(json.dumps(self._config()))
        self._token = ""
        self.process = self._run()

    def _config(self) -> dict[str, object]:
        return {
            "data_dir": str(self.data),
            "server": {
                "bind": f"127.0.0.1:{self.port}",
                "lock_memory": False,
                "tls": {"mode": "off"},
            },
            "storage": {"cache_mib": CACHE_MIB},
            "seal": {"argon2": ARGON2},
            # A vault of many secrets or rows takes long to fill and to measure.
            "identity": {"local": {"token_ttl": "1d"}},
            "rate_limits": {"enabled": False},
            "metrics": {"bind": None},
            "log": {"level": "warn"},
        }

    def _run(self) -> Process:
        argv = [*program(), "serve", "--config", str(self._folder / "config.yaml")]
        argv += ["--allow-root"] if os.geteuid() == 0 else []
        process = Process(argv, self._folder / "server.log")
        process.await_answer(f"{self.url}/v1/health")
        return process

    def initialise(self) -> None:
        """Init with one passphrase slot, and a token to measure with."""
        with self.client() as client:
            wanted = {"slots": [{"type": "passphrase", "passphrase": PASSPHRASE}]}
            made = call(client, "POST", "/v1/system/init", wanted)
            self._token = str(made["root_token"])
            client.headers["Authorization"] = f"Bearer {self._token}"
            self._token = self.rights(client)

    def rights(self, client: httpx.Client) -> str:
        """The token to measure with, of a service account under one policy."""
        account, made = service_account(client)
        bind(client, account)
        return granted(client, made)

    def unseal(self, client: httpx.Client) -> None:
        """Give the passphrase; returns when the server says that it is open."""
        call(client, "POST", "/v1/system/unseal", {"passphrase": PASSPHRASE})

    def batch(self, numbers: range) -> bytes:
        """The request that reads several secrets at once."""
        body = json.dumps({"paths": [path(n) for n in numbers]}, separators=(",", ":")).encode()
        return self.render("POST", "/v1/secrets/batch", self.headers, body)

    def page(self, prefix: str) -> bytes:
        """The request that lists the first 200 secrets with ``prefix``."""
        return self.render("GET", f"/v1/secrets?limit=200&prefix={prefix}", self.headers)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"}


def service_account(
    client: httpx.Client, scopes: Sequence[str] = SCOPES
) -> tuple[object, dict[str, object]]:
    """A new service account without any rights, and a credential of it as the API shows it."""
    wanted = {"name": "bench", "scopes": [*scopes]}
    account = call(client, "POST", "/v1/identity/service-accounts", wanted)["id"]
    where = f"/v1/identity/service-accounts/{account}/credentials"
    return account, call(client, "POST", where, {})


def bind(client: httpx.Client, account: object) -> None:
    """Give a service account its rights: one policy."""
    policy = call(client, "POST", "/v1/policies", {"name": "bench", "rules": RULES})["id"]
    bound = {"identity_type": "service_account", "identity_id": account}
    call(client, "POST", f"/v1/policies/{policy}/bindings", bound)


def granted(client: httpx.Client, made: Mapping[str, object]) -> str:
    """A token for a credential; good for a day."""
    grant = {
        "grant_type": "client_credentials",
        "client_id": made["client_id"],
        "client_secret": made["client_secret"],
    }
    return str(call(client, "POST", "/v1/auth/token", grant)["access_token"])


def vault(parent: Path | None = None) -> AbstractContextManager[Vault]:
    """An initialised ScaiVault in a temporary folder, gone afterwards."""
    return initialised(Vault, parent, "scaivault")
