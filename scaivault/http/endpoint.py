"""All of HTTP in one place: a request becomes a verb's call, and its result an answer.

The checks stand in the order of the contract: limits, seal, route, caller, rate, tenant, scope and
role, body and parameters; policy and everything behind it are the gate's. A refusal before the
gate is ledgered here; what is refused before the caller is looked at leaves no row."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from scaivault.crypto.memory import Wiped
from scaivault.errors import Refusal, without_tokens
from scaivault.gate.addresses import check_address
from scaivault.gate.caller import RANK, Caller
from scaivault.gate.gate import Act, unavailable
from scaivault.gate.limits import (
    FAILED,
    Allowance,
    Limits,
    Quiet,
    RateLimited,
    address_key,
    bucket,
)
from scaivault.gate.once import Once, Replay
from scaivault.gate.paths import path_from_target
from scaivault.http import answers
from scaivault.http.answers import Answer, Reply
from scaivault.http.decode import Decoder, shape
from scaivault.http.identify import Identify, bearer
from scaivault.http.request import Gone, Request
from scaivault.http.router import Match, Router, parameter
from scaivault.http.routes import Route
from scaivault.http.standing import Standing
from scaivault.identity.authentication import Known
from scaivault.logs import access
from scaivault.storage.failures import StorageFailed
from scaivault.tenancy.model import DELETED, SUSPENDED

if TYPE_CHECKING:
    from scaivault.http.meter import Meter
    from scaivault.system.room import System
    from scaivault.vault import Vault

log = logging.getLogger("scaivault.http")

Verb = Callable[[Caller, Any], Awaitable[Any]]
_KEY_LONGEST: Final = 255
_LEARN_LONGEST: Final = 600


class Endpoint:
    """The application behind the server. ``rooms`` finds the verbs: those of the open vault, and
    those that answer while there is none."""

    def __init__(
        self,
        routes: tuple[Route, ...],
        system: System,
        identify: Identify,
        limits: Limits,
        meter: Meter,
    ) -> None:
        self._router: Final = Router(routes)
        self._system: Final = system
        self.identify: Final = identify
        self.limits: Final = limits
        self._quiet: Final = Quiet(system.clock)
        self._meter: Final = meter
        self._decoder: Final = Decoder(system.settings.server.max_body)
        self.always: dict[str, Any] = {}
        self._verbs: dict[str, Verb] = {}
        self._verbs_of: object = None

    # -- one request ---------------------------------------------------------------------------

    async def __call__(self, request: Request) -> Reply | None:
        exchange = _Exchange()
        vault = self._system.vault
        if vault is not None:
            vault.inflight += 1
        try:
            answer = await self._answer(request, exchange)
        except asyncio.CancelledError:
            return None  # the client is gone
        finally:
            if vault is not None:
                vault.inflight -= 1
            if exchange.route is not None:
                self._meter.ended(exchange.route)
        return self._reply(request, exchange, answer)

    async def _answer(self, request: Request, exchange: _Exchange) -> Answer:
        try:
            caller = exchange.caller = self.identify.caller(request)
            return await self._handle(request, caller, exchange)
        except Gone as gone:
            await self._refused(request, exchange, gone)
            raise asyncio.CancelledError from None
        except Refusal as refusal:
            return await self._refused(request, exchange, refusal)
        except (Wiped, StorageFailed):
            return await self._refused(request, exchange, _sealing())
        except Exception as error:
            log.error("a defect: %s", type(error).__name__, exc_info=error)
            defect = Refusal("internal_error", "the server failed at this request; it is recorded")
            return await self._refused(request, exchange, defect)

    async def _handle(self, request: Request, caller: Caller, exchange: _Exchange) -> Answer:
        vault = self._system.vault
        match = None
        if vault is None or vault.closing:
            match = self._sealed_route(request)
        if match is None:
            match = self._router.match(request.method, request.path)
        exchange.match = match
        route = exchange.route = match.route
        self._meter.started(route)
        verb = self._verb(route)
        if route.open:
            self._limit(caller, route, exchange)
            caller.local = self.identify.is_local(request)
        elif not self._stands(request, caller, match, exchange):
            await self._look_at(request, caller, match, exchange)
        bare = self._decoder.is_bare(request)
        if bare and match.asks is not None and match.parameters is not None:
            exchange.path = match.parameters.get("path")
            asks = match.asks
        else:
            asks = await self._decoded(request, caller, match, exchange, bare=bare)
        return self._told(caller, route, await verb(caller, asks))

    async def _decoded(
        self, request: Request, caller: Caller, match: Match, exchange: _Exchange, *, bare: bool
    ) -> Any:
        """The verb's request. What follows from the path alone is kept with it."""
        route, parameters = match.route, match.parameters
        learns = parameters is None
        if parameters is None:
            parameters = {name: parameter(name, raw) for name, raw in match.raw.items()}
        exchange.path = parameters.get("path")
        asks, body = await self._decoder.request(request, route, parameters)
        if body and not route.open and self._standing(request, caller, match) is None:
            # A body may take half a minute; rights that ended meanwhile are none any more.
            await self._authenticate(request, caller)
            self._resolve(request, caller, match)
            check_rights(caller, route)
        self._remember_key(request, caller, route, body)
        kept = asks if bare and route.method == "GET" and shape(route.request).of_path else None
        if (learns or kept is not None) and len(request.path) <= _LEARN_LONGEST:
            learned = match._replace(parameters=parameters, asks=kept)
            self._router.learn(request.method, request.path, learned)
        return asks

    def _sealed_route(self, request: Request) -> Match:
        """Of a sealed vault only some endpoints are there."""
        match = None
        with contextlib.suppress(Refusal):
            match = self._router.match(request.method, request.path)
        if match is None or not match.route.sealed:
            if not self._system.initialized:
                raise Refusal("not_initialized", "this vault was never set up; call init first")
            raise Refusal("sealed", "the vault is sealed; an operator has to unseal it")
        return match

    def _verb(self, route: Route) -> Verb:
        """The bound method of a route; looked up once for each vault that is opened."""
        vault = self._system.vault
        if vault is not self._verbs_of:
            self._verbs, self._verbs_of = {}, vault
            self._router.forget()
        verb = self._verbs.get(route.verb)
        if verb is None:
            room, _, name = route.verb.partition(".")
            owner = self.always.get(room) or getattr(vault, room)
            verb = self._verbs[route.verb] = getattr(owner, name)
        return verb

    # -- who, how often, where -----------------------------------------------------------------

    def _stands(self, request: Request, caller: Caller, match: Match, exchange: _Exchange) -> bool:
        """Whether caller, tenant and rights are known from an earlier request with this head."""
        standing = self._standing(request, caller, match)
        if standing is None:
            return False
        standing.give(caller)
        self._open_vault().authentication.use(standing.principal, caller.now)
        self._limit(caller, match.route, exchange)
        return True

    def _standing(self, request: Request, caller: Caller, match: Match) -> Standing | None:
        """What was found out of this head and route, if nothing has changed since."""
        standing: Standing | None = request.head.standings.get(match.route)
        if standing is None or match.tenant is not None or caller.now >= standing.ends:
            return None
        changes = self._open_vault().authentication.changes
        return standing if standing.changes == changes else None

    async def _look_at(
        self, request: Request, caller: Caller, match: Match, exchange: _Exchange
    ) -> None:
        """Token, rate, tenant, rights, in this order."""
        changes = self._open_vault().authentication.changes
        known = await self._authenticate(request, caller)
        self._limit(caller, match.route, exchange)
        self._resolve(request, caller, match)
        check_rights(caller, match.route)
        if match.tenant is None:
            found = Standing.of(caller, known.principal, changes, known.ends)
            request.head.standings[match.route] = found

    async def _authenticate(self, request: Request, caller: Caller) -> Known:
        vault = self._open_vault()
        try:
            known = await vault.authentication.authenticate(bearer(request), caller.now)
            caller.principal = known.principal
            check_address(caller.principal, caller.source_ip)
        except Refusal as refusal:
            # Only then: strangers lock out nobody behind their address. A token that must not be
            # used from there takes from their limit, and not from its owner's.
            if refusal.status == 401 or refusal.code == "ip_not_allowed":
                self.limits.take(address_key(caller.source_ip), FAILED)
            raise
        return known

    def _limit(self, caller: Caller, route: Route, exchange: _Exchange) -> None:
        category = route.category
        if category is not None and category != FAILED:
            exchange.allowance = self.limits.take(bucket(caller, category), category)

    def _resolve(self, request: Request, caller: Caller, match: Match) -> None:
        header = request.header(b"x-tenant-id")
        named = parameter("tenant_id", match.tenant) if match.tenant is not None else None
        if header is not None:
            told = header.decode("latin-1")[:64]
            if named is not None and named != told:
                shown = "".join(c for c in without_tokens(told) if c.isprintable())
                caller.notes["header_tenant_id"] = shown
            # An empty one names no tenant; it never means the caller's own.
            named = told if named is None else named
        tenancy = self._open_vault().tenancy
        route = match.route
        tenancy.resolve(caller, named, _even_where(route))
        if route.partner:
            tenancy.widen(caller)

    def _open_vault(self) -> Vault:
        vault = self._system.vault
        if vault is None:
            raise _sealing()
        return vault

    # -- idempotency ---------------------------------------------------------------------------

    def _remember_key(self, request: Request, caller: Caller, route: Route, body: bytes) -> None:
        key = request.header(b"idempotency-key")
        if key is None or route.open or route.method not in ("POST", "PUT"):
            return
        if not 0 < len(key) <= _KEY_LONGEST or not all(33 <= byte <= 126 for byte in key):
            raise Refusal(
                "invalid_request",
                "Idempotency-Key must be 1 to 255 visible ASCII characters",
                reason="idempotency_key",
            )
        # Two tenants may each have an identity of this name, and both may act in a third.
        actor = bucket(caller, "")
        owner = caller.tenant_id or caller.partner_id or ""
        name = "\n".join((actor, owner, request.method))
        once_hash = self._open_vault().keyring.once_hash
        caller.once = Once(
            once_hash(name.encode() + b"\n" + request.path + b"\n" + key),
            # Keyed: a plain hash would outlive a deleted value and let it be guessed.
            once_hash(request.query + b"\n" + body),
            lambda outcome: answers.keep(outcome, self._kept(route, outcome)),
        )

    def _kept(self, route: Route, outcome: Any) -> Answer | None:
        """The answer to keep: without what is told once only."""
        if isinstance(outcome, Refusal):
            return None
        without = getattr(outcome, "without_secrets", None)
        return _plain(route, without() if without is not None else outcome)

    def _told(self, caller: Caller, route: Route, result: Any) -> Answer:
        if isinstance(result, Replay):
            return answers.again(result.answer, caller.request_id)
        answer = _plain(route, result)
        return answers.granted(answer) if route.oauth else answer

    # -- refusals ------------------------------------------------------------------------------

    async def _refused(self, request: Request, exchange: _Exchange, refusal: Refusal) -> Answer:
        caller, route = exchange.caller, exchange.route
        refusal = self._counted(caller, route, refusal)
        if isinstance(refusal, RateLimited):
            exchange.allowance = refusal.allowance
        try:
            if caller is not None and route is not None and not refusal.recorded:
                await self._record(exchange, caller, route, refusal)
        except Refusal as worse:
            refusal = worse
        except StorageFailed as failed:
            refusal = unavailable(failed)
        self._meter.refused(refusal)
        exchange.code = refusal.code
        told = answers.refused_grant if route is not None and route.oauth else answers.refused
        return told(refusal, caller.request_id if caller is not None else "")

    def _counted(self, caller: Caller | None, route: Route | None, refusal: Refusal) -> Refusal:
        """Of a route that takes signed bodies, what fails is counted, and nothing else; be it our
        own doing, or strangers could fill the ledger with it."""
        if caller is None or route is None or route.category != FAILED:
            return refusal
        try:
            self.limits.take(address_key(caller.source_ip), FAILED)
        except RateLimited as limited:
            return limited
        return refusal

    async def _record(
        self, exchange: _Exchange, caller: Caller, route: Route, refusal: Refusal
    ) -> None:
        vault = self._system.vault
        if refusal.code in ("sealed", "not_initialized"):
            return
        if not route.ledgered or (vault is None and route.category != "unseal"):
            return
        if route.unrecorded and refusal.status != 401:
            return
        act = Act(route.action, path=exchange.path or _concerned(exchange.match))
        if refusal.status == 401 and refusal.code != "unseal_failed":
            act = Act("auth_failed")
        if act.action == "auth_failed":
            act.extra.update(refusal.notes)
            act.extra["route"] = f"{route.method} {route.path}"
        if refusal.code == "rate_limited":
            category = str(refusal.details["category"])
            suppressed = self._quiet.refused(bucket(caller, category), category)
            if suppressed is None:
                return
            act.extra["suppressed"] = suppressed
        if vault is None:
            self._system.record_early(caller, act, refusal)
            return
        await vault.gate.refuse(caller, act, refusal)

    # -- sending -------------------------------------------------------------------------------

    def _reply(self, request: Request, exchange: _Exchange, answer: Answer) -> Reply:
        caller, route = exchange.caller, exchange.route
        status, body, own = answer
        public = route is not None and route.public and status == 200
        head = b"x-request-id: %b\r\n%b%b" % (
            caller.request_id.encode() if caller is not None else b"",
            answers.PUBLIC_HEAD if public else answers.COMMON_HEAD,
            answers.rendered(own),
        )
        if request.https:
            head += answers.HTTPS_ONLY_HEAD
        if exchange.allowance is not None:
            head += answers.rendered(answers.limited(exchange.allowance))
        self._meter.answered(request, route, caller, status)
        if access.on and caller is not None:
            self._log(request, exchange, caller, status)
        return Reply(status, head, b"" if request.method == "HEAD" else body, len(body))

    def _log(self, request: Request, exchange: _Exchange, caller: Caller, status: int) -> None:
        """One line; probes would drown all others, so only their failures have one."""
        route = exchange.route
        if route is not None and route.sealed and status == 200:
            return
        clock = self._system.clock
        access.line(
            clock.now(),
            clock.monotonic() - caller.started,
            caller.request_id,
            request.method,
            None if route is None else route.path,
            status,
            caller.tenant_id,
            caller.identity_id,
            caller.source_ip,
            exchange.code,
            exchange.path,
        )


