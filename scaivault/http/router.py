"""From method and undecoded path to a route.

Templates: ``{name}`` is one segment, percent-decoded once; ``{path*}`` is a secret path, one or
more segments taken literally. Of two templates that fit, the one with more fixed text wins, so a
secret path never swallows ``/v1/secrets/metadata/…`` or ``…/versions``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, NamedTuple
from urllib.parse import unquote_to_bytes

from scaivault.errors import Refusal
from scaivault.gate.paths import check_path, path_from_target
from scaivault.http.routes import Route

_PART: Final = re.compile(r"\{(\w+)(\*?)\}")
_TENANT: Final = re.compile(rb"/v1/t/([^/]+)(/.+)\Z", re.DOTALL)
# Where secret paths begin: below them everything is a route of its own or a path.
_SECRETS: Final = (b"/v1/secrets/", b"/v1/partner/secrets/")
LEARNED: Final = 8192  # paths of at most some hundred bytes
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


class Match(NamedTuple):
    """A route, the raw texts of its parameters, and the tenant that the path names.

    ``parameters`` are their values, once somebody has checked them; ``asks`` the verb's request
    where nothing but the path says what is asked for."""

    route: Route
    raw: dict[str, bytes]
    tenant: bytes | None
    parameters: dict[str, str] | None = None
    asks: Any = None


class _Template(NamedTuple):
    pattern: re.Pattern[bytes]
    routes: dict[str, Route]
    fixed: int  # how much of it is literal


class Router:
    """Compiled once from the table."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._fixed: dict[bytes, dict[str, Route]] = {}
        self._known: Final[dict[tuple[str, bytes], Match]] = {}
        grouped: dict[str, dict[str, Route]] = {}
        for route in routes:
            if "{" in route.path:
                grouped.setdefault(route.path, {})[route.method] = route
            else:
                self._fixed.setdefault(route.path.encode(), {})[route.method] = route
        # By the first two segments: /v1/secrets has three templates, the whole table thirty.
        self._templates: Final[dict[bytes, list[_Template]]] = {}
        for path, methods in grouped.items():
            self._templates.setdefault(_family(path.encode()), []).append(_compiled(path, methods))
        for family in self._templates.values():
            family.sort(key=lambda template: -template.fixed)

    def learn(self, method: str, path: bytes, match: Match) -> None:
        """``match`` is the outcome for this very path: the same bytes need no second look."""
        if len(self._known) >= LEARNED:
            self._known.clear()
        self._known[method, path] = match

    def forget(self) -> None:
        """Keep no path in memory."""
        self._known.clear()

    def match(self, method: str, path: bytes) -> Match:
        """The route of a request. ``not_found``, ``method_not_allowed`` (``invalid_path`` where a
        reserved secret path is in the way)."""
        known = self._known.get((method, path))
        if known is not None:
            return known
        tenant = None
        if path.startswith(b"/v1/t/") and (named := _TENANT.match(path)) is not None:
            tenant, path = named[1], b"/v1" + named[2]
        methods = self._fixed.get(path, {})
        # What a fixed route does not take, a path below it may: then its reserved name refuses it.
        if method in methods or (methods and not path.startswith(_SECRETS)):
            return _chosen(methods, method, {}, tenant)
        fitting = []
        for template in self._templates.get(_family(path), ()):
            found = template.pattern.match(path)
            if found is None:
                continue
            if method in template.routes:
                return _chosen(template.routes, method, found.groupdict(), tenant)
            if tenant is None or any(route.tenant for route in template.routes.values()):
                fitting.append(template.routes)
        if path in _SECRETS or fitting:
            _refuse_method(path, fitting)
        raise _not_found()


def _family(path: bytes) -> bytes:
    """``/v1/secrets`` of ``/v1/secrets/app/db``."""
    second = path.find(b"/", 1)
    end = path.find(b"/", second + 1)
    return path[:end] if end > 0 else path


def _chosen(
    methods: dict[str, Route], method: str, raw: dict[str, bytes], tenant: bytes | None
) -> Match:
    if tenant is not None and not any(route.tenant for route in methods.values()):
        raise _not_found()
    route = methods.get(method)
    if route is None:
        raise _not_allowed(methods)
    return Match(route, raw, tenant)


def _refuse_method(path: bytes, fitting: list[dict[str, Route]]) -> None:
    for start in _SECRETS:
        if path.startswith(start):
            check_path(path_from_target(path[len(start) :]))
    raise _not_allowed({method: route for routes in fitting for method, route in routes.items()})


def _not_found() -> Refusal:
    return Refusal("not_found", "there is no such endpoint")


def _not_allowed(methods: Iterable[str]) -> Refusal:
    allowed = [method for method in _METHODS if method in set(methods)]
    return Refusal(
        "method_not_allowed", f"this endpoint takes {', '.join(allowed)}", allowed=allowed
    )


def _compiled(path: str, methods: dict[str, Route]) -> _Template:
    pattern, fixed, last = "", 0, 0
    for part in _PART.finditer(path):
        literal = path[last : part.start()]
        pattern += re.escape(literal) + (
            f"(?P<{part[1]}>.*)" if part[2] else f"(?P<{part[1]}>[^/]+)"
        )
        fixed, last = fixed + len(literal), part.end()
    pattern += re.escape(path[last:])
    return _Template(
        re.compile(pattern.encode() + rb"\Z", re.DOTALL), methods, fixed + len(path) - last
    )


def parameter(name: str, raw: bytes) -> str:
    """The value of one parameter of a path."""
    if name == "path":
        return path_from_target(raw)
    try:
        text = unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    # Outside issuers have subjects with slashes in them, which may have no other name here.
    if not text or not text.isprintable() or ("/" in text and name != "identity_id"):
        raise Refusal("not_found", "there is no such endpoint")
    return text
