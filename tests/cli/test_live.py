"""The commands against a server that really runs: what canned answers cannot prove."""

from __future__ import annotations

from typing import Any

CANARY = "canary7secret7canary"


def test_the_life_of_a_secret(vault: Any) -> None:
    write = ("secrets", "write", "life/db")
    assert vault(*write, "user=a", "pass=-", "--tag", "pci", stdin=CANARY) == "life/db\t1\tyes\n"
    vault(*write, "--merge", "user=b", "--owner", "team:x")
    assert vault("secrets", "read", "life/db", "--field", "pass") == CANARY
    assert vault("secrets", "diff", "life/db", "1", "2") == "user\tchanged\n"
    rotated = vault("secrets", "rotate", "life/db", "pass=new", "--grace-period", "1h", "--json")
    assert (rotated["version"], rotated["previous_version"]) == (3, 2)
    assert vault("secrets", "versions", "life/db").count("\n") == 3
    info = vault("secrets", "metadata", "life/db", "--json")
    assert info["metadata"] == {"tags": ["pci"], "owner": "team:x"}
    vault("secrets", "update", "life/db", "--tag", "eu", "--owner", "")
    assert vault("secrets", "list", "--tag", "eu", "--json")["total_count"] == 1
    vault("secrets", "copy", "life/db", "life/copy")
    vault("secrets", "copy", "life/db", "life/copy", exits=1)
    vault("secrets", "delete", "life/db", "--yes")
    vault("secrets", "read", "life/db", exits=4)
    vault("secrets", "restore", "life/db")
    vault("secrets", "delete", "life/db", "--hard", "--yes")
    vault("secrets", "restore", "life/db", exits=4)


def test_what_is_over_soon_and_all_pages(vault: Any) -> None:
    for n in range(5):
        vault("secrets", "write", f"pages/s{n}", "k=v", "--expires-in", f"{n + 1}d")
    soon = vault("secrets", "expiring", "--days", "3", "--prefix", "pages/", "--json")
    assert [each["days_remaining"] for each in soon["secrets"]] == [1, 2, 3]
    whole = vault("secrets", "list", "--prefix", "pages/", "--limit", "2", "--all", "--json")
    assert len(whole["secrets"]) == whole["total_count"] == 5
    assert (whole["cursor"], whole["has_more"]) == (None, False)


def test_secrets_of_the_partner_are_others(vault: Any) -> None:
    vault("secrets", "write", "shared/ca", "k=v", "--partner")
    assert vault("secrets", "read", "shared/ca", "--partner", "--json")["scope"] == "partner"
    vault("secrets", "read", "shared/ca", exits=4)


def test_edit(vault: Any) -> None:
    vault("secrets", "write", "edit/db", "pass=old")
    editor = "sed -i s/old/new/"
    assert vault("secrets", "edit", "edit/db", VISUAL=editor) == "edit/db\t2\tno\n"
    assert vault("secrets", "read", "edit/db", "--field", "pass") == "new"


def test_policies(vault: Any) -> None:
    made = vault("policies", "create", "readers", "--rule", "life/**=read,list", "--json")
    assert vault("policies", "bind", made["id"], "sa:job", "--expires", "2h").count("\t") == 3
    question = ("policies", "test", "sa:job", "life/db")
    vault(*question, "read")
    vault(*question, "write", exits=3)
    assert "sa:job\treaders" in vault("policies", "who-can", "life/db", "read")
    assert "life/**\tread,list\treaders" in vault("policies", "effective", "sa:job")
    vault("policies", "update", made["id"], "--inactive")
    vault(*question, "read", exits=3)
    vault("policies", "delete", made["id"], "--yes", exits=1)
    vault("policies", "delete", made["id"], "--yes", "--force")
    vault("policies", "get", made["id"], exits=4)


def test_audit(vault: Any) -> None:
    vault("secrets", "write", "audit/db", "k=v")
    vault("secrets", "read", "audit/db", "--version", "9", exits=4)
    rows = vault("audit", "logs", "--path", "audit/", "--failed", "--json")["logs"]
    assert [(each["action"], each["extra_data"]["error_code"]) for each in rows] == [
        ("read", "version_not_found")
    ]
    trail = vault("audit", "secret", "audit/db", "--json")
    assert trail["summary"]["writes"] == 1
    assert "write\tsa:root\taudit/db" in vault("audit", "identity", "sa:root", "--all")
    assert "total_events" in vault("audit", "summary")
    assert vault("audit", "verify").startswith("valid\tyes\n")


def test_who_one_is_and_is_no_more(vault: Any) -> None:
    assert vault("auth", "whoami", "--json")["identity_id"] == "sa:root"
    vault("auth", "logout")
    vault("auth", "whoami", exits=2)
