"""``scaivault identity``: what the commands ask for, what they show, and when they ask back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

WHOAMI = "GET /v1/auth/whoami"
ME = {
    "identity_id": "user:boss@example.org",
    "identity_type": "user",
    "tenant_id": "tnt_a",
    "groups": ["group:x"],
}
USERS = "/v1/identity/tenants/tnt_a/users"
EMPTY: dict[str, Any] = {"service_accounts": [], "total": 0}
MIRA = {
    "id": "usr_1",
    "email": "mira@example.org",
    "status": "ACTIVE",
    "roles": ["tenant_admin"],
    "groups": [],
    "identity_id": "user:mira@example.org",
}


# -- lists --------------------------------------------------------------------------------------


def test_people_of_ones_own_tenant(run: Any, server: Any) -> None:
    server.answer(WHOAMI, ME)
    server.answer(f"GET {USERS}", {"users": [MIRA], "total": 1})
    result = run("identity", "users")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "usr_1\tmira@example.org\tACTIVE\ttenant_admin\n"
    nameless = {**MIRA, "email": None, "identity_id": "user:4711"}
    server.answers[f"GET {USERS}"].clear()
    server.answer(f"GET {USERS}", {"users": [nameless], "total": 1})
    assert run("identity", "users").stdout == "usr_1\tuser:4711\tACTIVE\ttenant_admin\n"


def test_people_of_another_tenant_and_filters(run: Any, server: Any) -> None:
    call = "/v1/identity/tenants/tnt_b/users?q=mi&status=SUSPENDED&page_size=7"
    server.answer(f"GET {call}", {"users": [], "total": 0})
    words = ("identity", "users", "--tenant", "tnt_b", "--match", "mi", "--status", "suspended")
    assert run(*words, "--limit", "7").exit_code == 0
    (request,) = server.requests
    assert request.headers["x-tenant-id"] == "tnt_b"


def test_the_filter_by_partner_is_not_the_acting_partner(run: Any, server: Any) -> None:
    server.answer("GET /v1/identity/tenants?partner_id=ptn_b", {"tenants": [], "total": 0})
    words = ("identity", "tenants", "--partner", "ptn_b", "--partner-id", "ptn_a")
    assert run(*words).exit_code == 0


def test_a_token_of_no_tenant_is_told_to_name_one(run: Any, server: Any) -> None:
    server.answer(WHOAMI, {**ME, "tenant_id": None})
    result = run("identity", "users")
    assert (result.exit_code, result.stdout) == (5, "")
    assert "belongs to no tenant" in result.stderr
    assert [request.path for request in server.requests] == ["/v1/auth/whoami"]


def test_an_empty_list_says_so_at_a_terminal_only(run: Any, terminal: Any, server: Any) -> None:
    server.answer(WHOAMI, ME)
    server.answer("GET /v1/identity/tenants/tnt_a/service-accounts", EMPTY)
    words = ("identity", "service-accounts")
    result = run(*words)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    assert terminal([*words], []) == (0, "no service accounts\n")
    assert terminal([*words, "--quiet"], []) == (0, "")
    assert terminal([*words, "--json"], []) == (0, json.dumps(EMPTY) + "\n")


def test_a_list_says_that_there_is_more_of_it_and_fetches_all(run: Any, server: Any) -> None:
    server.answer(WHOAMI, ME)
    server.answer(f"GET {USERS}", {"users": [MIRA], "total": 2})
    assert "2 in all; --all fetches every page" in run("identity", "users").stderr
    pages = f"GET {USERS}?page_size=1", f"GET {USERS}?page=2&page_size=1"
    other = {**MIRA, "id": "usr_2"}
    server.answer(pages[0], {"users": [MIRA], "total": 2})
    server.answer(pages[1], {"users": [other], "total": 2})
    result = run("identity", "users", "--limit", "1", "--all", "--json")
    assert json.loads(result.stdout) == {"users": [MIRA, other], "total": 2}
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("words", "call", "name", "item", "line"),
    [
        (
            ["partners"],
            "/v1/identity/partners",
            "partners",
            {"id": "ptn_1", "name": "North", "status": "ACTIVE", "slug": "north", "region": None},
            "ptn_1\tNorth\tACTIVE\tnorth\t-\n",
        ),
        (
            ["tenants", "--partner", "ptn_1"],
            "/v1/identity/tenants?partner_id=ptn_1",
            "tenants",
            {
                "id": "tnt_1",
                "name": "Shop",
                "status": "SUSPENDED",
                "slug": "shop",
                "partner_id": "ptn_1",
            },
            "tnt_1\tShop\tSUSPENDED\tshop\tptn_1\n",
        ),
        (
            ["service-accounts"],
            "/v1/identity/tenants/tnt_a/service-accounts",
            "service_accounts",
            {"id": "sa_1", "identity_id": "sa:job", "name": "job", "status": "ACTIVE"},
            "sa_1\tjob\tACTIVE\t-\n",
        ),
        (
            ["groups"],
            "/v1/identity/tenants/tnt_a/groups",
            "groups",
            {
                "id": "grp_1",
                "identity_id": "group:ops",
                "name": "ops",
                "parent_id": None,
                "member_count": 3,
            },
            "grp_1\tops\t-\t3\n",
        ),
        (
            ["members", "group:ops"],
            "/v1/identity/groups/group:ops/members",
            "members",
            {
                "identity_id": "sa:job",
                "user_id": "sa_1",
                "membership_type": "DIRECT",
                "added_at": "2031-02-03T09:00:00.000000Z",
            },
            "sa:job\tsa_1\tDIRECT\t2031-02-03T09:00:00.000000Z\n",
        ),
    ],
)
def test_lists(
    run: Any, server: Any, words: list[str], call: str, name: str, item: Any, line: str
) -> None:
    server.answer(WHOAMI, ME)
    server.answer(f"GET {call}", {name: [item], "total": 1})
    result = run("identity", *words)
    assert (result.exit_code, result.stdout) == (0, line), result.stderr


# -- one by one ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("identity", "kind"),
    [
        *(("user:mira@example.org", "user"), ("usr_1", "user")),
        *(("sa:job", "service_account"), ("group:ops", "group")),
    ],
)
def test_who_an_id_is(run: Any, server: Any, identity: str, kind: str) -> None:
    server.answer(f"GET /v1/identity/resolve/{kind}/{identity}", {"id": "x_1", "type": kind})
    assert run("identity", "resolve", identity).stdout == f"id\tx_1\ntype\t{kind}\n"


def test_roles(run: Any, server: Any) -> None:
    role = {"name": "tenant_admin", "description": "of a tenant", "grantable": True}
    server.answer("GET /v1/identity/roles", {"roles": [role]})
    assert run("identity", "roles").stdout == "tenant_admin\tof a tenant\tyes\n"
    held = {"user_id": "usr_1", "roles": ["tenant_admin"]}
    server.answer("GET /v1/identity/users/user:mira@example.org/roles", held)
    assert "roles\ttenant_admin" in run("identity", "roles", "user:mira@example.org").stdout
    assert run("identity", "roles", "group:ops").exit_code == 5


def test_roles_are_replaced(run: Any, server: Any) -> None:
    call = "PUT /v1/identity/service-accounts/sa:job/roles"
    server.answer(call, {"user_id": "sa_1", "roles": ["tenant_admin"]})
    assert run("identity", "set-roles", "sa:job", "tenant_admin").exit_code == 0
    assert server.sent(call) == [{"roles": ["tenant_admin"]}]
    assert run("identity", "set-roles", "sa:job").exit_code == 5
    assert run("identity", "set-roles", "sa:job", "--yes").exit_code == 0
    assert server.sent(call)[1:] == [{"roles": []}]


CHANGES: list[tuple[list[str], str, Any]] = [
    (
        ["create", "partner", "North", "--slug", "north"],
        "POST /v1/identity/partners",
        {"name": "North", "slug": "north"},
    ),
    (
        ["create", "tenant", "Shop", "--slug", "shop", "--partner", "ptn_1"],
        "POST /v1/identity/tenants",
        {"name": "Shop", "slug": "shop", "partner_id": "ptn_1"},
    ),
    (
        ["create", "user", "mira@example.org", "--group", "group:a", "--group", "b"],
        "POST /v1/identity/users",
        {"email": "mira@example.org", "groups": ["group:a", "group:b"]},
    ),
    (
        ["create", "service-account", "job", "--scope", "secrets:read", "--display-name", "Job"],
        "POST /v1/identity/service-accounts",
        {"name": "job", "scopes": ["secrets:read"], "display_name": "Job"},
    ),
    (
        ["create", "group", "ops", "--parent", "group:all"],
        "POST /v1/identity/groups",
        {"name": "ops", "parent_id": "group:all"},
    ),
    *(
        (["create", kind, name, *more], f"POST /v1/identity/{kind}s", body)
        for kind, name, more, body in (
            ("user", "user:mira@example.org", [], {"email": "mira@example.org"}),
            ("service-account", "sa:job", ["--scope", "s"], {"name": "job", "scopes": ["s"]}),
            ("group", "group:ops", [], {"name": "ops"}),
        )
    ),
    (
        ["update", "partner", "ptn_1", "--name", "South"],
        "PATCH /v1/identity/partners/ptn_1",
        {"name": "South"},
    ),
    (
        ["update", "tenant", "tnt_1", "--status", "active"],
        "PATCH /v1/identity/tenants/tnt_1",
        {"status": "ACTIVE"},
    ),
    (
        ["update", "user", "usr_1", "--no-groups", "--status", "suspended", "--yes"],
        "PATCH /v1/identity/users/usr_1",
        {"groups": [], "status": "SUSPENDED"},
    ),
    (
        ["update", "service-account", "job", "--scope", "secrets:list"],
        "PATCH /v1/identity/service-accounts/sa:job",
        {"scopes": ["secrets:list"]},
    ),
    (
        ["update", "group", "grp_1", "--no-parent"],
        "PATCH /v1/identity/groups/grp_1",
        {"parent_id": None},
    ),
    (
        ["update", "group", "ops", "--parent", "all"],
        "PATCH /v1/identity/groups/group:ops",
        {"parent_id": "group:all"},
    ),
    (
        ["update", "user", "mira@example.org", "--display-name", "M", "--group", "grp_1"],
        "PATCH /v1/identity/users/user:mira@example.org",
        {"display_name": "M", "groups": ["grp_1"]},
    ),
    (
        ["members", "grp_1", "--add", "sa:job"],
        "POST /v1/identity/groups/grp_1/members",
        {"identity_id": "sa:job"},
    ),
]


@pytest.mark.parametrize(("words", "call", "body"), CHANGES)
def test_changes(run: Any, server: Any, words: list[str], call: str, body: Any) -> None:
    answer = {
        "id": "x_1",
        "identity_id": "x:1",
        "name": "n",
        "email": "e",
        "membership_type": "DIRECT",
    }
    server.answer(call, answer)
    result = run("identity", *words)
    assert result.exit_code == 0, result.stderr
    assert server.sent(call) == [body]
    assert "id\tx_1\n" in result.stdout


GONE = [
    (["delete", "partner", "ptn_1"], "DELETE /v1/identity/partners/ptn_1"),
    (["delete", "tenant", "tnt_1"], "DELETE /v1/identity/tenants/tnt_1?confirm=tnt_1"),
    (["delete", "user", "usr_1"], "DELETE /v1/identity/users/usr_1"),
    (["delete", "service-account", "job"], "DELETE /v1/identity/service-accounts/sa:job"),
    (["delete", "group", "ops"], "DELETE /v1/identity/groups/group:ops"),
    (["members", "grp_1", "--remove", "sa:job"], "DELETE /v1/identity/groups/grp_1/members/sa:job"),
    (["update", "user", "usr_1", "--reset-mfa"], "DELETE /v1/identity/users/usr_1/mfa"),
    (["trust", "delete", "trs_1"], "DELETE /v1/identity/trusts/trs_1"),
    (
        ["sa-credentials", "job", "--end", "cred_1"],
        "DELETE /v1/identity/service-accounts/sa:job/credentials/cred_1",
    ),
]


@pytest.mark.parametrize(("words", "call"), GONE)
def test_what_destroys_wants_a_yes(run: Any, server: Any, words: list[str], call: str) -> None:
    refused = run("identity", *words)
    assert (refused.exit_code, server.requests) == (5, [])
    assert "--yes" in refused.stderr
    server.answer(call, None, 204)
    done = run("identity", *words, "--yes")
    assert (done.exit_code, done.stdout) == (0, ""), done.stderr
    assert [f"{each.method} {each.path}" for each in server.requests] == [call]


def test_at_a_terminal_it_asks(terminal: Any, server: Any) -> None:
    server.answer("DELETE /v1/identity/users/usr_1", None, 204)
    code, _ = terminal(["identity", "delete", "user", "usr_1"], [("Delete user usr_1?", "n")])
    assert (code, server.requests) == (1, [])
    code, _ = terminal(["identity", "delete", "user", "usr_1"], [("Delete user usr_1?", "y")])
    assert (code, len(server.requests)) == (0, 1)


@pytest.mark.parametrize(
    "words",
    [
        ["update", "user", "usr_1", "--status", "SUSPENDED"],
        ["update", "user", "usr_1"],
        ["update", "user", "usr_1", "--group", "a", "--no-groups"],
        ["update", "user", "usr_1", "--reset-mfa", "--display-name", "M", "--yes"],
        ["update", "group", "grp_1", "--parent", "a", "--no-parent"],
        ["members", "grp_1", "--add", "a", "--remove", "b"],
        ["sync", "--history", "--wait"],
        ["create", "service-account", "job"],
        ["create", "robot", "job"],
        ["resolve", "mira"],
        ["revoke-access", "group:ops", "--yes"],
        ["revoke-access", "system:audit", "--yes"],
        ["revoke-access", "user:mira@example.org"],
        ["sa-credentials", "job", "--rotate", "--retire"],
        ["sa-credentials", "job", "--out", "f"],
        ["trust", "create", "ci", "--issuer", "https://ci.example"],
        ["trust", "create", "ci", "--claim", "ref"],
        ["trust", "update", "trs_1"],
    ],
)
def test_what_cannot_be_meant_is_not_sent(run: Any, server: Any, words: list[str]) -> None:
    result = run("identity", *words)
    assert (result.exit_code, result.stdout, server.requests) == (5, "", [])


def test_how_a_tenant_comes_back(run: Any, server: Any) -> None:
    server.answer("DELETE /v1/identity/tenants/tnt_1?confirm=tnt_1", {}, 204)
    told = run("identity", "delete", "tenant", "tnt_1", "--yes").stderr
    assert "identity update tenant tnt_1 --status active undoes this" in told


def test_what_a_trust_lacks_is_told_by_its_flags(run: Any, server: Any) -> None:
    told = run("identity", "trust", "create", "ci", "--issuer", "https://ci.example").stderr
    assert told == "error: usage: a trust needs --subject, --identity, --scope, or --file\n"


# -- sync ---------------------------------------------------------------------------------------

STARTED = {
    "sync_id": "syn_1",
    "status": "running",
    "started_at": "2031-02-03T09:00:00.000000Z",
}


def test_sync(run: Any, server: Any) -> None:
    server.answer("POST /v1/identity/sync?tenant_id=tnt_b", STARTED, 202)
    result = run("identity", "sync", "--tenant", "tnt_b")
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "sync_id\tsyn_1")


@pytest.mark.parametrize(("status", "exit_code"), [("completed", 0), ("failed", 1)])
def test_sync_until_it_is_over(
    run: Any, server: Any, monkeypatch: pytest.MonkeyPatch, status: str, exit_code: int
) -> None:
    monkeypatch.setattr("scaivault.cli.identity.sync._PAUSE", 0.0)
    server.answer("POST /v1/identity/sync", STARTED, 202)
    other = {**STARTED, "sync_id": "syn_0", "status": "failed"}
    history = "GET /v1/identity/sync/history"
    server.answer(history, {"history": [other, STARTED], "total": 2})
    server.answer(history, {"history": [{**STARTED, "status": status}, other], "total": 2})
    result = run("identity", "sync", "--wait", "--json")
    assert (result.exit_code, json.loads(result.stdout)["status"]) == (exit_code, status)


def test_runs_there_were(run: Any, server: Any) -> None:
    error = {"code": "mass_change", "message": "too many"}
    body = {"history": [{**STARTED, "error": error}, STARTED], "total": 2}
    server.answer("GET /v1/identity/sync/history", body)
    first, second = run("identity", "sync", "--history").stdout.splitlines()
    assert first.endswith("running\t-\t-\t-\t-\tmass_change: too many")
    assert second.endswith("running\t-\t-\t-\t-\t-")
    assert json.loads(run("identity", "sync", "--history", "--json").stdout) == body


# -- trusts -------------------------------------------------------------------------------------

TRUST = {
    "id": "trs_1",
    "name": "ci",
    "issuer": "https://ci.example",
    "subject": "repo:a/b:*",
    "identity": "sa:deploy",
    "max_scopes": ["secrets:read"],
    "is_active": True,
}


def test_a_trust_by_flags(run: Any, server: Any, tmp_path: Path) -> None:
    server.answer("POST /v1/identity/trusts", TRUST)
    keys = tmp_path / "keys.json"
    keys.write_text('{"keys": []}')
    flags = (
        *("--issuer", "https://ci.example", "--subject", "repo:a/b:*", "--identity", "deploy"),
        *("--scope", "secrets:read", "--path", "shop/**", "--max-ttl", "15m"),
        *("--claim", "ref=main", "--claim", "ref=next", "--claim", "repo=a/b"),
        *("--jwks-file", str(keys)),
    )
    assert "id\ttrs_1\n" in run("identity", "trust", "create", "ci", *flags).stdout
    assert server.sent("POST /v1/identity/trusts") == [
        {
            "name": "ci",
            "issuer": "https://ci.example",
            "subject": "repo:a/b:*",
            "identity": "sa:deploy",
            "max_scopes": ["secrets:read"],
            "max_ttl": "15m",
            "claims_equal": {"ref": ["main", "next"], "repo": "a/b"},
            "allowed_paths": ["shop/**"],
            "jwks": {"keys": []},
        }
    ]


def test_a_trust_from_a_file_and_a_flag_that_wins(run: Any, server: Any) -> None:
    server.answer("POST /v1/identity/trusts", TRUST)
    described = {
        "issuer": "https://ci.example",
        "subject": "old",
        "identity": "sa:deploy",
        "max_scopes": ["secrets:read"],
        "single_use": True,
    }
    words = ("identity", "trust", "create", "ci", "--file", "-", "--subject", "new")
    assert run(*words, stdin=json.dumps(described)).exit_code == 0
    assert server.sent("POST /v1/identity/trusts") == [
        {"name": "ci", **described, "subject": "new"}
    ]


def test_a_file_clears_what_is_null_in_it_and_a_flag_wins(run: Any, server: Any) -> None:
    server.answer("PATCH /v1/identity/trusts/trs_1", TRUST)
    stdin = json.dumps({"name": "old", "allowed_paths": None})
    words = ("identity", "trust", "update", "trs_1", "--file", "-", "--name", "new")
    assert run(*words, stdin=stdin).exit_code == 0
    assert server.sent("PATCH /v1/identity/trusts/trs_1") == [
        {"name": "new", "allowed_paths": None}
    ]


@pytest.mark.parametrize("name", ["self", "trust_id"])
def test_a_field_that_no_trust_has_is_refused(run: Any, server: Any, name: str) -> None:
    words = ("identity", "trust", "update", "trs_1", "--file", "-")
    result = run(*words, stdin=json.dumps({name: "x"}))
    assert (result.exit_code, server.requests) == (5, [])
    assert f"no field {name}" in result.stderr


def test_a_change_of_nothing_names_the_flags(run: Any) -> None:
    told = run("identity", "update", "partner", "ptn_1").stderr
    assert told == "error: usage: name what to change: --name, --region, --status\n"
    told = run("identity", "update", "group", "ops").stderr
    assert told == "error: usage: name what to change: --display-name, --parent, --no-parent\n"


def test_trusts_are_listed_and_changed(run: Any, server: Any) -> None:
    page = {"trusts": [TRUST], "cursor": None, "has_more": False}
    server.answer("GET /v1/identity/trusts", page)
    line = "trs_1\tci\thttps://ci.example\trepo:a/b:*\tsa:deploy\tyes\n"
    assert run("identity", "trust", "list").stdout == line
    server.answer("PATCH /v1/identity/trusts/trs_1", {**TRUST, "is_active": False})
    assert run("identity", "trust", "update", "trs_1", "--inactive").exit_code == 0
    assert server.sent("PATCH /v1/identity/trusts/trs_1") == [{"is_active": False}]


# -- the end of access --------------------------------------------------------------------------

REVOKED = {
    "identity_id": "user:mira@example.org",
    "revoked_before": "2031-02-03T09:00:00.000000Z",
    "tokens_revoked": 2,
    "credentials_revoked": 0,
    "trusts_disabled": 0,
    "subscriptions_disabled": 0,
    "leases_revoked": 0,
    "leases_pending": 0,
}
REVOKE = "POST /v1/identity/user/user:mira@example.org/revoke-access"
TRAIL = "GET /v1/audit/identities/user:mira@example.org?limit=1"
SUMMARY = {
    "total_events": 9,
    "resources_accessed": ["shop/db", "shop/mail"],
    "truncated": False,
}
REVOKE_WORDS = ("identity", "revoke-access", "user:mira@example.org", "--yes", "--reason", "left")


def test_everything_ends_and_what_was_read_is_told(run: Any, server: Any) -> None:
    server.answer(REVOKE, REVOKED)
    trail = {"identity_id": REVOKED["identity_id"], "identity_type": "user", "summary": SUMMARY}
    server.answer(TRAIL, {**trail, "logs": [], "cursor": None, "has_more": False})
    result = run(*REVOKE_WORDS)
    assert (result.exit_code, result.stderr) == (0, "")
    assert server.sent(REVOKE) == [{"reason": "left"}]
    assert "tokens_revoked\t2\n" in result.stdout
    assert result.stdout.endswith("paths_read\t2\nshop/db\nshop/mail\n")
    document = json.loads(run(*REVOKE_WORDS, "--json").stdout)
    assert document == {**REVOKED, "summary": SUMMARY}


def test_a_log_that_may_not_be_read_stops_nothing(run: Any, server: Any) -> None:
    server.answer(REVOKE, REVOKED)
    server.refuse(TRAIL, 403, "insufficient_scope", "no")
    result = run(*REVOKE_WORDS)
    assert result.exit_code == 0
    assert result.stdout.endswith("paths_read\t-\n")
    assert "access is revoked; what it had read is not known" in result.stderr
    assert json.loads(run(*REVOKE_WORDS, "--json").stdout)["summary"] is None


def test_a_refused_revocation_asks_nothing_more(run: Any, server: Any) -> None:
    server.refuse(REVOKE, 403, "forbidden", "this identity ranks above you")
    result = run(*REVOKE_WORDS)
    assert (result.exit_code, result.stdout, len(server.requests)) == (3, "", 1)
