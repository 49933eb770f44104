"""``scaivault secrets``: what is sent, what is printed, and what never is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaivault.cli.failure import Failure
from scaivault.cli.secrets.compare import differences
from scaivault.cli.values import data_of, parsed

CANARY = "canary7secret7canary"
WHEN = "2031-05-09T06:30:00.000000Z"
READ = "GET /v1/secrets/app/db"
WRITE = "PUT /v1/secrets/app/db"


def secret(data: Any = None, version: int = 4, **more: Any) -> dict[str, Any]:
    return {
        "path": "app/db",
        "secret_type": "kv",
        "version": version,
        "data": data or {},
        "metadata": {},
        "created_at": WHEN,
        "updated_at": WHEN,
        "expires_at": None,
        **more,
    }


WRITTEN = {
    "path": "app/db",
    "version": 5,
    "created": False,
    "previous_version": 4,
    "updated_at": WHEN,
}
INFO = {
    "path": "app/db",
    "secret_type": "kv",
    "current_version": 4,
    "version_count": 2,
    "metadata": {"owner": "team:a", "tags": ["x", "y"]},
    "created_at": WHEN,
    "updated_at": WHEN,
    "expires_at": None,
    "options": {"max_versions": 10},
}


# -- read -----------------------------------------------------------------------------------------


def test_a_value_is_a_table_of_fields(run: Any, server: Any) -> None:
    data = {"user": "a\tb", "port": 5432, "on": True, "list": [1, "x"], "deep": {"k": None}}
    server.answer(READ, secret(data))
    result = run("secrets", "read", "app/db")
    assert result.exit_code == 0
    assert result.stdout == (
        'user\ta\\tb\nport\t5432\non\ttrue\nlist\t[1, "x"]\ndeep\t{"k": null}\n'
    )


@pytest.mark.parametrize(
    ("value", "raw"),
    [
        *(("s3cret", "s3cret"), ("a\nb\n", "a\nb\n"), ("", ""), ("\x1b[2J", "\x1b[2J")),
        *((7, "7"), (1.5, "1.5"), (None, "null"), (["ä"], '["ä"]'), ({"k": 1}, '{"k": 1}')),
        (12345678901234567890123, "12345678901234567890123"),
    ],
)
def test_a_field_in_a_pipe_is_its_bytes_and_nothing_more(
    run: Any, server: Any, value: Any, raw: str
) -> None:
    server.answer(READ, secret({"f": value}))
    assert run("secrets", "read", "app/db", "--field", "f").stdout_bytes == raw.encode()


def test_a_field_at_a_terminal_cannot_steer_it(terminal: Any, server: Any) -> None:
    server.answer(READ, secret({"f": "a\x1b[2J\nb"}))
    assert terminal(["secrets", "read", "app/db", "--field", "f"], []) == (0, "a\\x1b[2J\nb\n")


def test_a_field_that_is_not_there_shows_names_only(run: Any, server: Any) -> None:
    server.answer(READ, secret({"user": CANARY, "pass": CANARY}))
    result = run("secrets", "read", "app/db", "--field", "pw")
    assert (result.exit_code, result.stdout) == (4, "")
    assert "user, pass" in result.stderr
    assert CANARY not in result.stderr


def test_json_is_the_answer_as_it_came(run: Any, server: Any) -> None:
    raw = json.dumps(secret({"n": 1.50, "b": 10**30}), indent=1).encode()
    server.answer(READ, raw)
    assert run("secrets", "read", "app/db", "--json").stdout_bytes == raw + b"\n"


def test_an_older_version(run: Any, server: Any) -> None:
    server.answer(f"{READ}?version=2", secret({"f": "old"}, 2))
    assert run("secrets", "read", "app/db", "--version", "2").stdout == "f\told\n"


@pytest.mark.parametrize(
    ("status", "code", "exit_code"),
    [
        *((404, "secret_not_found", 4), (410, "secret_expired", 1), (401, "token_revoked", 2)),
        *((403, "access_denied", 3), (422, "validation_error", 5), (400, "invalid_path", 5)),
        (409, "federated_read_only", 1),
    ],
)
def test_refusals(run: Any, server: Any, status: int, code: str, exit_code: int) -> None:
    server.refuse(READ, status, code, "no")
    result = run("secrets", "read", "app/db")
    assert (result.exit_code, result.stdout) == (exit_code, "")
    assert result.stderr == f"error: {code}: no (request req_1)\n"
    told = run("--json", "secrets", "read", "app/db")
    assert (told.exit_code, told.stdout) == (exit_code, "")
    assert json.loads(told.stderr)["error"]["code"] == code


@pytest.mark.parametrize(
    "path", ["../../etc/passwd", "a/../b", "./a", "a//b", "/a", "a/", "", "metadata/x", "a/rotate"]
)
def test_a_path_that_leads_elsewhere_is_never_sent(run: Any, server: Any, path: str) -> None:
    for words in (["read"], ["write", "k=v"], ["delete", "--yes"], ["restore"], ["versions"]):
        result = run("secrets", words[0], "--quiet", "--", path, *words[1:2])
        assert (result.exit_code, result.stdout) == (5, ""), words
    assert server.requests == []


# -- write ----------------------------------------------------------------------------------------


def test_values_of_all_kinds(run: Any, server: Any, tmp_path: Path) -> None:
    server.answer(WRITE, WRITTEN)
    (tmp_path / "pem").write_text("line\nline\n")
    (tmp_path / "base.json").write_text('{"a": 1, "deep": {"k": [true, null]}, "b": 2}')
    result = run(
        *("secrets", "write", "app/db", "user=x=y", "empty=", f"cert=@{tmp_path}/pem"),
        *("pass=-", "b=3", "--json-file", str(tmp_path / "base.json")),
        stdin=f"{CANARY}\n",
    )
    assert (result.exit_code, result.stdout) == (0, "app/db\t5\tno\n")
    assert server.sent(WRITE)[0]["data"] == {
        "a": 1,
        "deep": {"k": [True, None]},
        "b": "3",
        "user": "x=y",
        "empty": "",
        "cert": "line\nline",
        "pass": CANARY,
    }
    assert CANARY not in result.output


def test_what_the_documents_print(
    run: Any, server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_text('{"feature": true}')
    monkeypatch.chdir(tmp_path)
    server.answer("PUT /v1/secrets/app/config", {**WRITTEN, "path": "app/config"})
    words = ("write", "app/config", "--type", "json", "--json-file", "./config.json")
    assert run("secrets", *words).exit_code == 0
    sent = server.sent("PUT /v1/secrets/app/config")
    assert sent == [{"data": {"feature": True}, "secret_type": "json"}]


def test_everything_else_that_a_write_says(run: Any, server: Any) -> None:
    server.answer(WRITE, WRITTEN)
    flags = (
        *("--expires-in", "12h", "--tag", "a", "--tag", "b", "--description", "d"),
        *("--owner", "team:x", "--max-versions", "3", "--cas", "4", "--rotation-policy", "rot_1"),
    )
    assert run("secrets", "write", "app/db", "k=v", *flags).exit_code == 0
    assert server.sent(WRITE) == [
        {
            "data": {"k": "v"},
            "metadata": {"tags": ["a", "b"], "description": "d", "owner": "team:x"},
            "options": {
                "expires_in": "12h",
                "max_versions": 3,
                "cas": 4,
                "rotation_policy_id": "rot_1",
            },
        }
    ]
    assert server.requests[0].headers["idempotency-key"]


def test_a_generated_value(run: Any, server: Any) -> None:
    server.answer(WRITE, WRITTEN)
    assert run("secrets", "write", "app/db", "--generate-from", "sp_1").exit_code == 0
    assert server.sent(WRITE) == [{"generate_from": "sp_1"}]


@pytest.mark.parametrize(
    "words",
    [
        *([], [CANARY], [f"={CANARY}"], ["k=v", f"k={CANARY}"], ["a=-", "b=-"]),
        *(["k=v", "--generate-from", "sp"], ["k=v", "--merge", "--cas", "1"]),
        *(["k=@/nonexistent/canary"], ["k=v", "--cas", "-1"], ["k=v", "--type", "blob"]),
        *(["a=-", "--json-file", "-"], ["--json-file", "/nonexistent/canary"]),
    ],
)
def test_a_write_that_is_called_wrongly_sends_and_shows_nothing(
    run: Any, server: Any, words: list[str]
) -> None:
    result = run("secrets", "write", "app/db", *words, stdin=CANARY)
    assert (result.exit_code, result.stdout, server.requests) == (5, "", [])
    assert CANARY not in result.stderr


@pytest.mark.parametrize(
    "content",
    [
        *(f"[{CANARY}]", f'["{CANARY}"]', f'{{"{CANARY}": 1, "{CANARY}": 2}}', f'{{"a": {CANARY}'),
        *('{"a": NaN}', '{"a": 1e999}', '{"a": -Infinity}', '"x"', "", "[" * 100_000),
    ],
)
def test_a_json_file_that_is_none_is_not_shown(
    run: Any, server: Any, tmp_path: Path, content: str
) -> None:
    file = tmp_path / "value.json"
    file.write_text(content)
    result = run("secrets", "write", "app/db", "--json-file", str(file))
    assert (result.exit_code, result.stdout, server.requests) == (5, "", [])
    assert CANARY not in result.stderr
    assert str(file) in result.stderr


def test_a_refused_write_shows_no_value(run: Any, server: Any, tmp_path: Path) -> None:
    server.refuse(WRITE, 422, "validation_error", "bad", fields={"data": "too deep"})
    for extra in ((), ("--json",), ("--debug",)):
        result = run("secrets", "write", "app/db", "pass=-", *extra, stdin=CANARY)
        assert (result.exit_code, result.stdout) == (5, "")
        assert CANARY not in result.stderr
        assert server.token not in result.stderr


def test_a_merge_keeps_what_is_not_named(run: Any, server: Any) -> None:
    server.answer(READ, secret({"a": 1, "b": 2}, metadata={"owner": "team:x", "ticket": 7}))
    server.answer(WRITE, WRITTEN)
    assert run("secrets", "write", "app/db", "--merge", "b=3", "--tag", "t").exit_code == 0
    assert server.sent(WRITE) == [
        {
            "data": {"a": 1, "b": "3"},
            "metadata": {"owner": "team:x", "ticket": 7, "tags": ["t"]},
            "options": {"cas": 4},
        }
    ]


def test_a_merge_reads_again_when_somebody_was_faster(run: Any, server: Any) -> None:
    server.answer(READ, secret({"a": 1}, 4))
    server.answer(READ, secret({"a": 2}, 5))
    error = {"code": "version_conflict", "message": "no", "request_id": "req_1"}
    server.answer(WRITE, {"error": error}, 409)
    server.answer(WRITE, WRITTEN)
    assert run("secrets", "write", "app/db", "--merge", "b=3").exit_code == 0
    assert [each["options"]["cas"] for each in server.sent(WRITE)] == [4, 5]
    assert server.sent(WRITE)[1]["data"] == {"a": 2, "b": "3"}


def test_a_merge_gives_up_in_the_end_and_shows_nothing(run: Any, server: Any) -> None:
    server.answer(READ, secret({"a": CANARY}))
    server.refuse(WRITE, 409, "version_conflict", "somebody else wrote")
    result = run("secrets", "write", "app/db", "--merge", "b=3")
    assert (result.exit_code, result.stdout, len(server.sent(WRITE))) == (1, "", 3)
    assert CANARY not in result.stderr


def test_a_merge_into_nothing_must_stay_the_first(run: Any, server: Any) -> None:
    server.refuse(READ, 404, "secret_not_found", "nothing")
    server.answer(WRITE, {**WRITTEN, "created": True, "version": 1}, 201)
    assert run("secrets", "write", "app/db", "--merge", "b=3").stdout == "app/db\t1\tyes\n"
    assert server.sent(WRITE) == [{"data": {"b": "3"}, "options": {"cas": 0}}]


def test_rotate(run: Any, server: Any) -> None:
    call = "POST /v1/secrets/app/db/rotate"
    server.answer(call, {**WRITTEN, "grace_period_ends": WHEN, "auto_generated": False})
    words = ("rotate", "app/db", "--reason", "leak", "--grace-period", "1h", "pass=-")
    result = run("secrets", *words, stdin=CANARY)
    assert (result.exit_code, result.stdout) == (0, f"app/db\t5\t4\t{WHEN}\n")
    run("secrets", "rotate", "app/db")
    first = {"new_value": {"pass": CANARY}, "reason": "leak", "grace_period": "1h"}
    assert server.sent(call) == [first, {}]


# -- lists ----------------------------------------------------------------------------------------


def item(path: str) -> dict[str, Any]:
    return {
        "path": path,
        "secret_type": "kv",
        "version": 1,
        "updated_at": WHEN,
        "expires_at": None,
        "tags": ["a", "b"],
    }


def page(*paths: str, cursor: str | None = None) -> dict[str, Any]:
    return {
        "secrets": [item(path) for path in paths],
        "cursor": cursor,
        "has_more": cursor is not None,
        "total_count": 3,
    }


def test_a_list_says_that_there_is_more(run: Any, server: Any) -> None:
    server.answer("GET /v1/secrets?prefix=app%2F&limit=2", page("app/a", "app/b", cursor="q1"))
    result = run("secrets", "list", "--prefix", "app/", "--limit", "2")
    assert result.stdout == f"app/a\tkv\t1\t{WHEN}\t-\ta,b\napp/b\tkv\t1\t{WHEN}\t-\ta,b\n"
    assert "3 in all" in result.stderr
    quiet = run("secrets", "list", "--prefix", "app/", "--limit", "2", "--quiet")
    assert quiet.stderr == ""


def test_all_pages_are_one_document(run: Any, server: Any) -> None:
    server.answer("GET /v1/secrets?limit=200", page("app/a", "app/b", cursor="q1"))
    server.answer("GET /v1/secrets?limit=200&cursor=q1", page("app/c"))
    result = run("secrets", "list", "--all", "--json")
    assert json.loads(result.stdout) == page("app/a", "app/b", "app/c")
    assert result.stderr == ""
    assert run("secrets", "list", "--all").stdout.count("\n") == 3


def test_filters_of_a_list(run: Any, server: Any) -> None:
    query = (
        "tag=x&tag=y&secret_type=json&include_expired=true"
        "&include_deleted=true&include_metadata=true"
    )
    server.answer(f"GET /v1/secrets?{query}", page())
    flags = ("--tag", "x", "--tag", "y", "--type", "json", "--expired", "--deleted", "--metadata")
    result = run("secrets", "list", *flags)
    assert (result.exit_code, result.stdout) == (0, "")


def test_a_list_at_a_terminal_has_a_header(terminal: Any, server: Any) -> None:
    server.answer("GET /v1/secrets", page("app/a"))
    code, screen = terminal(["secrets", "list"], [])
    assert code == 0
    assert screen.split("\n")[0].split() == [
        *("PATH", "TYPE", "VERSION", "UPDATED", "EXPIRES", "TAGS")
    ]


def test_colours_are_for_terminals_that_want_them(terminal: Any, server: Any) -> None:
    server.answer("GET /v1/secrets", page("app/a"))
    wanted = terminal(["secrets", "list"], [], NO_COLOR="", TERM="xterm")[1]
    assert wanted.startswith("\x1b[1mPATH")
    plain = terminal(["secrets", "list", "--no-color"], [], NO_COLOR="", TERM="xterm")[1]
    assert "\x1b" not in plain


def test_versions(run: Any, server: Any) -> None:
    versions = [
        {"version": n, "created_at": WHEN, "is_current": n == 2, "created_by": "sa:a"}
        for n in (2, 1)
    ]
    server.answer(f"{READ}/versions", {"path": "app/db", "versions": versions})
    assert run("secrets", "versions", "app/db").stdout == f"2\t{WHEN}\tyes\n1\t{WHEN}\tno\n"


def test_expiring_fetches_every_page(run: Any, server: Any) -> None:
    def soon(path: str, cursor: str | None) -> dict[str, Any]:
        one = {"path": path, "expires_at": WHEN, "days_remaining": 7}
        return {"secrets": [one], "cursor": cursor, "has_more": cursor is not None}

    server.answer("GET /v1/secrets/expiring?days=9&prefix=app%2F", soon("app/a", "q1"))
    server.answer("GET /v1/secrets/expiring?days=9&prefix=app%2F&cursor=q1", soon("app/b", None))
    words = ("expiring", "--days", "9", "--prefix", "app/")
    assert run("secrets", *words).stdout == f"app/a\t{WHEN}\t7\napp/b\t{WHEN}\t7\n"
    document = json.loads(run("secrets", *words, "--json").stdout)
    assert [each["path"] for each in document["secrets"]] == ["app/a", "app/b"]


# -- the rest -------------------------------------------------------------------------------------


def test_metadata_unfolds(run: Any, server: Any) -> None:
    server.answer("GET /v1/secrets/metadata/app/db", INFO)
    lines = run("secrets", "metadata", "app/db").stdout.splitlines()
    assert lines[0] == "path\tapp/db"
    assert {"owner\tteam:a", "tags\tx,y", "current_version\t4"} <= set(lines)


def test_update_says_only_what_is_named(run: Any, server: Any) -> None:
    server.answer("PATCH /v1/secrets/app/db", INFO)
    run("secrets", "update", "app/db", "--owner", "", "--tag", "a", "--max-versions", "5")
    run("secrets", "update", "app/db", "--tag", "")
    assert server.sent("PATCH /v1/secrets/app/db") == [
        {"metadata": {"tags": ["a"], "owner": None}, "options": {"max_versions": 5}},
        {"metadata": {"tags": []}},
    ]
    assert run("secrets", "update", "app/db").exit_code == 5


@pytest.mark.parametrize(
    ("flags", "query"),
    [([], ""), (["--hard"], "?permanent=true"), (["--version", "2"], "?version=2")],
)
def test_delete(run: Any, server: Any, flags: list[str], query: str) -> None:
    gone = {"path": "app/db", "deleted": True, "permanent": bool(flags)}
    server.answer(f"DELETE /v1/secrets/app/db{query}", gone)
    assert run("secrets", "delete", "app/db", *flags).exit_code == 5
    assert server.requests == []
    assert run("secrets", "delete", "app/db", *flags, "--yes").exit_code == 0


def test_delete_asks_at_a_terminal(terminal: Any, server: Any) -> None:
    server.answer(
        "DELETE /v1/secrets/app/db?permanent=true",
        {"path": "app/db", "deleted": True, "permanent": True},
    )
    words = ["secrets", "delete", "app/db", "--hard"]
    assert terminal(words, [("for good? [y/N]", "n")])[0] == 1
    assert server.requests == []
    assert terminal(words, [("for good? [y/N]", "y")])[0] == 0


def test_delete_both_ways_is_none(run: Any, server: Any) -> None:
    assert run("secrets", "delete", "app/db", "--hard", "--version", "1", "--yes").exit_code == 5
    assert server.requests == []


def test_restore(run: Any, server: Any) -> None:
    server.answer("POST /v1/secrets/app/db/restore", INFO)
    assert "current_version\t4" in run("secrets", "restore", "app/db").stdout


def test_diff_shows_names_only(run: Any, server: Any) -> None:
    server.answer(f"{READ}?version=1", secret({"a": CANARY, "b": 1, "same": "x"}, 1))
    server.answer(f"{READ}?version=2", secret({"b": CANARY, "c": 2, "same": "x"}, 2))
    result = run("secrets", "diff", "app/db", "1", "2")
    assert result.stdout == "a\tremoved\nb\tchanged\nc\tadded\n"
    document = run("secrets", "diff", "app/db", "1", "2", "--json")
    assert CANARY not in result.output + document.output
    shown = run("secrets", "diff", "app/db", "1", "2", "--values")
    assert shown.stdout == f"a\tremoved\t{CANARY}\t-\nb\tchanged\t1\t{CANARY}\nc\tadded\t-\t2\n"


@pytest.mark.parametrize(("old", "new"), [(1, 1.0), (1, True), ("1", 1), (None, "null"), ([], {})])
def test_values_that_python_or_text_take_for_equal_differ(old: Any, new: Any) -> None:
    assert [kind for _, kind, _, _ in differences({"a": old}, {"a": new})] == ["changed"]
    assert differences({"a": old}, {"a": old}) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
DATA = st.dictionaries(st.sampled_from("abcd"), JSON)


@given(DATA, DATA)
def test_differences_lead_from_one_to_the_other(before: Any, after: Any) -> None:
    made = dict(before)
    for name, kind, old, new in differences(before, after):
        assert (kind == "added") == (name not in before)
        assert kind == "added" or before[name] == old
        if kind == "removed":
            del made[name]
        else:
            made[name] = new
    assert made == after


def test_copy_takes_nothing_over(run: Any, server: Any) -> None:
    found = secret({"a": CANARY}, secret_type="api_key", metadata={"owner": "team:x"})
    server.answer(READ, found)
    server.answer("PUT /v1/secrets/app/new", {**WRITTEN, "path": "app/new"})
    result = run("secrets", "copy", "app/db", "app/new")
    assert (result.exit_code, result.stdout) == (0, "app/new\t5\tno\n")
    run("secrets", "copy", "app/db", "app/new", "--force")
    body = {"data": {"a": CANARY}, "secret_type": "api_key", "metadata": {"owner": "team:x"}}
    assert server.sent("PUT /v1/secrets/app/new") == [{**body, "options": {"cas": 0}}, body]


def test_a_refused_copy_shows_no_value(run: Any, server: Any) -> None:
    server.answer(READ, secret({"a": CANARY}))
    server.refuse("PUT /v1/secrets/app/new", 409, "version_conflict", "there is one")
    result = run("secrets", "copy", "app/db", "app/new")
    assert (result.exit_code, result.stdout) == (1, "")
    assert CANARY not in result.stderr
    assert result.stderr.startswith("app/new is there already; --force makes a new version of it\n")
    enveloped = run("secrets", "copy", "app/db", "app/new", "--json")
    assert json.loads(enveloped.stderr)["error"]["code"] == "version_conflict"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("GET /v1/partner/secrets/a", ["read", "a"]),
        ("PUT /v1/partner/secrets/a", ["write", "a", "k=v"]),
        ("GET /v1/partner/secrets", ["list"]),
        ("DELETE /v1/partner/secrets/a", ["delete", "a", "--yes"]),
        ("GET /v1/partner/secrets/a/versions", ["versions", "a"]),
        ("POST /v1/partner/secrets/a/rotate", ["rotate", "a", "k=v"]),
        ("GET /v1/partner/secrets/expiring?days=30", ["expiring"]),
        ("GET /v1/partner/secrets/metadata/a", ["metadata", "a"]),
        ("PATCH /v1/partner/secrets/a", ["update", "a", "--owner", "x"]),
        ("POST /v1/partner/secrets/a/restore", ["restore", "a"]),
        ("GET /v1/partner/secrets/a", ["edit", "a"]),
        ("GET /v1/partner/secrets/a?version=1", ["diff", "a", "1", "2"]),
        ("GET /v1/partner/secrets/a", ["copy", "a", "b"]),
    ],
)
def test_every_command_knows_the_partners_secrets(
    run: Any, server: Any, call: str, words: list[str]
) -> None:
    server.refuse(call, 403, "forbidden", "no")
    assert run("secrets", *words, "--partner").exit_code == 3
    assert [f"{each.method} {each.path}" for each in server.requests] == [call]


# -- values ---------------------------------------------------------------------------------------


@given(JSON)
def test_json_is_read_as_it_was_written(value: Any) -> None:
    assert parsed(json.dumps(value)) == value


@given(st.dictionaries(st.text(st.characters(exclude_characters="="), min_size=1), st.text()))
def test_pairs_become_fields(fields: dict[str, str]) -> None:
    plain = {k: v for k, v in fields.items() if v != "-" and not v.startswith("@")}
    assert data_of([f"{name}={value}" for name, value in plain.items()], None) == plain


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key.der"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(Failure, match="UTF-8"):
        data_of([f"k=@{file}"], None)
