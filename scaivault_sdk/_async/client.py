"""``ScaiVaultClient``: the door to everything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

import httpx

from scaivault_sdk._answers import log_to_stderr
from scaivault_sdk._async.audit import Audit
from scaivault_sdk._async.auth import Auth
from scaivault_sdk._async.cached import CachedReads
from scaivault_sdk._async.connect import connected, token_source
from scaivault_sdk._async.identity import Identities
from scaivault_sdk._async.partner import Partner
from scaivault_sdk._async.pin import Pin
from scaivault_sdk._async.policies import Policies
from scaivault_sdk._async.secrets import Secrets
from scaivault_sdk._async.system import System
from scaivault_sdk._async.transport import Transport
from scaivault_sdk._cache import Cache, CacheConfig
from scaivault_sdk._calls import Call
from scaivault_sdk._settings import (
    checked_address,
    checked_header,
    debugging,
    from_environment,
)
from scaivault_sdk.errors import ConfigurationError
from scaivault_sdk.models.common import Answer, RateLimit
from scaivault_sdk.models.secrets import Secret

if TYPE_CHECKING:
    from typing_extensions import Self


class ScaiVaultClient:
    """A client of one ScaiVault. Use one for the whole program: it keeps its connections.

    Credentials: ``token``; or ``client_id`` with ``client_secret``, exchanged at the vault's token
    endpoint (``token_endpoint`` overrides it) for the scopes in ``scope``; or ``token_provider``,
    a function that gives a token and is asked for each call. ``client_secret`` may be a function
    too, asked for each exchange, so that a program goes on while its secret is replaced. Without
    any, only what is open to everybody answers.

    ``tenant_id``: act in this tenant instead of the token's own. ``partner_id``: refuse to act in
    a tenant of another partner. ``ca_file``: PEM file of the CA to trust; ``client_cert``: PEM
    file, or pair of files, to show. ``timeout``: seconds a call may take; calls in which the
    server works long get at least 60. ``max_retries``, ``retry_deadline`` (seconds): how long a
    call is repeated while the server is not available. ``allow_http``: plain HTTP to other
    machines. ``transport``: an httpx transport instead of the network.
    """

    def __init__(
        self,
        base_url: str,
        *,
        token: str | None = None,
        client_id: str | None = None,
        client_secret: str | Callable[[], Any] | None = None,
        token_provider: Callable[[], Any] | None = None,
        scope: Sequence[str] | None = None,
        token_endpoint: str | None = None,
        tenant_id: str | None = None,
        partner_id: str | None = None,
        ca_file: str | None = None,
        client_cert: str | tuple[str, str] | None = None,
        proxy: str | None = None,
        user_agent: str | None = None,
        timeout: float = 10.0,
        max_retries: int = 4,
        retry_deadline: float = 60.0,
        max_connections: int = 20,
        allow_http: bool = False,
        cache: CacheConfig | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        address = checked_address(base_url, allow_http=allow_http)
        endpoint = (
            checked_address(token_endpoint, allow_http=allow_http, name="token_endpoint")
            if token_endpoint is not None
            else None
        )
        tokens = token_source(
            token, token_provider, client_id, client_secret, scope, address, endpoint
        )
        http = connected(
            address,
            ca_file=ca_file,
            client_cert=client_cert,
            proxy=proxy,
            user_agent=user_agent,
            max_connections=max_connections,
            transport=transport,
        )
        self._transport = Transport(
            http,
            address.base,
            tokens,
            timeout=timeout,
            max_retries=max_retries,
            retry_deadline=retry_deadline,
        )
        self._cache: Cache[Secret] | None = None if cache is None else Cache(cache)
        self._owner = True
        self.root_token: str | None = None
        self._act_in(tenant_id, partner_id)

    def _act_in(self, tenant_id: str | None, partner_id: str | None) -> None:
        """Everything that depends on the acting tenant."""
        self.tenant_id = tenant_id
        self.partner_id = partner_id
        self._headers = {"Accept": "application/json"}
        if tenant_id is not None:
            self._headers["X-Tenant-ID"] = checked_header(tenant_id, "tenant_id")
        self._pin = Pin(partner_id, tenant_id)
        cached = (
            None
            if self._cache is None
            else CachedReads(self._cache, tenant_id, lambda: self._transport.pace)
        )
        self.secrets = Secrets(self, "/v1/secrets", cached)
        self.partner = Partner(self, cached)
        self.policies = Policies(self)
        self.audit = Audit(self)
        self.identity = Identities(self)
        self.auth = Auth(self)
        self.system = System(self)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **settings: Any) -> Self:
        """A client by the variables ``SCAIVAULT_URL``, ``SCAIVAULT_TOKEN``, or
        ``SCAIVAULT_TOKEN_FILE`` (read anew for each call), or ``SCAIVAULT_CLIENT_ID`` with
        ``SCAIVAULT_CLIENT_SECRET``, ``SCAIVAULT_TENANT_ID``, ``SCAIVAULT_PARTNER_ID``,
        ``SCAIVAULT_CACERT``. ``settings``: keywords of the constructor, which win.
        ``SCAIVAULT_DEBUG=1`` shows method, target, status and time of each call on stderr.
        """
        found = {**from_environment(environ), **settings}
        if "base_url" not in found:
            raise ConfigurationError("SCAIVAULT_URL is not set")
        if debugging(environ):
            log_to_stderr()
        return cls(**found)

    @classmethod
    async def local(cls, *, clock: Any = None, **settings: Any) -> Self:
        """A client of a throw-away vault inside this process: initialised, unsealed, nothing
        listens, and gone on close. It acts as the root account, whose token is ``root_token``.

        ``clock``: a ``scaivault.clock.Clock`` to set the vault's time by, such as ``FakeClock``.
        ``settings``: further keywords of the constructor.
        """
        from scaivault_sdk._local import BASE_URL, LocalTransport, async_opened

        vault = await async_opened(clock)
        wanted = {"token": vault.root_token, **settings}
        client = cls(BASE_URL, transport=LocalTransport(vault), **wanted)
        client.root_token = vault.root_token
        return client

    def for_tenant(self, tenant_id: str) -> Self:
        """The same connections and credentials, acting in another tenant. Closing the view closes
        nothing."""
        view = object.__new__(type(self))
        view.__dict__.update(self.__dict__)
        view._owner = False
        view._act_in(tenant_id, self.partner_id)
        return view

    @property
    def last_rate_limit(self) -> RateLimit | None:
        """The caller's bucket after the newest answer that told of one."""
        return self._transport.last_rate_limit

    # -- calls ----------------------------------------------------------------------------------

    async def send(self, call: Call) -> Answer:
        """What the namespaces use."""
        # A call that names a partner acts for that one.
        if not call.open and call.query.get("partner_id") is None:
            await self._pin.check(self._transport)
        return await self._transport.call(call, self._headers)

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        changes: bool = True,
        timeout: float | None = None,
        also: tuple[int, ...] = (),
    ) -> Answer:
        """Any call of the API, with credentials, retries and errors as everywhere, and the answer
        as it came. ``path`` begins with ``/`` and is sent as it is; ``changes`` False marks a POST
        that only reads; ``also``: error statuses that are answers here."""
        if not path.startswith("/") or path.startswith("//"):
            raise ConfigurationError("path must begin with one /")
        call = Call(method, path, query or {}, body, changes=changes, timeout=timeout, also=also)
        return await self.send(call)

    # -- life -----------------------------------------------------------------------------------

    async def close(self) -> None:
        """Close the connections and forget cached values."""
        if not self._owner:
            return
        if self._cache is not None:
            self._cache.clear()
        await self._transport.close()

    async def aclose(self) -> None:
        """As ``close``."""
        await self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        tenant = f", tenant_id={self.tenant_id!r}" if self.tenant_id else ""
        return f"{type(self).__name__}({self._transport.base!r}{tenant})"
