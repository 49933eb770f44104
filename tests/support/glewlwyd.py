"""Glewlwyd, an OpenID provider of Debian's, as a process of its own: one user and one client."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tests.support.process import free_port, until

PROGRAM: Final = shutil.which("glewlwyd")
CLIENT: Final = ("ci-runner", "client-secret-1")
USER: Final = {"username": "mira", "password": "correct-horse"}
_SCHEMA: Final = Path("/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3")
_SCOPE: Final = "secrets:read"
AUDIENCE: Final = _SCOPE  # it names the scopes where others name the resource
_GRANTS: Final = ("code", "token", "id-token", "none", "password", "client", "refresh")
_MODULES: Final = ("user", "client", "user_auth_scheme", "plugin")


class Glewlwyd:
    """``issuer``: as in its tokens."""

    def __init__(self, port: int) -> None:
        self.url: Final = f"http://127.0.0.1:{port}"
        self.issuer: Final = self.url + "/api/oidc"
        self._admin: Final = httpx.Client(base_url=self.url, trust_env=False)

    def answers(self) -> bool:
        try:
            return self._admin.get("/config").status_code == 200
        except httpx.TransportError:
            return False

    def close(self) -> None:
        self._admin.close()

    def set_up(self) -> None:
        self._send("POST", "/api/auth/", {"username": "admin", "password": "password"})
        self._send("POST", "/api/mod/plugin/", self._plugin())
        scope = {"name": _SCOPE, "display_name": _SCOPE, "description": "Read", "scheme": {}}
        self._send("POST", "/api/scope/", {**scope, "password_required": True})
        user = {"name": "Mira Quist", "email": "mira@harbor.example", "enabled": True}
        self._send("POST", "/api/user/", {**USER, **user, "scope": ["openid", _SCOPE]})
        client_id, password = CLIENT
        client = {
            "client_id": client_id, "password": password, "confidential": True, "enabled": True,
            "scope": [_SCOPE], "authorization_type": ["client_credentials", "password"],
            "redirect_uri": [], "token_endpoint_auth_method": ["client_secret_basic"],
        }  # fmt: skip
        self._send("POST", "/api/client/", client)

    def replace_keys(self) -> None:
        """Sign with a new key from now on, and publish no other."""
        self._send("PUT", "/api/mod/plugin/oidc", self._plugin())
        self._send("PUT", "/api/mod/plugin/oidc/reset", None)

    def users_token(self) -> str:
        return self._granted({"grant_type": "password", **USER})

    def clients_token(self) -> str:
        return self._granted({"grant_type": "client_credentials"})

    def _granted(self, form: dict[str, str]) -> str:
        form = {**form, "scope": _SCOPE}
        answer = httpx.post(self.issuer + "/token", data=form, auth=CLIENT, trust_env=False)
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["access_token"]
        return token

    def _send(self, method: str, path: str, body: Any) -> None:
        answer = self._admin.request(method, path, json=body)
        assert answer.status_code == 200, f"{method} {path}: {answer.status_code} {answer.text}"

    def _plugin(self) -> dict[str, Any]:
        key = ec.generate_private_key(ec.SECP256R1())
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        parameters = {
            "iss": self.issuer, "jwt-type": "ecdsa", "jwt-key-size": "256",
            "key": private.decode(), "cert": public.decode(), "jwks-show": True,
            "access-token-duration": 600, "refresh-token-duration": 600, "code-duration": 600,
            "allow-non-oidc": True, "refresh-token-rolling": False, "subject-type": "public",
            **{f"auth-type-{name}-enabled": True for name in _GRANTS},
            "additional-parameters": [
                {"user-parameter": name, "token-parameter": name} for name in ("email", "name")
            ],
        }  # fmt: skip
        return {
            "module": "oidc", "name": "oidc", "display_name": "OIDC", "order_rank": 0,
            "readonly": False, "parameters": parameters,
        }  # fmt: skip


@contextmanager
def running(folder: Path) -> Iterator[Glewlwyd]:
    """Started with an empty database in ``folder``; gone afterwards."""
    assert PROGRAM is not None
    provider = Glewlwyd(port := free_port())
    database = sqlite3.connect(folder / "glewlwyd.db")
    database.executescript(_SCHEMA.read_text())
    database.close()
    modules = {f"{name}_module_path": name.removeprefix("user_auth_") for name in _MODULES}
    lines = {
        "port": port, "bind_address": "127.0.0.1", "external_url": provider.url,
        "login_url": "login.html", "api_prefix": "api", "session_expiration": 3600,
        "session_key": "SESSION", "admin_scope": "g_admin", "profile_scope": "g_profile",
        "admin_session_authentication": "cookie", "profile_session_authentication": "cookie",
        "hash_algorithm": "SHA512",
        **{name: f"/usr/lib/glewlwyd/{where}" for name, where in modules.items()},
    }  # fmt: skip
    text = [f"{name} = {_value(value)}" for name, value in lines.items()]
    text.append(f'database = {{ type = "sqlite3" path = "{folder}/glewlwyd.db" }};')
    configuration = folder / "glewlwyd.conf"
    configuration.write_text("\n".join(text))
    with (folder / "glewlwyd.log").open("w") as log:
        process = subprocess.Popen(
            [PROGRAM, "-c", str(configuration), "-m", "console"], stdout=log, stderr=log
        )
    try:
        until(provider.answers, "Glewlwyd to answer")
        provider.set_up()
        yield provider
    finally:
        provider.close()
        process.terminate()
        process.wait(10)


def _value(value: object) -> str:
    return str(value) if isinstance(value, int) else f'"{value}"'
