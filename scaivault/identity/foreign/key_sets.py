"""The key sets of issuers: fetched when first needed, again from time to time and for an unknown
key id, and kept for a day when their issuer cannot be reached.

An issuer's answer is as foreign as its tokens: bounded in size and time, no redirects, and what it
says about another issuer does not count."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import httpx
import msgspec

from scaivault.clock import Clock
from scaivault.errors import Refusal
from scaivault.identity.foreign import keys
from scaivault.identity.foreign.keys import Key, KeySet
from scaivault.outbound import Allowance, Guard, client, parse_target, send
from scaivault.wire.addresses import parse_range

log = logging.getLogger("scaivault.identity.foreign")

SECONDS: Final = 5.0  # for all of a fetch, discovery included
_SECOND: Final = 1_000_000_000  # of the monotonic clock
PAUSE: Final = 30 * _SECOND
_DAY: Final = 86_400 * _SECOND
# The background job comes first; where none runs, whoever asks fetches.
_GRACE: Final = 60 * _SECOND
_SOURCES_MOST: Final = 1000
_AT_ONCE: Final = 100
# The operator vouches for the issuers that he configures, wherever they are.
_ANYWHERE: Final = Allowance((parse_range("0.0.0.0/0"), parse_range("::/0")))
_inline = lru_cache(maxsize=256)(keys.key_set)


class Source(NamedTuple):
    """Where an issuer's keys are from: ``jwks`` (the text of a set, never fetched), else
    ``jwks_url``, else the issuer's discovery document. ``ca_file``: instead of the host's roots.
    ``guarded``: named by a tenant, so that only what ``Guard`` allows is called."""

    issuer: str
    jwks_url: str | None = None
    jwks: str | None = None
    ca_file: Path | None = None
    guarded: bool = False


class Unreachable(Exception):
    """No key set came; the message says why, without a word of what did come."""


class Fetched(NamedTuple):
    """How fetching from a source went: ``ok``, ``warn`` (the last set is still used) or
    ``error``; keys held; microseconds since they came, ``None`` for never."""

    status: str
    keys: int
    age: int | None


class _Held:
    """What is known of a source. Times are of the monotonic clock; ``None``: never."""

    __slots__ = ("asked", "failed", "fetched", "keys", "lock", "refetched", "tried")

    def __init__(self) -> None:
        self.keys: KeySet = ()
        self.lock: Final = asyncio.Lock()
        self.fetched: int | None = None
        self.tried: int | None = None
        self.failed: int | None = None
        self.refetched: int | None = None
        self.asked = 0


class _Document(msgspec.Struct):
    """What of a discovery document counts (OpenID Connect Discovery 1.0, section 3)."""

    issuer: str
    jwks_uri: str


class KeySets:
    """One per open vault; loop only. ``refresh``: microseconds after which a set is fetched again.
    ``on_dropped`` is called when a key of an issuer of the operator's is gone that was there."""

    def __init__(self, clock: Clock, guard: Guard, refresh: int) -> None:
        self._monotonic: Final = clock.monotonic
        self._guard: Final = guard
        self._anywhere: Final = Guard(_ANYWHERE)
        self._refresh: Final = refresh * 1000
        self._held: dict[Source, _Held] = {}
        self.on_dropped: Callable[[], object] = lambda: None

    async def key(self, source: Source, kid: str, algorithm: str) -> Key:
        """The source's key of this name for this algorithm; ``token_invalid`` when it has none,
        ``Unreachable`` when there is no set to look in."""
        if source.jwks is not None:
            return _required(keys.find(_inline(source.jwks.encode()), kid, algorithm))
        held = self._of(source)
        held.asked = self._monotonic()
        await self._up_to_date(source, held)
        found = keys.find(held.keys, kid, algorithm)
        if found is None and self._past(held.refetched, PAUSE) and self._past(held.failed, PAUSE):
            async with held.lock:
                found = keys.find(held.keys, kid, algorithm)
                if found is None and self._past(held.refetched, PAUSE):
                    held.refetched = self._monotonic()
                    await self._fetch(source, held)
                    found = keys.find(held.keys, kid, algorithm)
        if held.fetched is None:
            raise Unreachable("no key set of this issuer is known")
        return _required(found)

    async def refresh(self) -> int:
        """Fetch again the sets that somebody asked for within a day, and forget the others; how
        many could not be fetched. Those of the operator's issuers first, and not very many at a
        time: each is a connection, and waits as long as its server likes."""
        self._held = {
            source: held for source, held in self._held.items() if not self._past(held.asked, _DAY)
        }
        waiting = iter(sorted(self._held.items(), key=lambda entry: entry[0].guarded))
        failed = 0
        while some := list(islice(waiting, _AT_ONCE)):
            done = await asyncio.gather(*(self._again(*entry) for entry in some))
            failed += done.count(False)
        return failed

    def fetched(self, source: Source) -> Fetched | None:
        """How it went last; ``None`` for a source that nobody asked for."""
        held = self._held.get(source)
        if held is None or held.tried is None:
            return None
        if held.fetched is None:
            return Fetched("error", 0, None)
        age = (self._monotonic() - held.fetched) // 1000
        return Fetched("ok" if held.failed is None else "warn", len(held.keys), age)

    def forget(self, source: Source) -> None:
        """Nobody names this source any more: it is called no more either."""
        self._held.pop(source, None)

    # -- one source ----------------------------------------------------------------------------

    def _of(self, source: Source) -> _Held:
        held = self._held.get(source)
        if held is None:
            if len(self._held) >= _SOURCES_MOST:
                del self._held[self._least()]
            held = self._held[source] = _Held()
        return held

    def _least(self) -> Source:
        """The one to forget: a tenant that names very many pushes out no issuer of the operator's,
        whose keys are to last while it is away."""
        return min(self._held, key=lambda one: (not one.guarded, self._held[one].asked))

    async def _again(self, source: Source, held: _Held) -> bool:
        async with held.lock:
            return await self._fetch(source, held)

    async def _up_to_date(self, source: Source, held: _Held) -> None:
        """The first set, or another where no job fetches; none that is older than a day."""
        if self._is_due(held):
            async with held.lock:
                if self._is_due(held):
                    await self._fetch(source, held)
        self._forget_old(source, held)

    def _is_due(self, held: _Held) -> bool:
        if held.fetched is None:
            return self._past(held.failed, PAUSE)
        return self._past(held.tried, self._refresh + _GRACE)

    def _forget_old(self, source: Source, held: _Held) -> None:
        if held.fetched is not None and self._past(held.fetched, _DAY):
            self._take(source, held, ())
            held.fetched = None

    def _past(self, since: int | None, pause: int) -> bool:
        return since is None or self._monotonic() - since >= pause

    async def _fetch(self, source: Source, held: _Held) -> bool:
        """Whether there is a new set; with none the old one stays, for a day."""
        held.tried = self._monotonic()
        try:
            fresh = await self._fetched(source)
        except Unreachable as fault:
            held.failed = self._monotonic()
            log.warning("the keys of the issuer %s were not fetched: %s", source.issuer, fault)
            self._forget_old(source, held)
            return False
        held.failed = None
        held.fetched = self._monotonic()
        self._take(source, held, fresh)
        return True

    def _take(self, source: Source, held: _Held, fresh: KeySet) -> None:
        """What a tenant names proves only what is exchanged, each time anew: its keys may come and
        go as they like, and nobody else's tokens are looked up again for that."""
        dropped = not source.guarded and any(key not in fresh for key in held.keys)
        held.keys = fresh
        if dropped:
            self.on_dropped()

    # -- HTTP ----------------------------------------------------------------------------------

    async def _fetched(self, source: Source) -> KeySet:
        guard = self._guard if source.guarded else self._anywhere
        try:
            async with (
                asyncio.timeout(SECONDS),
                client(guard, seconds=SECONDS, ca_file=source.ca_file) as http,
            ):
                url = source.jwks_url or await _discovered(http, source.issuer)
                return keys.key_set(await _get(http, url))
        except TimeoutError:
            raise Unreachable(f"no answer within {SECONDS:.0f} s") from None
        except (httpx.ProtocolError, httpx.DecodingError, httpx.InvalidURL) as fault:
            raise Unreachable(type(fault).__name__) from None  # its text may be the issuer's
        except (httpx.HTTPError, ValueError, OSError) as fault:
            raise Unreachable(str(fault)) from None


async def _discovered(http: httpx.AsyncClient, issuer: str) -> str:
    """Where the issuer says that its keys are; ``ValueError`` when it says nothing of use."""
    where = issuer.removesuffix("/") + "/.well-known/openid-configuration"
    try:
        document = msgspec.json.decode(await _get(http, where), type=_Document)
    except (msgspec.DecodeError, RecursionError):
        raise ValueError("its discovery document cannot be read") from None
    if document.issuer != issuer:
        raise ValueError("its discovery document is another issuer's")
    target = parse_target(document.jwks_uri)
    if issuer.startswith("https:") and not target.encrypted:
        raise ValueError("its keys are not behind https")
    return document.jwks_uri


async def _get(http: httpx.AsyncClient, url: str) -> bytes:
    headers = {"accept": "application/json", "accept-encoding": "identity"}
    answer = await send(http, http.build_request("GET", url, headers=headers), keys.SET_LONGEST)
    if answer.status != 200:
        raise ValueError(f"the answer was {answer.status}")
    return answer.body


def _required(found: Key | None) -> Key:
    if found is None:
        raise Refusal("token_invalid", "this token cannot be verified; get a new one")
    return found
