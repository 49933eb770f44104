"""Lists of secrets: by path, and by the end of their life."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from scaivault.clock import DAY, instant, instant_or_none
from scaivault.errors import faults
from scaivault.gate.caller import Caller
from scaivault.gate.cursors import Cursors, Pages, Place
from scaivault.gate.gate import Act, Gate
from scaivault.gate.paths import check_prefix
from scaivault.gate.sight import Sight, Spans, behind, below, common
from scaivault.secrets import model, store
from scaivault.secrets.facts import Facts
from scaivault.secrets.selection import Count, Ends, Selection
from scaivault.secrets.shelf import Key, Shelf
from scaivault.secrets.tallies import Tallies, Tally
from scaivault.storage.file import Connection
from scaivault.wire import secret_lists as wire
from scaivault.wire.secrets import SecretInfo
from scaivault.wire.values import parse_instant

_FLAGS: Final = ("include_expired", "include_metadata", "include_deleted")
_DAYS: Final = 30
_BEHIND: Final = "\x7f"  # sorts behind every path
_STEP: Final = 500  # ends looked at in one go where not every one may be told


class _View(NamedTuple):
    """What one page shows: of whom, which, where from, and what the caller may see of it."""

    caller: Caller
    selection: Selection
    spans: Spans
    sight: Sight
    place: Place


class _Found(NamedTuple):
    """Items, and all else that is told of each without its value, if that was asked for."""

    items: list[wire.SecretItem]
    infos: list[SecretInfo | None]


class Lists:
    """One per open vault. ``retention``: how long a soft delete can be undone, in microseconds."""

    def __init__(
        self, gate: Gate, cursors: Cursors, facts: Facts, shelf: Shelf, retention: int
    ) -> None:
        self._gate: Final = gate
        self._facts: Final = facts
        self._shelf: Final = shelf
        self._retention: Final = retention
        self._tallies: Final = Tallies()
        unsent = {"prefix": "", **dict.fromkeys(_FLAGS, False)}
        self._pages: Final = Pages(cursors, "secrets", unsent=unsent)
        self._ends: Final = Pages(cursors, "secrets_expiring", unsent={"prefix": "", "days": _DAYS})

    # -- by path -------------------------------------------------------------------------------

    async def page(self, caller: Caller, request: wire.ListSecrets) -> wire.SecretPage:
        """One page of the paths that the caller may list, in path order."""
        place = self._pages.place(caller, request, "", **_filters(request))
        act = Act("list", path=place.filters["prefix"] or None)

        async def look() -> wire.SecretPage:
            page = await self._page(self._view(caller, place))
            act.extra["count"] = len(page.secrets)
            return page

        return await self._gate.read(caller, act, look)

    def _view(self, caller: Caller, place: Place) -> _View:
        known = place.filters
        kept = caller.now - self._retention if known["include_deleted"] else None
        selection = Selection(
            tags=tuple(known.get("tag", ())),
            secret_type=known.get("secret_type"),
            expires_before=known.get("expires_before"),
            updated_after=known.get("updated_after"),
            expired=known["include_expired"],
            kept=kept,
        )
        sight = self._gate.sight(caller, "list")
        spans = common(sight.spans, (below(known["prefix"]),))
        return _View(caller, selection, spans, sight, place)

    async def _page(self, view: _View) -> wire.SecretPage:
        caller, selection, spans, sight, place = view
        owner, now = caller.owner, caller.now
        key = (owner, selection, place.filters["prefix"], sight.key)
        change = self._shelf.changes(owner)
        known = self._tallies.find(key, change, now)

        def question(db: Connection) -> tuple[_Found, Count]:
            count = known or selection.tally(db, owner, spans, sight.fits, now)
            left = common(spans, (below("")._replace(first=behind(place.position)),))
            rows = selection.page(db, owner, left, sight, count.few, now, place.limit + 1)
            return self._found(db, view, rows), count

        found, count = await self._gate.ask(question)
        # What moves with the clock in other ways is counted anew each time.
        lasts = selection.kept is None and change == self._shelf.changes(owner)
        if known is None and lasts:
            until = None if selection.expired else count.ends
            self._tallies.keep(key, Tally(count, now, until, change))
        page = self._pages.cut(caller, place, found.items, lambda item: item.path)
        for item, info in zip(page.items, found.infos, strict=False):
            self._complete(caller, item, info)
        scope = model.scope_of(owner)
        return wire.SecretPage(page.items, page.cursor, page.has_more, count.total, scope)

    def _found(self, db: Connection, view: _View, rows: list[Any]) -> _Found:
        items = [self._item(row) for row in rows]
        if not view.place.filters["include_metadata"]:
            return _Found(items, [])
        owner, now = view.caller.owner, view.caller.now
        return _Found(items, [self._info(db, (owner, item.path), now) for item in items])

    def _item(self, row: Any) -> wire.SecretItem:
        path, secret_type, version, updated_at, expires_at, metadata, deleted_at = row
        item = wire.SecretItem(
            path,
            secret_type,
            version,
            instant(updated_at),
            instant_or_none(expires_at),
            model.tags_of(metadata),
        )
        if deleted_at is not None:
            item.deleted_at = instant(deleted_at)
            item.recoverable_until = instant(deleted_at + self._retention)
        return item

    def _info(self, db: Connection, key: Key, now: int) -> SecretInfo | None:
        secret = store.find(db, *key)
        return None if secret is None else self._facts.info(db, key, secret, now)

    def _complete(self, caller: Caller, item: wire.SecretItem, info: SecretInfo | None) -> None:
        if info is not None:
            self._facts.counted(info, (caller.owner, item.path), caller.now)
            for name in _FURTHER:
                setattr(item, name, getattr(info, name))

    # -- by end of life ------------------------------------------------------------------------

    async def expiring(self, caller: Caller, request: wire.ListExpiring) -> wire.ExpiringPage:
        """One page of the secrets that end within some days, soonest first."""
        check_prefix(request.prefix or "")
        place = self._ends.place(caller, request, [0, ""], days=request.days, prefix=request.prefix)
        act = Act("list", path=place.filters["prefix"] or None)
        sight = self._gate.sight(caller, "list")

        async def look() -> wire.ExpiringPage:
            found = await self._gate.ask(lambda db: _expiring(db, caller, place, sight))
            page = self._ends.cut(caller, place, found, lambda row: [row[1], row[0]])
            act.extra["count"] = len(page.items)
            items = [_ending(path, end, caller.now) for path, end in page.items]
            return wire.ExpiringPage(
                items, page.cursor, page.has_more, model.scope_of(caller.owner)
            )

        return await self._gate.read(caller, act, look)


_FURTHER: Final = (
    "current_version", "version_count", "metadata", "created_at", "last_accessed_at",
    "access_count_30d", "rotation_policy", "secret_policy_id", "options", "source",
)  # fmt: skip


def _filters(request: wire.ListSecrets) -> dict[str, Any]:
    """What was sent, checked; None for the rest."""
    check_prefix(request.prefix or "")
    model.check_type(request.secret_type)
    return {
        "prefix": request.prefix,
        "tag": sorted(set(request.tag)) or None,
        "secret_type": request.secret_type,
        **_times(expires_before=request.expires_before, updated_after=request.updated_after),
        **{name: getattr(request, name) for name in _FLAGS},
    }


def _times(**texts: str | None) -> dict[str, int | None]:
    """Instants by field; 422 names every field at fault."""
    found: dict[str, str] = {}
    times: dict[str, int | None] = dict.fromkeys(texts)
    for name, text in texts.items():
        try:
            times[name] = None if text is None else parse_instant(text)
        except (ValueError, OverflowError):
            found[name] = "must be an RFC 3339 timestamp or a date"
    if found:
        raise faults(found)
    return times


def _expiring(db: Connection, caller: Caller, place: Place, sight: Sight) -> list[tuple[str, int]]:
    """One row more than the page takes, of those that may be told."""
    # Whatever ended since the last page is left out.
    at, path = max(tuple(place.position), (caller.now, _BEHIND))
    until = caller.now + place.filters["days"] * DAY
    prefix = place.filters["prefix"]
    found: list[tuple[str, int]] = []
    while len(found) <= place.limit:
        rows = Ends(at, path, until, prefix).rows(db, caller.owner, _STEP)
        found += [row for row in rows if sight.fits(row[0]) and sight.allows(row[0])]
        if len(rows) < _STEP:
            break
        path, at = rows[-1]
    return found[: place.limit + 1]


def _ending(path: str, end: int, now: int) -> wire.ExpiringItem:
    return wire.ExpiringItem(path, instant(end), -((now - end) // DAY))
