"""The verbs that read the ledger: rows, the trail of a secret, the trail of an identity, sums."""

from __future__ import annotations

from collections import Counter
from typing import Final, NamedTuple

from scaivault.audit.asked import Asked, Known, filter_of, identity, sight
from scaivault.audit.filters import NOBODY, Filter, Sight
from scaivault.audit.looking import Looking
from scaivault.audit.rows import Row
from scaivault.audit.search import Question, Reach, Stretch
from scaivault.audit.tally import Count, Mark, Of, Tally
from scaivault.audit.terms import Kind
from scaivault.clock import DAY, instant
from scaivault.crypto import digest
from scaivault.errors import CODES
from scaivault.gate.caller import Caller
from scaivault.gate.cursors import Cursors, Page, Pages, Place
from scaivault.gate.gate import Act, Gate
from scaivault.wire import audit_logs as wire

PAGE: Final = 100
PERIOD: Final = 30  # days
MOST_NAMED: Final = 10_000
_TOP: Final = 10

_OF_SECRET: Final = (
    Count(Of.EVERY, Kind.ALL),
    Count(Of.EVERY, Kind.CODE),
    Count(Of.EVERY, Kind.IDENTITY),
    Count(Of.GRANTED, Kind.ACTION),
)
_OF_IDENTITY: Final = (
    Count(Of.EVERY, Kind.ALL),
    Count(Of.EVERY, Kind.REFUSED),
    Count(Of.EVERY, Kind.ACTION),
    Count(Of.EVERY, Kind.ADDRESS),
    Count(Of.READ, Kind.PATH),
)
_OF_TENANT: Final = (
    Count(Of.EVERY, Kind.ALL),
    Count(Of.EVERY, Kind.REFUSED),
    Count(Of.EVERY, Kind.ACTION),
    Count(Of.EVERY, Kind.CODE),
    Count(Of.EVERY, Kind.TYPE),
    Count(Of.EVERY, Kind.IDENTITY),
    Count(Of.EVERY, Kind.PATH),
)

Trail = wire.ListLogs | wire.SecretTrail | wire.IdentityTrail


class _Point(NamedTuple):
    """Where a page begins. All pages of one list see the rows up to ``head`` only, and count from
    ``now``: the first page fixes both, or asking for pages would add to what they show."""

    behind: int | None = None
    head: int | None = None
    now: int | None = None


class _Found(NamedTuple):
    """A page, and what its summary goes over."""

    page: Page[wire.LogEntry]
    stretch: Stretch
    place: Place
    now: int


