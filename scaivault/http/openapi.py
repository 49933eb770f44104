"""The API described for machines (OpenAPI 3.1.1), made of the table of routes, the types of
requests and answers and the docstrings of verbs; nothing in it is written twice."""

from __future__ import annotations

import inspect
import re
from functools import cache
from typing import Any, Final, get_args, get_type_hints

import msgspec
from msgspec import Struct, UnsetType

import scaivault
from scaivault import __version__
from scaivault.audit import Audit
from scaivault.audit.exports import Exports
from scaivault.audit.retention import Retention
from scaivault.audit.trails import Trails
from scaivault.errors import CODES
from scaivault.gate.limits import FAILED
from scaivault.http.decode import shape
from scaivault.http.meter import Meter
from scaivault.http.possible import codes
from scaivault.http.routes import Route
from scaivault.http.topics import TOPICS, topic
from scaivault.identity.groups.members import Members
from scaivault.identity.groups.room import Groups
from scaivault.identity.oauth.exchange import Exchange
from scaivault.identity.oauth.grants import Grants
from scaivault.identity.oauth.published import Published
from scaivault.identity.people.accounts import Accounts
from scaivault.identity.people.credentials import Credentials
from scaivault.identity.people.directory import Directory
from scaivault.identity.people.mfa import Mfa
from scaivault.identity.people.revoking import Revoking
from scaivault.identity.people.roles import Roles
from scaivault.identity.people.users import Users
from scaivault.identity.sync import Receiver, Sync
from scaivault.identity.tenants.partners import Partners
from scaivault.identity.tenants.tenants import Tenants
from scaivault.identity.tokens.minting import Minting
from scaivault.identity.tokens.room import Tokens
from scaivault.identity.trusts.room import Trusts
from scaivault.policies import Policies
from scaivault.policies.bindings import Bindings
from scaivault.policies.rights import Rights
from scaivault.secrets import Secrets
from scaivault.secrets.batch import Batch
from scaivault.secrets.facts import Facts
from scaivault.secrets.listing import Lists
from scaivault.system.health import Health
from scaivault.system.jobs import Jobs
from scaivault.system.keys import Keys
from scaivault.system.room import System
from scaivault.system.root_key import RootKey
from scaivault.system.slots import Slots

Json = dict[str, Any]

ROOMS: Final[dict[str, type]] = {
    "facts": Facts,
    "secrets": Secrets,
    "lists": Lists,
    "batch": Batch,
    "policies": Policies,
    "bindings": Bindings,
    "rights": Rights,
    "tokens": Tokens,
    "minting": Minting,
    "mfa": Mfa,
    "grants": Grants,
    "exchange": Exchange,
    "published": Published,
    "users": Users,
    "accounts": Accounts,
    "credentials": Credentials,
    "roles": Roles,
    "revoking": Revoking,
    "groups": Groups,
    "members": Members,
    "directory": Directory,
    "trusts": Trusts,
    "receiver": Receiver,
    "sync": Sync,
    "partners": Partners,
    "tenants": Tenants,
    "audit": Audit,
    "trails": Trails,
    "exports": Exports,
    "retention": Retention,
    "system": System,
    "slots": Slots,
    "root_key": RootKey,
    "keys": Keys,
    "jobs": Jobs,
    "health": Health,
    "metrics": Meter,
}
"""Where the verbs of the table are."""

_REFERENCE: Final = "#/components/schemas/{name}"
_PART: Final = re.compile(r"\{(\w+)\*?\}")
_HEADERS: Final = {
    "if_match": ("If-Match", "The version that must be the current one, quoted; or `*`."),
    "if_none_match": ("If-None-Match", "`*`: there must be no such secret yet."),
    "x_scaikey_signature": (
        "X-ScaiKey-Signature",
        "`t=<unix>,v1=<hex>`: HMAC-SHA256 of `<t>.<body>`.",
    ),
}


