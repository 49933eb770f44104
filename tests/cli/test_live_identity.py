"""Three days in the life of identities, with the commands and the client against a server that
runs: a build that exchanges its token, a client secret that is replaced, a person who leaves."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from scaivault.clock import SECOND, SystemClock
from scaivault.crypto import totp
from scaivault_sdk import SyncScaiVaultClient
from scaivault_sdk.errors import (
    AccessDeniedError,
    AuthenticationError,
    NotFoundError,
    PermissionDeniedError,
    ScaiVaultError,
    TokenRevokedError,
)
from tests.cli.conftest import Canned, handler_for, running
from tests.support.issuing import jwk, sealed
from tests.support.process import Server, until

GITHUB = "https://token.actions.githubusercontent.example"
BUILD = "repo:acme/shop:ref:refs/heads/main"


def seconds() -> int:
    """The machine's time, which is the server's."""
    return SystemClock().now() // SECOND


def address(live: Server) -> str:
    return f"http://127.0.0.1:{live.port}"


class Corp(Canned):
    """An identity provider: its address, its key and its two documents."""

    def __init__(self) -> None:
        super().__init__()
        self.key = ec.generate_private_key(ec.SECP256R1())

    def publish(self) -> None:
        keys = {"keys": [jwk(self.key, "c")]}
        self.answer("GET /keys", keys)
        self.answer(
            "GET /.well-known/openid-configuration",
            {"issuer": self.url, "jwks_uri": f"{self.url}/keys"},
        )


@pytest.fixture(scope="module")
def corp() -> Iterator[Corp]:
    provider = Corp()
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler_for(provider))
    provider.url = f"http://127.0.0.1:{http.server_address[1]}"
    provider.publish()
    with running(http):
        yield provider


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, corp: Corp) -> Iterator[Server]:
    """A server that knows the provider."""
    issuers = {"identity.issuers": [{"name": "corp", "issuer": corp.url}]}
    server = Server(tmp_path_factory.mktemp("live"), issuers)
    try:
        yield server.founded()
    finally:
        server.end()


def account(vault: Any, name: str, *rules: str) -> Any:
    """A service account, and a policy that gives it these rules."""
    scopes = [word for scope in ("read", "list") for word in ("--scope", f"secrets:{scope}")]
    made = vault("identity", "create", "service-account", name, *scopes, "--json")
    granted(vault, f"sa:{name}", *rules)
    return made


def granted(vault: Any, identity: str, *rules: str) -> None:
    words = [word for rule in rules for word in ("--rule", rule)]
    policy = vault("policies", "create", f"of-{identity.replace(':', '-')}", *words, "--json")
    vault("policies", "bind", policy["id"], identity)


class Reader(threading.Thread):
    """A program that reads one secret again and again: ``reads`` so far, and what went wrong."""

    def __init__(self, client: SyncScaiVaultClient, path: str) -> None:
        super().__init__()
        self.reads = 0
        self.failures: list[Exception] = []
        self._client, self._path = client, path
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.is_set():
            try:
                self._client.secrets.read(self._path)
            except ScaiVaultError as error:
                self.failures.append(error)
                return
            self.reads += 1

    def some_more(self) -> None:
        """Wait until it has read further."""
        before = self.reads
        until(lambda: self.reads > before or self.failures, "the program reads")

    def __enter__(self) -> Reader:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()


# -- a build ------------------------------------------------------------------------------------


class Builds:
    """An issuer as those of build services are: a token names repository, branch and run."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self._runs = 0

    def token(self, **changed: Any) -> str:
        self._runs += 1
        now = seconds()
        claims = {
            "iss": GITHUB,
            "aud": "scaivault",
            "sub": BUILD,
            "repository": "acme/shop",
            "ref": "refs/heads/main",
            "environment": "production",
            "iat": now,
            "nbf": now,
            "exp": now + 300,
            "jti": f"run-{self._runs}",
        }
        return sealed({"alg": "ES256", "typ": "JWT", "kid": "b"}, {**claims, **changed}, self.key)

    def keys(self, folder: Path) -> str:
        """The file with the public half."""
        file = folder / "keys.json"
        file.write_text(json.dumps({"keys": [jwk(self.key, "b")]}))
        return str(file)


