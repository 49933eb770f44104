"""``scaivault policies``: what is sent, what is printed, and exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scaivault.clock import HOUR, MINUTE, SystemClock, parse_instant

WHEN = "2031-05-09T06:30:00.000000Z"
BASE = "/v1/policies"
RULE = {"path_pattern": "app/**", "permissions": ["read", "list"]}
BOUND = {
    "id": "bind_1",
    "policy_id": "pol_1",
    "identity_type": "user",
    "identity_id": "user:a@example.org",
    "tenant_id": "tnt_a",
    "expires_at": None,
    "created_at": WHEN,
    "created_by": "sa:root",
}
POLICY = {
    "id": "pol_1",
    "name": "readers",
    "description": "",
    "scope": "tenant",
    "rules": [RULE],
    "is_active": True,
    "bindings": [BOUND],
    "created_at": WHEN,
    "updated_at": WHEN,
    "created_by": "sa:root",
}
BINDING_LINE = "bind_1\tuser\tuser:a@example.org\t-\n"


def page(name: str, items: list[Any], cursor: str | None = None) -> dict[str, Any]:
    return {name: items, "cursor": cursor, "has_more": cursor is not None}


def test_list(run: Any, server: Any) -> None:
    item = {**POLICY, "rule_count": 1, "binding_count": 2}
    server.answer(f"GET {BASE}?scope=tenant&include_inactive=true", page("policies", [item]))
    result = run("policies", "list", "--scope", "tenant", "--inactive")
    assert (result.exit_code, result.stdout) == (0, "pol_1\treaders\t1\t2\tyes\n")


def test_list_says_that_there_is_more_or_fetches_it(run: Any, server: Any) -> None:
    server.answer(f"GET {BASE}", page("policies", [POLICY], "q1"))
    assert "--all" in run("policies", "list").stderr
    server.answer(f"GET {BASE}?limit=200", page("policies", [POLICY], "q1"))
    server.answer(f"GET {BASE}?limit=200&cursor=q1", page("policies", [POLICY]))
    document = json.loads(run("policies", "list", "--all", "--json").stdout)
    assert document == page("policies", [POLICY, POLICY])


def test_get_shows_rules_and_bindings(run: Any, server: Any) -> None:
    server.answer(f"GET {BASE}/pol_1", POLICY)
    out = run("policies", "get", "pol_1").stdout
    assert "name\treaders\n" in out
    assert "app/**\tread,list\t-\n" in out
    assert out.endswith(BINDING_LINE)


def test_create_by_rules(run: Any, server: Any) -> None:
    server.answer(f"POST {BASE}", POLICY, 201)
    words = ("--rule", "app/**=read,list", "--rule", "x=admin", "--description", "d")
    assert run("policies", "create", "readers", *words, "--scope", "partner").exit_code == 0
    assert server.sent(f"POST {BASE}") == [
        {
            "name": "readers",
            "rules": [RULE, {"path_pattern": "x", "permissions": ["admin"]}],
            "description": "d",
            "scope": "partner",
        }
    ]


@pytest.mark.parametrize("wrap", [False, True])
def test_create_by_file(run: Any, server: Any, tmp_path: Path, wrap: bool) -> None:
    server.answer(f"POST {BASE}", POLICY, 201)
    rule = {**RULE, "conditions": {"ip_ranges": ["198.51.100.0/24"]}}
    file = tmp_path / "policy.json"
    file.write_text(json.dumps({"rules": [rule], "description": "d"} if wrap else [rule]))
    assert run("policies", "create", "readers", "--file", str(file)).exit_code == 0
    more = {"description": "d"} if wrap else {}
    assert server.sent(f"POST {BASE}") == [{"name": "readers", "rules": [rule], **more}]


@pytest.mark.parametrize(
    ("words", "content"),
    [
        *(([], None), (["--rule", "app"], None), (["--rule", "=read"], None)),
        *((["--rule", "a="], None), (["--rule", "a=read,"], None), (["--file", "-"], "x")),
        *((["--file", "-"], '"x"'), (["--file", "-"], '{"rulez": []}')),
        *((["--file", "-"], "[]"), (["--file", "-"], '{"rules": [{}], "name": "other"}')),
        (["--file", "-", "--rule", "a=read"], '{"rules": 7}'),
    ],
)
def test_create_called_wrongly(
    run: Any, server: Any, words: list[str], content: str | None
) -> None:
    result = run("policies", "create", "readers", *words, stdin=content or "")
    assert (result.exit_code, result.stdout, server.requests) == (5, "", [])


def test_update_says_only_what_is_named(run: Any, server: Any) -> None:
    server.answer(f"PATCH {BASE}/pol_1", POLICY)
    run("policies", "update", "pol_1", "--inactive")
    run("policies", "update", "pol_1", "--name", "n", "--description", "", "--rule", "a=read")
    rule = {"path_pattern": "a", "permissions": ["read"]}
    assert server.sent(f"PATCH {BASE}/pol_1") == [
        {"is_active": False},
        {"rules": [rule], "name": "n", "description": ""},
    ]
    assert run("policies", "update", "pol_1").exit_code == 5
    scoped = run("policies", "update", "pol_1", "--file", "-", stdin='{"scope": "partner"}')
    assert scoped.exit_code == 5


def test_delete_asks_and_forces(run: Any, server: Any) -> None:
    server.refuse(f"DELETE {BASE}/pol_1", 409, "policy_in_use", "bound", binding_count=1)
    server.answer(f"DELETE {BASE}/pol_1?force=true", None, 204)
    assert run("policies", "delete", "pol_1").exit_code == 5
    assert server.requests == []
    assert run("policies", "delete", "pol_1", "--yes").exit_code == 1
    result = run("policies", "delete", "pol_1", "--yes", "--force", "--json")
    assert (result.exit_code, result.stdout) == (0, "")


@pytest.mark.parametrize(
    ("identity", "kind"),
    [
        *(("user:a@example.org", "user"), ("usr_1", "user"), ("group:night", "group")),
        *(("grp_1", "group"), ("sa:job", "service_account"), ("sa_1", "service_account")),
        *(("system:dynamic-engines", "service_account"), ("dynamic:pg", "service_account")),
    ],
)
def test_bind_knows_the_type_by_the_form(run: Any, server: Any, identity: str, kind: str) -> None:
    server.answer(f"POST {BASE}/pol_1/bindings", BOUND, 201)
    assert run("policies", "bind", "pol_1", identity).stdout == BINDING_LINE
    sent = server.sent(f"POST {BASE}/pol_1/bindings")
    assert sent == [{"identity_type": kind, "identity_id": identity}]


def test_bind_for_a_time(run: Any, server: Any) -> None:
    call = f"POST {BASE}/pol_1/bindings"
    server.answer(call, BOUND, 201)
    for until in ("2h", WHEN, "2031-05-09"):
        assert run("policies", "bind", "pol_1", "sa:job", "--expires", until).exit_code == 0
    first, *others = [each["expires_at"] for each in server.sent(call)]
    assert others == [WHEN, "2031-05-09"]
    assert abs(parse_instant(first) - SystemClock().now() - 2 * HOUR) < 5 * MINUTE


@pytest.mark.parametrize("words", [["mira"], ["team:x"], ["sa:job", "--expires", "2x"]])
def test_bind_called_wrongly(run: Any, server: Any, words: list[str]) -> None:
    assert run("policies", "bind", "pol_1", *words).exit_code == 5
    assert server.requests == []


def test_unbind_and_bindings(run: Any, server: Any) -> None:
    server.answer(f"DELETE {BASE}/pol_1/bindings/bind_1", None, 204)
    assert run("policies", "unbind", "pol_1", "bind_1").exit_code == 5
    assert run("policies", "unbind", "pol_1", "bind_1", "--yes").exit_code == 0
    server.answer(f"GET {BASE}/pol_1/bindings?limit=200", page("bindings", [BOUND], "q1"))
    server.answer(f"GET {BASE}/pol_1/bindings?limit=200&cursor=q1", page("bindings", [BOUND]))
    assert run("policies", "bindings", "pol_1").stdout == BINDING_LINE * 2


@pytest.mark.parametrize("bad", ["../../system/seal", "a/b", "..", "?x=1", "%2e%2e"])
def test_an_id_leads_nowhere_else(run: Any, server: Any, bad: str) -> None:
    for words in (["get", bad], ["delete", bad, "--yes"], ["unbind", "pol_1", bad, "--yes"]):
        assert run("policies", *words).exit_code in (4, 5)
    for request in server.requests:
        own = request.path.removeprefix(f"{BASE}/").removeprefix("pol_1/bindings/")
        assert "/" not in own
        assert "?" not in own


@pytest.mark.parametrize(("allowed", "exit_code"), [(True, 0), (False, 3), (None, 3), ("yes", 3)])
def test_a_question_is_answered_by_the_exit_code(
    run: Any, server: Any, allowed: Any, exit_code: int
) -> None:
    matched = {"name": "readers", "path_pattern": "app/**", "via": "sa:job", "rule_index": 0}
    body = {
        "allowed": allowed,
        "permission": "read",
        "path": "app/db",
        "reason": "granted",
        "matched_rule": matched if allowed else None,
        "evaluated": [],
    }
    server.answer(f"POST {BASE}/test", body)
    words = ("sa:job", "app/db", "read", "--ip", "192.0.2.1", "--at", WHEN, "--mfa")
    result = run("policies", "test", *words)
    assert (result.exit_code, result.stderr) == (exit_code, "")
    run("policies", "test", "sa:job", "app/db", "read")
    asked = {"identity_id": "sa:job", "path": "app/db", "permission": "read"}
    context = {"source_ip": "192.0.2.1", "mfa_verified": True, "timestamp": WHEN}
    assert server.sent(f"POST {BASE}/test") == [{**asked, "context": context}, asked]


def test_who_can(run: Any, server: Any) -> None:
    via = {"policy_name": "readers", "group": "group:night", "conditions": {"require_mfa": True}}
    role = {"policy_name": None, "role": "tenant_admin", "conditions": None}
    people = [{"identity_type": "user", "identity_id": "user:a@example.org", "via": [via, role]}]
    server.answer(
        f"GET {BASE}/who-can?path=app%2Fdb&permission=read&limit=200", page("identities", people)
    )
    assert run("policies", "who-can", "app/db", "read").stdout == (
        'user:a@example.org\treaders, group:night\t{"require_mfa": true}\t-\n'
        "user:a@example.org\trole tenant_admin\t-\t-\n"
    )


def test_effective(run: Any, server: Any) -> None:
    rule = {**RULE, "policy_name": "readers", "conditions": None, "expires_at": WHEN}
    body = {
        "identity_type": "service_account",
        "identity_id": "sa:job",
        "groups": [],
        "roles": ["tenant_admin"],
        "rules": [rule],
    }
    server.answer(f"GET {BASE}/effective?identity_id=sa%3Ajob", body)
    server.answer(f"GET {BASE}/effective", body)
    expected = f"**\tadmin\trole tenant_admin\t-\t-\napp/**\tread,list\treaders\t-\t{WHEN}\n"
    assert run("policies", "effective", "sa:job").stdout == expected
    assert run("policies", "effective").stdout == expected