def document(routes: tuple[Route, ...]) -> Json:
    """The whole description."""
    types = _Types(routes)
    paths: Json = {}
    named: set[str] = set()
    for route in routes:
        path = _PART.sub(r"{\1}", route.path)
        operation = _operation(route, types)
        if operation["operationId"] in named:
            operation["operationId"] += re.sub(r"\W+", "_", f"_{route.method.lower()}{route.path}")
        named.add(operation["operationId"])
        paths.setdefault(path, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "ScaiVault",
            "version": __version__,
            "description": _about(scaivault),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": about} for name, (about, _) in TOPICS.items()],
        "paths": paths,
        "components": {
            "schemas": {**types.components, "Error": _error()},
            "parameters": _PARAMETERS,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


@cache
def encoded(routes: tuple[Route, ...]) -> bytes:
    """``document`` as JSON."""
    return msgspec.json.encode(document(routes))


# -- one endpoint -------------------------------------------------------------------------------


def _operation(route: Route, types: _Types) -> Json:
    made = shape(route.request)
    operation: Json = {
        "operationId": route.verb,
        "tags": [topic(route.path)],
        "summary": _about(getattr(ROOMS[route.room], route.verb.partition(".")[2])),
        "parameters": _parameters(route, types),
        "responses": {**_success(route, types), **_failures(route)},
        "security": [] if route.open else [{"bearer": list(route.scopes)}],
    }
    if route.ledgered and not (route.unrecorded or route.form):  # a form's rows go by outcome
        operation["x-audit-action"] = route.action
    if made.body is not None:
        kinds = ["application/json"]
        if route.form:
            kinds.append("application/x-www-form-urlencoded")
        content = {kind: {"schema": types.schema(made.body)} for kind in kinds}
        operation["requestBody"] = {"content": content}
    return operation


def _parameters(route: Route, types: _Types) -> list[Json]:
    in_path = _PART.findall(route.path)
    listed: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        | ({"description": "May hold slashes; sent literally."} if name == "path" else {})
        for name in in_path
    ]
    for field in msgspec.structs.fields(route.request):
        if field.name in _HEADERS:
            name, about = _HEADERS[field.name]
            parameter: Json = {"name": name, "in": "header", "schema": {"type": "string"}}
            listed.append(parameter | {"description": about})
        elif field.name not in in_path and field.name != "body":
            schema = types.schema(_without_none(field.type))
            query: Json = {"name": field.encode_name, "in": "query", "schema": schema}
            listed.append(query | ({"required": True} if field.required else {}))
    if not route.open:
        listed.append({"$ref": "#/components/parameters/tenant"})
        if route.method in ("POST", "PUT"):
            listed.append({"$ref": "#/components/parameters/idempotency"})
    return listed


def _success(route: Route, types: _Types) -> Json:
    statuses = [route.status] if route.created is None else [route.status, route.created]
    answer: Json = {"description": "Done."}
    headers = {"X-Request-ID": {"schema": {"type": "string"}}}
    if route.category not in (None, FAILED):
        for name in ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"):
            headers[name] = {"schema": {"type": "integer"}}
    if route.etag:
        headers["ETag"] = {"schema": {"type": "string"}}
    answer["headers"] = headers
    if route.answer is str:
        answer["content"] = {"text/plain": {"schema": {"type": "string"}}}
    elif route.answer is not None and route.method != "HEAD":
        answer["content"] = {"application/json": {"schema": types.schema(route.answer)}}
    answers: Json = {str(status): answer for status in statuses}
    if route.verb == "health.ready":
        answers["503"] = answer | {"description": "Not ready; `errors` says why."}
    return answers


def _failures(route: Route) -> Json:
    if route.method == "HEAD":
        return {}
    answers = {str(status): _failure(listed) for status, listed in codes(route).items()}
    if route.verb == "health.ready":
        del answers["503"]  # has a body of its own
    return answers


def _failure(listed: list[str]) -> Json:
    schema = {"$ref": _REFERENCE.format(name="Error")}
    return {
        "description": f"Refused: {', '.join(listed)}.",
        "content": {"application/json": {"schema": schema}},
        "x-codes": listed,
    }


def _about(thing: Any) -> str:
    """The first paragraph of its docstring."""
    return _prose((inspect.getdoc(thing) or "").split("\n\n")[0])


def _prose(text: str) -> str:
    """On one line, and in Markdown."""
    return " ".join(text.split()).replace("``", "`")


# -- types --------------------------------------------------------------------------------------


class _Types:
    """The schemas of all types that the routes name."""

    def __init__(self, routes: tuple[Route, ...]) -> None:
        wanted: list[Any] = []
        for route in routes:
            if route.answer not in (None, str):
                wanted += _members(route.answer)
            for name, kind in get_type_hints(route.request, include_extras=True).items():
                if name not in _HEADERS:
                    wanted.append(_without_none(kind))
        self._index: Final = {repr(kind): n for n, kind in enumerate(wanted)}
        made, components = msgspec.json.schema_components(wanted, ref_template=_REFERENCE)
        text = msgspec.json.encode([list(made), components]).replace(b"scaivault.wire.", b"")
        self._schemas, self.components = msgspec.json.decode(text)
        _clean(self._schemas)
        _clean(self.components)

    def schema(self, kind: Any) -> Any:
        """A type's schema; of several types, any of them."""
        members = [self._schemas[self._index[repr(member)]] for member in _members(kind)]
        return members[0] if len(members) == 1 else {"anyOf": members}


def _members(kind: Any) -> list[Any]:
    """The types of a union of structs."""
    members = get_args(kind)
    structs = [one for one in members if isinstance(one, type) and issubclass(one, Struct)]
    return list(members) if len(structs) > 1 else [kind]


def _without_none(kind: Any) -> Any:
    """A parameter that is left out is not null."""
    left = [one for one in get_args(kind) if one not in (type(None), UnsetType)]
    return left[0] if len(left) == 1 and type(None) in get_args(kind) else kind


def _clean(schema: Any) -> None:
    """Drop titles, which repeat the name, and defaults that only stand for "left out". Where the
    bytes of a JSON object are passed on as they came (``Raw``), the schema says object."""
    if isinstance(schema, list):
        for one in schema:
            _clean(one)
    elif isinstance(schema, dict):
        if isinstance(schema.get("title"), str):
            del schema["title"]
        if isinstance(schema.get("description"), str):
            schema["description"] = _prose(schema["description"])
        for name, field in schema.get("properties", {}).items():
            if not field or field.get("anyOf") == []:
                schema["properties"][name] = {"type": "object"}
        if "default" in schema and _left_out(schema["default"], schema):
            del schema["default"]
        for one in schema.values():
            _clean(one)


def _left_out(default: Any, schema: Json) -> bool:
    if isinstance(default, int) and not isinstance(default, bool):
        return default < int(schema.get("minimum", default))
    return default in ("", None) or ("$ref" in schema and isinstance(default, dict))


def _error() -> Json:
    fields: Json = {
        "code": {"type": "string", "enum": sorted(CODES)},
        "message": {"type": "string", "description": "For people; may change."},
        "details": {"type": "object"},
        "request_id": {"type": "string"},
    }
    error = {
        "type": "object",
        "properties": fields,
        "required": ["code", "message", "request_id"],
    }
    return {"type": "object", "properties": {"error": error}, "required": ["error"]}


_PARAMETERS: Final[Json] = {
    "tenant": {
        "name": "X-Tenant-ID",
        "in": "header",
        "description": "The tenant to act in, where it is not the token's own.",
        "schema": {"type": "string"},
        "example": "tnt_5f2k8q1m4v7b9n3p0r6t",
    },
    "idempotency": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "The same key with the same body gets the first answer again, for a day.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    },
}