class Trails:
    """One per open vault."""

    def __init__(self, gate: Gate, cursors: Cursors, vault_id: str, known: Known) -> None:
        self._gate: Final = gate
        self._known: Final = known
        self._genesis: Final = digest.chain_start(vault_id)
        self._looking: Final = Looking(gate)
        self._logs: Final = Pages(cursors, "audit_logs", PAGE, {"order": "desc", "scope": "tenant"})
        self._secrets: Final = Pages(cursors, "audit_secrets", PAGE)
        self._identities: Final = Pages(cursors, "audit_identities", PAGE)

    # -- rows ----------------------------------------------------------------------------------

    async def logs(self, caller: Caller, request: wire.ListLogs) -> wire.LogPage:
        """Rows in the caller's sight, newest first unless told otherwise."""
        act = Act("audit_read")

        async def look() -> wire.LogPage:
            asked = await self._asked(caller, request, request.identity_id)
            asked.address(request.source_ip)
            asked.plain(
                identity_type=request.identity_type,
                path_prefix=request.path_prefix,
                success=request.success,
                request_id=request.request_id,
                order=request.order,
                scope=request.scope,
            )
            asked.check()
            place = self._logs.place(caller, request, _Point(), **asked.fields)
            question = Question(sight(caller, place.filters["scope"]), filter_of(place.filters))
            found = await self._page(caller, self._logs, place, question, act)
            return wire.LogPage(*found.page)

        return await self._gate.read(caller, act, look)

    async def secret(self, caller: Caller, request: wire.SecretTrail) -> wire.SecretTrailPage:
        """All that became of a path, whether or not anything is there; and its last 30 days."""
        act = Act("audit_read", path=request.path)

        async def look() -> wire.SecretTrailPage:
            self._gate.reach(caller, request.path)
            # Every row of the trail has this path: the token says nothing more about them.
            seen = _without_paths(sight(caller))
            asked = await self._asked(caller, request, request.identity_id)
            asked.plain(path=request.path, success=request.success)
            asked.check()
            place = self._secrets.place(caller, request, _Point(), **asked.fields)
            question = Question(seen, filter_of(place.filters), request.path)
            found = await self._page(caller, self._secrets, place, question, act)
            summary = await self._secret_summary(seen, request.path, found)
            return wire.SecretTrailPage(request.path, summary, *found.page)

        return await self._gate.read(caller, act, look)

    async def identity(self, caller: Caller, request: wire.IdentityTrail) -> wire.IdentityTrailPage:
        """All that an identity did, in the caller's tenant and as one of it elsewhere."""
        act = Act("audit_read")

        async def look() -> wire.IdentityTrailPage:
            kind, named = await self._named(caller, request.identity_id) or ("", "")
            asked = await self._asked(caller, request, request.identity_id)
            asked.plain(path_prefix=request.path_prefix, success=request.success)
            asked.check()
            place = self._identities.place(caller, request, _Point(), **asked.fields)
            question = Question(sight(caller), filter_of(place.filters), reach=Reach.BOTH)
            found = await self._page(caller, self._identities, place, question, act)
            summary = await self._identity_summary(question, found)
            return wire.IdentityTrailPage(named, kind, summary, *found.page)

        return await self._gate.read(caller, act, look)

    async def summary(self, caller: Caller, request: wire.Summarize) -> wire.Summary:
        """Sums over the tenant's rows in sight."""

        async def look() -> wire.Summary:
            asked = Asked()
            asked.times(request.from_ or instant(caller.now - PERIOD * DAY), request.to)
            asked.check()
            # Without ``to`` nothing is left out that was committed by now.
            until = asked.fields.get("until", instant(caller.now))
            question = Question(sight(caller), filter_of(asked.fields))
            stretch = await self._looking.stretch()
            tally = await self._looking.tally(question, stretch, _OF_TENANT)
            return _summary(tally, asked.fields["since"], until)

        return await self._gate.read(caller, Act("audit_read"), look)

    # -- what is asked -------------------------------------------------------------------------

    async def _asked(self, caller: Caller, request: Trail, reference: str | None) -> Asked:
        """What all lists have in common."""
        asked = Asked()
        asked.times(request.from_, request.to)
        asked.actions(request.action)
        if reference == NOBODY and not isinstance(request, wire.IdentityTrail):
            asked.plain(identity_id=NOBODY)
        elif reference is not None:
            asked.identity(await self._named(caller, reference))
        return asked

    async def _named(self, caller: Caller, reference: str) -> tuple[str, str] | None:
        tenant = caller.tenant
        return await self._gate.ask(lambda db: identity(db, self._known, tenant, reference))

    # -- what is found -------------------------------------------------------------------------

    async def _page(
        self, caller: Caller, pages: Pages, place: Place, question: Question, act: Act
    ) -> _Found:
        point = _Point(*place.position)
        now = caller.now if point.now is None else point.now
        whole = await self._looking.stretch(point.head)
        rising = place.filters.get("order") == "asc"
        found, reached = await self._looking.find(
            question, _rest(whole, point, rising), place.limit + 1, rising=rising
        )
        links = await self._looking.links(found)
        links[0] = self._genesis
        items = [_entry(row, links) for row in found]
        broken_off = None if reached is None else [reached, whole.last, now]
        page = pages.cut(caller, place, items, lambda item: [item.seq, whole.last, now], broken_off)
        act.extra["records"] = len(page.items)
        return _Found(page, whole, place, now)

    async def _secret_summary(self, sight: Sight, path: str, found: _Found) -> wire.SecretSummary:
        since = instant(found.now - PERIOD * DAY)
        question = Question(sight, Filter(since=since), path)
        tally = await self._looking.tally(question, found.stretch, _OF_SECRET, marks=True)
        done = tally.counts[Count(Of.GRANTED, Kind.ACTION)]
        codes = tally.counts[Count(Of.EVERY, Kind.CODE)]
        return wire.SecretSummary(
            period_days=PERIOD,
            total_events=tally.sum(Of.EVERY, Kind.ALL),
            reads=done["read"],
            writes=done["write"],
            rotations=done["rotate"],
            deletes=done["delete"],
            denied=sum(count for code, count in codes.items() if CODES.get(code) == 403),
            unique_identities=_people(tally),
            last_accessed_at=_at(tally.last_read),
            last_accessed_by=None if tally.last_read is None else tally.last_read.by,
        )

    async def _identity_summary(self, question: Question, found: _Found) -> wire.IdentitySummary:
        asked = question.filter
        question = question._replace(
            filter=Filter(since=asked.since, until=asked.until, identity_id=asked.identity_id)
        )
        tally = await self._looking.tally(question, found.stretch, _OF_IDENTITY, marks=True)
        total, failed = tally.sum(Of.EVERY, Kind.ALL), tally.sum(Of.EVERY, Kind.REFUSED)
        paths = sorted(tally.counts[Count(Of.READ, Kind.PATH)])
        return wire.IdentitySummary(
            from_=asked.since,
            to=asked.until,
            total_events=total,
            successful_events=total - failed,
            failed_events=failed,
            first_seen=_at(tally.first),
            last_seen=_at(tally.last),
            actions=_sorted(tally.counts[Count(Of.EVERY, Kind.ACTION)]),
            source_ips=sorted(tally.counts[Count(Of.EVERY, Kind.ADDRESS)]),
            resources_accessed=paths[:MOST_NAMED],
            truncated=len(paths) > MOST_NAMED,
        )