@pytest.fixture(scope="module")
def builds() -> Builds:
    return Builds()


@pytest.fixture(scope="module")
def deployed() -> list[bool]:
    """Whether the tests before have made the account already."""
    return []


@pytest.fixture
def trusted(vault: Any, builds: Builds, deployed: list[bool], tmp_path: Path) -> None:
    """Whoever builds the main branch may read below ``shop/prod``, though the account may more."""
    if deployed:
        return
    account(vault, "deploy", "shop/**=read,list")
    for path in ("shop/prod/db", "shop/prod/mail", "shop/test/db", "bank/db"):
        vault("secrets", "write", path, f"of={path}")
    vault(
        *("identity", "trust", "create", "builds", "--issuer", GITHUB, "--subject", BUILD),
        *("--claim", "environment=production", "--identity", "deploy"),
        *("--scope", "secrets:read", "--path", "shop/prod/**", "--max-ttl", "15m"),
        *("--jwks-file", builds.keys(tmp_path)),
    )
    deployed.append(True)


def test_a_build_reads_one_subtree(vault: Any, live: Server, builds: Builds, trusted: None) -> None:
    with SyncScaiVaultClient(address(live)) as nobody:
        got = nobody.auth.exchange(builds.token(), role="sa:deploy")
    assert (got.scope, got.expires_in) == ("secrets:read", 900)
    with SyncScaiVaultClient(address(live), token=got.access_token) as build:
        who = build.auth.whoami()
        assert (who.identity_id, who.token_kind) == ("sa:deploy", "exchanged")
        for path in ("shop/prod/db", "shop/prod/mail"):
            assert build.secrets.read(path)["of"] == path
        for path in ("shop/test/db", "bank/db"):
            with pytest.raises(AccessDeniedError):
                build.secrets.read(path)
        with pytest.raises(PermissionDeniedError):
            build.secrets.write("shop/prod/db", {"of": "the build"})
        with pytest.raises(PermissionDeniedError):
            build.secrets.list()


@pytest.mark.parametrize(
    ("changed", "exits"),
    [
        ({"sub": "repo:acme/shop:ref:refs/heads/mine"}, 3),
        ({"environment": "test"}, 3),
        ({"aud": "somebody-else"}, 2),
        ({"iss": "https://evil.example"}, 2),
        ({"exp": seconds() - 600, "iat": seconds() - 900}, 2),
    ],
)
def test_other_builds_get_nothing(
    vault: Any, builds: Builds, trusted: None, changed: dict[str, Any], exits: int
) -> None:
    words = ("auth", "login", "--exchange", "-", "--role", "sa:deploy")
    vault(*words, stdin=builds.token(**changed), exits=exits)
    # Nothing of it was kept.
    assert vault("auth", "whoami", "--json")["identity_id"] == "sa:root"


def test_a_build_logs_in_once_with_each_token(
    vault: Any, live: Server, builds: Builds, trusted: None, home: Path
) -> None:
    subject = builds.token()
    words = ("auth", "login", "--exchange", "-", "--role", "sa:deploy", "--profile", "build")
    vault(*words, "--url", address(live), stdin=subject)
    assert vault("secrets", "read", "shop/prod/db", "--field", "of", "--profile", "build") == (
        "shop/prod/db"
    )
    vault("secrets", "read", "shop/test/db", "--profile", "build", exits=3)
    assert subject not in (home / ".scaivault" / "config.json").read_text()
    # A token that lives for some minutes only is good for one exchange.
    vault(*words, "--url", address(live), stdin=subject, exits=2)


