"""Writes the reference in docs/reference/: what the code says of itself, and nothing besides.

Commands come from click, endpoints from the OpenAPI document, codes from ``scaivault.errors``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, Final

import click

from scaivault.cli import failure
from scaivault.cli.main import scaivault
from scaivault.cli.session import client_flags, common_flags
from scaivault.errors import CODES
from scaivault.http.openapi import document
from scaivault.http.routes import ROUTES

FOLDER: Final = Path(__file__).parents[1] / "docs" / "reference"
_NOTE: Final = "<!-- Written by scripts/docs from the code; change that instead. -->"
Json = dict[str, Any]

# What each code that this version answers with means, and what helps. One line each.
MEANING: Final = {
    "invalid_request": "The request cannot be read; `details.reason` says what of it.",
    "invalid_path": "The secret's path breaks the grammar of paths.",
    "invalid_secret_type": "There is no such type of secret.",
    "invalid_duration": "A duration is malformed or out of its range.",
    "invalid_cursor": "The cursor is old, altered, or of another list. Begin again without it.",
    "invalid_policy": "A rule, a condition or a binding is wrong: `details.field`.",
    "invalid_glob": "The pattern breaks the grammar of patterns: `details.reason`.",
    "invalid_role": "There is no such role.",
    "authentication_required": "There is no token. Send one `Authorization: Bearer` header.",
    "token_expired": "The token is over. Get a new one.",
    "token_invalid": "The token, or the client's id and secret, are not known here.",
    "token_revoked": "The token was revoked or its account suspended. Get a new one.",
    "unseal_failed": "No slot opens with this credential. All wrong ones are answered alike.",
    "access_denied": "No policy allows this on the path, or the token is narrowed to others. "
    "Told whether or not something is there.",
    "insufficient_scope": "The token lacks `details.required_scope`.",
    "mfa_required": "The rule, or the call, wants a fresh second factor; or the code was wrong.",
    "ip_not_allowed": "The rule, or the token, does not allow the caller's address.",
    "time_window_violation": "The rule does not allow this hour.",
    "tenant_access_denied": "The tenant named is not yours to act in.",
    "forbidden": "Role, place or state forbid it: `details.required_role` or `details.reason`.",
    "not_found": "There is no such endpoint.",
    "secret_not_found": "Nothing is stored at this path.",
    "version_not_found": "The secret has no such version, or it cannot be read any more.",
    "tenant_not_found": "There is no such tenant.",
    "partner_not_found": "There is no such partner.",
    "identity_not_found": "There is no such service account or group.",
    "policy_not_found": "There is no such access policy.",
    "binding_not_found": "The policy has no such binding.",
    "export_not_found": "There is no such export.",
    "credential_not_found": "The service account has no such credential.",
    "token_not_found": "There is no such token, or none that is yours to see.",
    "trust_not_found": "There is no such trust, or none that is yours to see.",
    "slot_not_found": "There is no such slot. `operator slots list` shows them.",
    "rotation_policy_not_found": "There is no such rotation policy; there are none yet.",
    "secret_policy_not_found": "There is no such secret policy; there are none yet.",
    "method_not_allowed": "The endpoint takes other methods: `details.allowed`.",
    "secret_exists": "Something is at the path already, or a deleted secret is kept there.",
    "version_conflict": "Somebody else wrote first. Read again, then decide.",
    "policy_in_use": "The policy is bound; `force=true` removes its bindings too.",
    "already_exists": "The name is taken.",
    "in_use": "Something still hangs on it; end that first.",
    "invalid_state": "The state of the thing forbids it: `details.reason`.",
    "idempotency_conflict": "The Idempotency-Key was used with another body. Take a new key.",
    "secret_expired": "The secret is past its expiry. Write a new version.",
    "payload_too_large": "Larger than `server.max_body`; than 64 KiB without a token.",
    "validation_error": "Fields are at fault; `details.fields` names each with its fault.",
    "rate_limited": "Too many calls. Wait `Retry-After` seconds.",
    "internal_error": "The server failed. The log has the `request_id`.",
    "upstream_error": "What stands behind a slot (a file, a credential), or the cluster that a"
    " token is from, failed: `details.backend`.",
    "service_unavailable": "The audit row cannot be written, so nothing was done.",
    "sealed": "The vault is sealed. Somebody has to unseal it.",
    "not_initialized": "There is no vault yet. `operator init` makes one.",
}
_EXITS: Final = (
    (0, "success"),
    (failure.GENERAL, "anything not named below, the network included"),
    (failure.AUTHENTICATION, "authentication (401)"),
    (failure.AUTHORISATION, "authorisation (403)"),
    (failure.NOT_FOUND, "not found (404)"),
    (failure.USAGE, "validation (400, 422), usage, configuration"),
    (failure.START_REFUSED, "the start was refused"),
    (failure.DAMAGE, "damage was found"),
    (failure.SEALED, "sealed (`operator status` only)"),
    (failure.NOT_INITIALIZED, "not initialised (`operator status` only)"),
)


# -- commands -------------------------------------------------------------------------------------


def cli() -> str:
    """docs/reference/cli.md"""
    common = _options(common_flags(click.Command("any")))[::-1]
    every = _options(client_flags(click.Command("any")))[::-1]
    client = [option for option in every if option.name not in {each.name for each in common}]
    lines = [
        "# Commands",
        "",
        _NOTE,
        "",
        "A secret is an argument only where somebody makes it one (`k=v`, `--token T`): everywhere",
        "else it is typed at a prompt or read from a file (`-`: stdin). How to work with them:",
        "[the guide](../guide/cli.md).",
        "",
        "## Flags of every command",
        "",
        *_table(("Flag", "Meaning"), map(_row, common)),
        "",
        "All but `serve`, `operator` and `completion` also take:",
        "",
        *_table(("Flag", "Meaning"), map(_row, client)),
        "",
        "## Exit codes",
        "",
        *_table(("Code", "Meaning"), ((str(code), text) for code, text in _EXITS)),
        "",
        *_commands(
            scaivault,
            click.Context(scaivault, info_name="scaivault"),
            [option.name for option in every],
        ),
    ]
    return _text(lines)


def _commands(
    command: click.Command, context: click.Context, common: Collection[str | None]
) -> Iterator[str]:
    yield f"## {context.command_path}"
    yield ""
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"```\n{context.command_path} {usage}\n```"
    yield ""
    yield from _help(command)
    own = [option for option in _options(command) if option.name not in common]
    if own:
        yield from _table(("Option", "Meaning"), map(_row, own))
        yield ""
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None:
                path = click.Context(inner, info_name=name, parent=context)
                yield from _commands(inner, path, common)


def _help(command: click.Command) -> Iterator[str]:
    for paragraph in (command.help or "").split("\n\n"):
        yield " ".join(paragraph.split())
        yield ""


def _options(command: click.Command) -> list[click.Option]:
    return [
        option
        for option in command.params
        if isinstance(option, click.Option) and not option.hidden and not option.is_eager
    ]


def _row(option: click.Option) -> tuple[str, str]:
    names = ", ".join((*option.opts, *option.secondary_opts))
    value = "" if option.is_flag else f" {option.metavar or 'VALUE'}"
    more = " Repeatable." if option.multiple else ""
    return f"`{names}{value}`", (option.help or "") + more


# -- endpoints ------------------------------------------------------------------------------------


def api() -> str:
    """docs/reference/api.md"""
    made = document(ROUTES)
    lines = [
        "# Endpoints",
        "",
        _NOTE,
        "",
        "For programs: `GET /v1/openapi.json` (OpenAPI 3.1). Codes: [errors.md](errors.md).",
        "Routes of secrets and of audit can also be called as `/v1/t/{tenant_id}/…`.",
        "",
    ]
    for tag in made["tags"]:
        lines += [f"## {tag['name']}", "", tag["description"], ""]
        for path, operations in made["paths"].items():
            for method, operation in operations.items():
                if tag["name"] in operation["tags"]:
                    lines += _endpoint(method.upper(), path, operation)
    lines += ["## Types", ""]
    for name, schema in sorted(made["components"]["schemas"].items()):
        lines += _type(name, schema)
    return _text(lines)


def _endpoint(method: str, path: str, operation: Json) -> Iterator[str]:
    yield f"### {method} {path}"
    yield ""
    yield operation["summary"]
    yield ""
    rows = [("Token", _token(operation))]
    if action := operation.get("x-audit-action"):
        rows.append(("Audit action", f"`{action}`"))
    rows += [
        (f"`{each['name']}` ({each['in']})", _field(each["schema"], each.get("description", "")))
        for each in operation["parameters"]
        if "$ref" not in each
    ]
    if "requestBody" in operation:
        contents = operation["requestBody"]["content"]
        rows.append(
            ("Body", " or ".join(f"{kind}: {_kind(contents[kind]['schema'])}" for kind in contents))
        )
    rows += [(status, _answer(each)) for status, each in operation["responses"].items()]
    yield from _table(("", ""), rows)
    yield ""


def _token(operation: Json) -> str:
    if not operation["security"]:
        return "none"
    scopes = operation["security"][0]["bearer"]
    return "scope " + " or ".join(f"`{scope}`" for scope in scopes) if scopes else "any"


def _answer(response: Json) -> str:
    if "x-codes" in response:
        return ", ".join(f"`{code}`" for code in response["x-codes"])
    kinds = [_kind(each["schema"]) for each in response.get("content", {}).values()]
    return kinds[0] if kinds else "no body"


def _type(name: str, schema: Json) -> Iterator[str]:
    yield f"### {name}"
    yield ""
    if schema.get("description"):
        yield schema["description"]
        yield ""
    required = schema.get("required", ())
    rows = [
        (
            f"`{field}`" + (", required" if field in required else ""),
            _field(each, each.get("description", "")),
        )
        for field, each in schema.get("properties", {}).items()
    ]
    if rows:
        yield from _table(("Field", ""), rows)
        yield ""


def _field(schema: Json, about: str) -> str:
    default = schema.get("default", ...)
    shown = "" if default in (..., None, {}) else f", else `{default}`"
    return f"{_kind(schema)}{shown}" + (f": {about}" if about else "")


def _kind(schema: Json) -> str:
    """A schema in few words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        anchor = re.sub(r"[^\w\- ]", "", name.lower())
        return f"[{name}](#{anchor})"
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return " or ".join(f"`{each}`" for each in schema["enum"])
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return " or ".join(dict.fromkeys(map(_kind, schema[choice])))
    kind = schema.get("type", "anything")
    if isinstance(kind, list):
        return " or ".join(kind)
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    bounds = [
        f"{word} {schema[key]}"
        for key, word in (
            ("minimum", "from"), ("maximum", "to"), ("minLength", "at least"),
            ("maxLength", "at most"), ("minItems", "at least"), ("maxItems", "at most"),
        )
        if key in schema and schema[key] != 2**53 - 1
    ]  # fmt: skip
    return f"{kind} ({', '.join(bounds)})" if bounds else str(kind)