def _without_paths(sight: Sight) -> Sight:
    return Sight(sight.scope, sight.tenant_id, sight.partner_id)


def _rest(whole: Stretch, point: _Point, rising: bool) -> Stretch:
    if point.behind is None:
        return whole
    if rising:
        return whole._replace(first=point.behind + 1)
    return whole._replace(last=point.behind - 1)


def _entry(row: Row, links: dict[int, bytes]) -> wire.LogEntry:
    entry = row.entry
    return wire.LogEntry(
        id=entry.id,
        timestamp=entry.timestamp,
        action=entry.action,
        identity_type=entry.identity_type,
        identity_id=entry.identity_id,
        secret_path=entry.secret_path,
        source_ip=entry.source_ip,
        user_agent=entry.user_agent,
        success=entry.success,
        duration_ms=entry.duration_ms,
        request_id=entry.request_id,
        extra_data=entry.extra_data,
        tenant_id=entry.tenant_id,
        partner_id=entry.partner_id,
        actor_tenant_id=entry.actor_tenant_id,
        seq=row.seq,
        prev_hash=links.get(row.seq - 1, b"").hex(),
        hash=row.hash.hex(),
    )


def _summary(tally: Tally, since: str, until: str) -> wire.Summary:
    total, failed = tally.sum(Of.EVERY, Kind.ALL), tally.sum(Of.EVERY, Kind.REFUSED)
    people = _named(tally.counts[Count(Of.EVERY, Kind.IDENTITY)])
    # A list's prefix is no secret.
    paths = {
        path: count
        for path, count in tally.counts[Count(Of.EVERY, Kind.PATH)].items()
        if path and not path.endswith("/")
    }
    return wire.Summary(
        total_events=total,
        successful_events=total - failed,
        failed_events=failed,
        unique_identities=len(people),
        unique_secrets=len(paths),
        from_=since,
        to=until,
        by_action=_sorted(tally.counts[Count(Of.EVERY, Kind.ACTION)]),
        by_identity_type=_sorted(tally.counts[Count(Of.EVERY, Kind.TYPE)]),
        by_error_code=_sorted(tally.counts[Count(Of.EVERY, Kind.CODE)]),
        top_identities=[wire.IdentityEvents(*one) for one in _top(people)],
        top_secrets=[wire.SecretEvents(*one) for one in _top(paths)],
    )


def _people(tally: Tally) -> int:
    return len(_named(tally.counts[Count(Of.EVERY, Kind.IDENTITY)]))


def _named(counts: Counter[str]) -> dict[str, int]:
    """Without the rows of nobody."""
    return {name: count for name, count in counts.items() if name and count}


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return {name: counts[name] for name in sorted(counts) if counts[name]}


def _top(counts: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:_TOP]


def _at(mark: Mark | None) -> str | None:
    return None if mark is None else mark.at