def test_a_trust_that_ends_takes_its_tokens_along(
    vault: Any, live: Server, builds: Builds, trusted: None
) -> None:
    with SyncScaiVaultClient(address(live)) as nobody:
        got = nobody.auth.exchange(builds.token())
    with SyncScaiVaultClient(address(live), token=got.access_token) as build:
        assert build.secrets.read("shop/prod/db")["of"] == "shop/prod/db"
        (trust,) = vault("identity", "trust", "list", "--json")["trusts"]
        vault("identity", "trust", "delete", trust["id"], "--yes")
        with pytest.raises(AuthenticationError):
            build.secrets.read("shop/prod/db")


# -- a client secret ----------------------------------------------------------------------------


def test_a_secret_is_replaced_while_the_program_reads(
    vault: Any, live: Server, tmp_path: Path
) -> None:
    made = account(vault, "ledger", "ledger/**=read,list")
    vault("secrets", "write", "ledger/db", "k=v")
    file = tmp_path / "secret"
    rotate = ("identity", "sa-credentials", "ledger", "--rotate", "--out", str(file))
    vault(*rotate)
    first = file.read_text()
    program = SyncScaiVaultClient(
        address(live), client_id=made["id"], client_secret=lambda: file.read_text().strip()
    )
    with program, Reader(program, "ledger/db") as reading:
        reading.some_more()
        vault(*rotate)
        assert file.read_text() != first
        reading.some_more()
        # Nobody has shown the new one yet, so the old one stays.
        retire = ("identity", "sa-credentials", "ledger", "--retire", "--yes")
        vault(*retire, exits=1)
        login = ("auth", "login", "--client-id", made["id"], "--client-secret-file", str(file))
        vault(*login, "--profile", "ledger", "--url", address(live))
        reading.some_more()
        vault(*retire)
        (left,) = vault("identity", "sa-credentials", "ledger", "--json")["credentials"]
        assert left["last_used_at"] is not None
        # The old secret and its tokens are gone; the program goes on.
        reading.some_more()
    assert reading.failures == []
    with (
        SyncScaiVaultClient(
            address(live), client_id=made["id"], client_secret=first.strip()
        ) as late,
        pytest.raises(AuthenticationError),
    ):
        late.secrets.read("ledger/db")


# -- somebody who leaves ------------------------------------------------------------------------


def test_who_leaves_is_cut_off_everywhere(vault: Any, live: Server) -> None:
    leaver = "user:mira@harbor.example"
    vault("identity", "create", "user", "mira@harbor.example", "--display-name", "Mira Quist")
    granted(vault, leaver, "harbor/**=read,list")
    for path in ("harbor/crane", "harbor/gate", "harbor/light"):
        vault("secrets", "write", path, f"of={path}")
    scopes = ("--scope", "secrets:read", "--scope", "secrets:list")
    tokens = [
        vault("auth", "token", "create", name, "--for", leaver, *scopes).strip()
        for name in ("laptop", "phone")
    ]
    clients = [SyncScaiVaultClient(address(live), token=token) for token in tokens]
    tokens.append(
        clients[0].auth.exchange(tokens[0], subject_token_type="access_token").access_token
    )
    clients.append(SyncScaiVaultClient(address(live), token=tokens[2]))
    for client, path in zip(clients, ("harbor/crane", "harbor/gate", "harbor/crane"), strict=True):
        assert client.secrets.read(path)["of"] == path
    clients[0].secrets.list("harbor/")  # names only: no value was seen
    with pytest.raises(PermissionDeniedError):
        clients[0].secrets.read("vault/other")

    told = vault("identity", "revoke-access", leaver, "--yes", "--reason", "leaves", "--json")

    assert (told["identity_id"], told["tokens_revoked"]) == (leaver, 3)
    assert told["summary"]["resources_accessed"] == ["harbor/crane", "harbor/gate"]
    assert not told["summary"]["truncated"]
    for client in clients:
        with pytest.raises(AuthenticationError):
            client.secrets.read("harbor/crane")
        client.close()
    assert vault("auth", "token", "list", "--identity", leaver) == ""
    # Once more does no harm, and a table ends with the paths.
    again = vault("identity", "revoke-access", leaver, "--yes")
    assert "tokens_revoked\t0\n" in again
    assert again.endswith("paths_read\t2\nharbor/crane\nharbor/gate\n")
    rows = vault("audit", "logs", "--action", "access_revoke", "--json")["logs"]
    assert [row["extra_data"]["for"] for row in rows[:2]] == [leaver, leaver]
    assert rows[1]["extra_data"]["reason"] == "leaves"
    # The person is still known, and can be let in again.
    assert vault("identity", "resolve", leaver, "--json")["status"] == "ACTIVE"