class _Exchange:
    """What is known of a request so far."""

    __slots__ = ("allowance", "caller", "code", "match", "path", "route")

    def __init__(self) -> None:
        self.caller: Caller | None = None
        self.route: Route | None = None
        self.match: Match | None = None
        self.path: str | None = None
        self.code: str | None = None
        self.allowance: Allowance | None = None


def _concerned(match: Match | None) -> str | None:
    """The secret that a request named which was refused before its path was looked at."""
    raw = None if match is None else match.raw.get("path")
    with contextlib.suppress(Refusal):
        return None if raw is None else path_from_target(raw)
    return None


def _plain(route: Route, result: Any) -> Answer:
    status = route.status
    if route.created is not None and result.created:
        status = route.created
    if isinstance(result, Answer):
        return result
    status = getattr(result, "http_status", status)
    return answers.ok(status, result, etag=route.etag)


def _even_where(route: Route) -> tuple[str, ...]:
    """States of a tenant in which super_admin may call a route nevertheless. Identities and the
    vault are kept from a suspended one too, or nobody could lift the suspension of the only tenant;
    and who deleted a tenant, and what was done there, is told still."""
    if not (route.tenant or route.partner):
        return (SUSPENDED,)
    return (DELETED,) if route.action == "audit_read" else ()


def check_rights(caller: Caller, route: Route) -> None:
    """Scope, then role."""
    principal = caller.principal
    if principal is None:
        raise Refusal("authentication_required", "this call needs a token")
    lacking = route.scopes and principal.scopes.isdisjoint((*route.scopes, "admin"))
    if lacking:
        raise Refusal(
            "insufficient_scope",
            f"this call needs the scope {route.scopes[0]}",
            required_scope=route.scopes[0],
        )
    if route.role is not None and principal.rank < RANK[route.role]:
        raise Refusal(
            "forbidden", f"this call takes the role {route.role}", required_role=route.role
        )


def _sealing() -> Refusal:
    return Refusal("sealed", "the vault is sealed; an operator has to unseal it")