# -- codes ----------------------------------------------------------------------------------------


def errors() -> str:
    """docs/reference/errors.md"""
    missing = _answered() - MEANING.keys()
    if missing:
        raise SystemExit(f"scripts/reference.py: MEANING lacks {', '.join(sorted(missing))}")
    later = [f"`{code}`" for code in CODES if code not in MEANING]
    lines = [
        "# Error codes",
        "",
        _NOTE,
        "",
        'A refusal is `{"error": {"code", "message", "details", "request_id"}}`. Programs branch',
        "on `code`; `message` is for people and may change.",
        "`POST /oauth/token` refuses as RFC 6749 section 5.2 says: `error`, `error_description`.",
        "",
        *_table(
            ("Status", "Code", "Meaning"),
            ((str(CODES[code]), f"`{code}`", MEANING[code]) for code in CODES if code in MEANING),
        ),
        "",
        "Taken already, but not answered by this version: " + ", ".join(later) + ".",
    ]
    return _text(lines)


def _answered() -> set[str]:
    """Every code that some endpoint names."""
    return {
        code
        for operations in document(ROUTES)["paths"].values()
        for operation in operations.values()
        for response in operation["responses"].values()
        for code in response.get("x-codes", ())
    }


# -- pages ----------------------------------------------------------------------------------------

PAGES: Final[dict[str, Callable[[], str]]] = {"cli.md": cli, "api.md": api, "errors.md": errors}


def _table(head: tuple[str, ...], rows: Any) -> Iterator[str]:
    yield _line(head)
    yield "|" + " --- |" * len(head)
    yield from map(_line, rows)


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _text(lines: list[str]) -> str:
    return "\n".join(lines).rstrip("\n") + "\n"


def main(words: list[str]) -> int:
    """Write the pages; with ``--check`` say which are out of date, and end with 1 then."""
    stale = []
    for name, page in PAGES.items():
        path, text = FOLDER / name, page()
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in words:
            path.write_text(text, encoding="utf-8")
    for name in stale:
        print(f"docs/reference/{name} {'is out of date' if '--check' in words else 'written'}")
    return 1 if stale and "--check" in words else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