def test_whoever_logs_in_elsewhere_is_cut_off_here_too(vault: Any, live: Server, corp: Any) -> None:
    leaver = "user:kay@corp.example"
    granted(vault, leaver, "corp/**=read")
    vault("secrets", "write", "corp/plan", "k=v")
    now = seconds()
    claims = {"iss": corp.url, "aud": "scaivault", "sub": "4711", "email": "kay@corp.example"}
    claims |= {"tenant_id": live.made["tenant_id"], "scope": "secrets:read", "iat": now}
    foreign = sealed(
        {"alg": "ES256", "typ": "JWT", "kid": "c"}, {**claims, "exp": now + 600}, corp.key
    )
    with SyncScaiVaultClient(address(live), token=foreign) as browser:
        assert browser.secrets.read("corp/plan")["k"] == "v"
        own = browser.auth.create_token("laptop", ["secrets:read"]).token
    told = vault("identity", "revoke-access", leaver, "--yes", "--json")
    assert told["summary"]["resources_accessed"] == ["corp/plan"]
    for token in (foreign, own):
        with (
            SyncScaiVaultClient(address(live), token=token) as late,
            pytest.raises(TokenRevokedError),
        ):
            late.secrets.read("corp/plan")
    # What the provider keeps is changed there.
    vault("identity", "update", "user", leaver, "--display-name", "K", exits=3)


# -- the rest of the commands -------------------------------------------------------------------


def test_partners_tenants_and_whose_they_are(vault: Any, live: Server) -> None:
    partner = vault("identity", "create", "partner", "North", "--slug", "north", "--json")["id"]
    named = ("identity", "create", "tenant", "Shop", "--slug", "shop", "--partner", partner)
    tenant = vault(*named, "--json")["id"]
    assert vault("identity", "tenants", "--partner", partner) == (
        f"{tenant}\tShop\tACTIVE\tshop\t{partner}\n"
    )
    vault("identity", "create", "user", "kim@north.example", "--tenant", tenant)
    assert "kim@north.example" in vault("identity", "users", "--tenant", tenant)
    assert "kim@north.example" not in vault("identity", "users")
    # The pin: nothing leaves for a tenant of another partner.
    pinned = SyncScaiVaultClient(
        address(live), token=live.token, tenant_id=tenant, partner_id=partner
    )
    assert pinned.secrets.list().data == []
    assert [user.email for user in pinned.identity.users()] == ["kim@north.example"]
    vault("secrets", "list", "--partner-id", partner, exits=5)
    vault("secrets", "list", "--partner-id", partner, "--tenant", tenant)
    vault("identity", "delete", "partner", partner, "--yes", exits=1)
    vault("identity", "update", "tenant", tenant, "--status", "suspended", "--yes")
    vault("identity", "delete", "tenant", tenant, "--yes")
    assert vault("identity", "tenants", "--partner", partner) == ""
    assert tenant in vault("identity", "tenants", "--partner", partner, "--status", "deleted")
    vault("identity", "delete", "partner", partner, "--yes")
    with pytest.raises(NotFoundError):
        pinned.identity.get_partner("ptn_unknown")
    pinned.close()


