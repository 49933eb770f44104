"""A request's path, query, headers and body into the one request type of its verb."""

from __future__ import annotations

from functools import cache
from typing import Any, Final, get_type_hints
from urllib.parse import parse_qsl

import msgspec
from msgspec import Raw, Struct

from scaivault.errors import Refusal
from scaivault.http.basic import with_basic
from scaivault.http.request import Request
from scaivault.http.routes import Route
from scaivault.wire import strict
from scaivault.wire.faults import decode
from scaivault.wire.query import list_fields, parse_query, query

_JSON: Final = b"application/json"
_FORM: Final = b"application/x-www-form-urlencoded"
_HEADERS: Final = {
    "if_match": b"if-match",
    "if_none_match": b"if-none-match",
    "x_scaikey_signature": b"x-scaikey-signature",
}
# Two of these prove nothing, as none does: that is the verb's to refuse, with 401.
_PROOFS: Final = frozenset(("x_scaikey_signature",))


class _Shape:
    """What a request type takes from where."""

    def __init__(self, type_: type[Struct]) -> None:
        hints = get_type_hints(type_, include_extras=True)
        self.body: Any = hints.get("body")
        self.headers: Final = {name: _HEADERS[name] for name in hints if name in _HEADERS}
        self.plain: Final = not hints
        self.query: Final = bool(set(hints) - {"body"} - set(self.headers))
        self.of_path: Final = self.body is None and not self.headers  # and of the query, if any


@cache
def shape(type_: type[Struct]) -> _Shape:
    return _Shape(type_)


class Decoder:
    """``limit``: bytes of a body."""

    def __init__(self, limit: int) -> None:
        self._limit: Final = int(limit)  # a Size of the settings would not encode in the refusal

    @staticmethod
    def is_bare(request: Request) -> bool:
        """Whether nothing but its path says what a request asks for, unless its type takes
        headers."""
        if request.parts is not None or request.query:
            return False
        return request.head.get(b"content-encoding") is None

    async def request(
        self, request: Request, route: Route, parameters: dict[str, str]
    ) -> tuple[Any, bytes]:
        """The verb's request, and the compact body. Refuses what the type does not take."""
        type_ = route.request
        made = shape(type_)
        given: dict[str, Any] = dict(parameters)
        body = b""
        if request.header(b"content-encoding") is not None:
            raise _bad("the body must not be compressed", "content_encoding")
        if made.body is None:
            if request.has_body:
                raise _bad("this call takes no body", "body")
        else:
            body, given["body"] = await self._body(request, route, made.body)
        for name, header in made.headers.items():
            value = request.lone(header) if name in _PROOFS else request.header(header)
            given[name] = None if value is None else value.decode("latin-1")
        return query(type_, parse_query(request.query), **given), body

    async def _body(self, request: Request, route: Route, type_: Any) -> tuple[bytes, Any]:
        limit = min(self._limit, route.most) if route.open else self._limit
        raw = await request.body(limit)
        if type_ is Raw:  # its signature is over these very bytes, and comes before they are read
            return raw, Raw(raw)
        kind = (request.header(b"content-type") or b"").partition(b";")[0].strip().lower()
        if route.form and kind == _FORM:
            return raw, with_basic(request, _form(raw, type_))
        if route.oauth:
            raise _bad("send the body as application/x-www-form-urlencoded", "content_type")
        if not raw:
            raw = b"{}"
        elif kind != _JSON:
            raise _bad("send the body as JSON, with Content-Type: application/json", "content_type")
        compact = strict.check(raw)
        body = decode(compact, type_)
        return compact, with_basic(request, body) if route.form else body


def _form(raw: bytes, type_: Any) -> Any:
    """A form body (RFC 6749 appendix B); unknown fields are ignored there (section 3.2). A list is
    its members with blanks between them, as ``scope`` is."""
    try:
        pairs = parse_qsl(raw.decode("utf-8"), strict_parsing=bool(raw), max_num_fields=64)
    except (ValueError, UnicodeDecodeError):
        raise _bad("the form is malformed", "form") from None
    known, lists = {field.name for field in msgspec.structs.fields(type_)}, list_fields(type_)
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise _bad("a form field stands more than once", "repeated_field")
    fields = {
        name: value.split() if name in lists else value for name, value in pairs if name in known
    }
    return decode(msgspec.json.encode(fields), type_)


def _bad(message: str, reason: str) -> Refusal:
    return Refusal("invalid_request", message, reason=reason)