def test_groups_roles_and_members(vault: Any) -> None:
    vault("identity", "create", "group", "crew", "--display-name", "Crew")
    vault("identity", "create", "user", "ola@harbor.example", "--group", "group:crew")
    account(vault, "robot", "crew/**=read")
    assert vault("identity", "members", "group:crew", "--add", "sa:robot").count("\t") == 6
    listed = vault("identity", "members", "group:crew")
    assert [line.split("\t")[0] for line in listed.splitlines()] == [
        "sa:robot",
        "user:ola@harbor.example",
    ]
    vault("identity", "members", "group:crew", "--remove", "sa:robot", "--yes")
    vault("identity", "set-roles", "user:ola@harbor.example", "tenant_admin")
    assert "tenant_admin" in vault("identity", "users", "--match", "OLA")
    assert "roles\ttenant_admin" in vault("identity", "roles", "user:ola@harbor.example")
    assert vault("identity", "roles").count("\n") == 3
    ola = vault("identity", "update", "user", "user:ola@harbor.example", "--no-groups", "--json")
    assert ola["groups"] == []
    suspended = ("identity", "update", "service-account", "sa:robot", "--status", "suspended")
    assert vault(*suspended, "--yes", "--json")["status"] == "SUSPENDED"
    vault("identity", "delete", "service-account", "sa:robot", "--yes")
    vault("identity", "delete", "group", "group:crew", "--yes")
    vault("identity", "resolve", "group:crew", exits=4)
    vault("identity", "create", "service-account", "robot", "--scope", "secrets:read", exits=1)


def test_ones_own_tokens_and_second_factor(vault: Any, live: Server) -> None:
    vault("identity", "create", "user", "pat@harbor.example")
    words = ("auth", "token", "create", "first", "--for", "user:pat@harbor.example")
    token = vault(*words, "--scope", "secrets:read", "--expires-in", "2h").strip()
    login = ("auth", "login", "--token", "-", "--profile", "pat", "--url", address(live))
    vault(*login, stdin=token)
    own = ("--profile", "pat")
    vault("auth", "token", "create", "more", "--scope", "admin", *own, exits=3)
    child = vault("auth", "token", "create", "child", "--scope", "secrets:read", *own, "--json")
    assert child["parent_id"] is not None
    listed = vault("auth", "token", "list", *own)
    assert [line.split("\t")[1] for line in listed.splitlines()] == ["child", "first"]
    vault("auth", "token", "revoke", child["id"], "--yes", *own)
    assert vault("auth", "token", "list", *own).count("\n") == 1
    enrolled = vault("auth", "mfa", "--enrol", "--json", *own)
    vault("auth", "mfa", "000000", *own, exits=3)
    secret = base64.b32decode(enrolled["secret"])
    code = totp.code(secret, totp.step_at(seconds()))
    assert "mfa_verified_at" in vault("auth", "mfa", code, *own)
    assert vault("auth", "whoami", "--json", *own)["mfa_verified_at"] is not None
    vault("identity", "update", "user", "user:pat@harbor.example", "--reset-mfa", "--yes")
    vault("auth", "logout", "--revoke", *own)
    with (
        SyncScaiVaultClient(address(live), token=token) as late,
        pytest.raises(AuthenticationError),
    ):
        late.auth.whoami()


def test_whoever_is_not_asked_for_learns_nothing(vault: Any, live: Server) -> None:
    made = account(vault, "curious", "none/**=read")
    secret = vault("identity", "sa-credentials", "curious", "--rotate").strip()
    with SyncScaiVaultClient(address(live), client_id=made["id"], client_secret=secret) as curious:
        for call in (
            curious.identity.users,
            curious.identity.trusts,
            lambda: curious.auth.introspect("skt_x"),
            lambda: curious.identity.revoke_access("user", "user:x@y.example"),
            lambda: curious.auth.create_token("own", ["secrets:read"]),
        ):
            with pytest.raises(PermissionDeniedError):
                call()
        mine = curious.auth.list_tokens().data
        assert [each.identity_id for each in mine] == ["sa:curious"]
    with SyncScaiVaultClient(address(live), token=live.token) as root:
        assert root.auth.introspect("skt_x").active is False
        assert root.auth.introspect(live.token).identity_id == "sa:root"
