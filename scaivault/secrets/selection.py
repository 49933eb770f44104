"""Which secrets a list is about, and their rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final, NamedTuple

from scaivault.gate.sight import Sight, Span, Spans, below
from scaivault.storage.file import Connection

_NEVER: Final = 2**63
_FEW: Final = 500  # paths that a count holds, for the pages after it: about 45 KB

_COLUMNS: Final = (
    "SELECT s.path, s.secret_type, s.current_version, s.updated_at, s.expires_at, s.metadata,"
    " s.deleted_at"
)
_ALL: Final = " FROM secret s"
# The planner takes the table for no dearer, though its rows are ten times as wide.
_INDEX: Final = " INDEXED BY secret_listed"
_WITHIN: Final = " WHERE s.owner_id = :owner AND s.path >= :first AND s.path < :beyond"
# CROSS JOIN: the tag comes first, whatever the planner thinks; paths are in order there too.
_TAGGED: Final = (
    " FROM secret_tag t CROSS JOIN secret s ON s.owner_id = t.owner_id AND s.path = t.path"
    " WHERE t.owner_id = :owner AND t.tag = :tag AND t.path >= :first AND t.path < :beyond"
)
_OTHER_TAGS: Final = (
    " AND NOT EXISTS (SELECT 1 FROM json_each(:other_tags) j WHERE NOT EXISTS"
    " (SELECT 1 FROM secret_tag o"
    " WHERE o.owner_id = s.owner_id AND o.tag = j.value AND o.path = s.path))"
)
_LIVE: Final = " AND s.deleted_at IS NULL"
_UNEXPIRED: Final = " AND (s.expires_at IS NULL OR s.expires_at > :now)"
_KEPT: Final = " AND (s.deleted_at IS NULL OR s.deleted_at > :kept)"
_UNEXPIRED_OR_DELETED: Final = (
    " AND (s.expires_at IS NULL OR s.expires_at > :now OR s.deleted_at IS NOT NULL)"
)
_ALL_AMONG: Final = " AND s.path IN (SELECT value FROM json_each(:among))"
_TAGGED_AMONG: Final = " AND t.path IN (SELECT value FROM json_each(:among))"
_TYPE: Final = " AND s.secret_type = :secret_type"
_EXPIRES: Final = " AND s.expires_at < :expires_before"
_UPDATED: Final = " AND s.updated_at > :updated_after"

_EXPIRING: Final = (
    "SELECT path, expires_at FROM secret WHERE owner_id = :owner AND deleted_at IS NULL"
    " AND expires_at IS NOT NULL AND (expires_at, path) > (:at, :path)"
    " AND expires_at <= :until AND path >= :first AND path < :beyond"
    " ORDER BY expires_at, path LIMIT :limit"
)
_FACTS: Final = (
    "SELECT path, current_version, updated_at, metadata FROM secret"
    " WHERE owner_id = :owner AND path = :path AND deleted_at IS NULL"
)


class Count(NamedTuple):
    """What was counted: how many; the first instant at which one of them expires, if one does;
    the paths of those outside of whole spans, in order, where they are few."""

    total: int
    ends: int | None
    few: tuple[str, ...] | None


class Selection(NamedTuple):
    """The filters of a list; times are instants. ``kept``: soft-deleted ones are there too, those
    deleted after this instant."""

    tags: tuple[str, ...] = ()
    secret_type: str | None = None
    expires_before: int | None = None
    updated_after: int | None = None
    expired: bool = False
    kept: int | None = None

    def _rows(self, *, narrow: bool = False) -> str:
        """FROM and WHERE, put together of the literals above; ``narrow``: for path and expiry
        only, which the index of lists holds."""
        deleted = self.kept is not None
        wide = deleted or self.tags or self.secret_type or self.updated_after is not None
        parts = [
            (_TAGGED, bool(self.tags)),
            (_ALL, not self.tags),
            (_INDEX, narrow and not wide),
            (_WITHIN, not self.tags),
            (_OTHER_TAGS, len(self.tags) > 1),
            (_KEPT if deleted else _LIVE, True),
            (_UNEXPIRED_OR_DELETED if deleted else _UNEXPIRED, not self.expired),
            (_TYPE, self.secret_type is not None),
            (_EXPIRES, self.expires_before is not None),
            (_UPDATED, self.updated_after is not None),
        ]
        return "".join(text for text, wanted in parts if wanted)

    def _values(self, owner: str, span: Span, now: int) -> dict[str, object]:
        return {
            "owner": owner,
            "first": span.first,
            "beyond": span.beyond,
            "now": now,
            "kept": self.kept,
            "secret_type": self.secret_type,
            "expires_before": self.expires_before,
            "updated_after": self.updated_after,
            "tag": self.tags[0] if self.tags else None,
            "other_tags": json.dumps(self.tags[1:]),
        }

    def page(
        self,
        db: Connection,
        owner: str,
        spans: Spans,
        sight: Sight,
        few: tuple[str, ...] | None,
        now: int,
        most: int,
    ) -> list[Any]:
        """The first ``most`` rows in ``spans`` that may be told, in path order: (path,
        secret_type, version, updated_at, expires_at, metadata, deleted_at). ``few``: those of the
        last count, if it still holds."""
        found: list[Any] = []
        for span in spans:
            if len(found) == most:
                break
            values = self._values(owner, span, now)
            if span.whole:
                sql = "".join((_COLUMNS, self._rows(), self._order, " LIMIT :limit"))
                rows = db.execute(sql, {**values, "limit": most - len(found)})
                found += [row for row in rows if sight.allows(row[0])]
                continue
            if few is None:
                paths = (path for path, _ in self.walk(db, owner, span, now))
            else:
                paths = (path for path in few if span.first <= path < span.beyond)
            told = filter(sight.allows, filter(sight.fits, paths))
            sql = "".join((_COLUMNS, self._rows(), self._among, self._order))
            # Where something changed since the count, there are fewer rows than paths.
            while among := list(islice(told, most - len(found))):
                found += db.execute(sql, {**values, "among": json.dumps(among)})
        return found

    def tally(
        self, db: Connection, owner: str, spans: Spans, fits: Callable[[str], bool], now: int
    ) -> Count:
        """All rows in ``spans`` that may be told."""
        total, ends = 0, _NEVER
        found: list[str] = []
        for span in spans:
            if span.whole:
                sql = "".join(("SELECT count(*), min(s.expires_at)", self._rows(narrow=True)))
                number, end = db.execute(sql, self._values(owner, span, now)).fetchone()
                total += number
                ends = min(ends, end or _NEVER)
                continue
            for path, end in self.walk(db, owner, span, now):
                if fits(path):
                    total += 1
                    ends = min(ends, end or _NEVER)
                    if len(found) <= _FEW:
                        found.append(path)
        few = tuple(found) if len(found) <= _FEW else None
        return Count(total, None if ends == _NEVER else ends, few)

    def walk(self, db: Connection, owner: str, span: Span, now: int) -> Iterator[Any]:
        """(path, expires_at) of all rows of a span, in path order."""
        sql = "".join(("SELECT s.path, s.expires_at", self._rows(narrow=True), self._order))
        return db.execute(sql, self._values(owner, span, now))

    @property
    def _among(self) -> str:
        return _TAGGED_AMONG if self.tags else _ALL_AMONG

    @property
    def _order(self) -> str:
        return " ORDER BY t.path" if self.tags else " ORDER BY s.path"


def facts(db: Connection, owner: str, path: str) -> Any:
    """(path, version, updated_at, metadata) of a live secret, or None."""
    return db.execute(_FACTS, {"owner": owner, "path": path}).fetchone()


class Ends(NamedTuple):
    """Ends of life behind (``at``, ``path``), until an instant, under a prefix."""

    at: int
    path: str
    until: int
    prefix: str

    def rows(self, db: Connection, owner: str, limit: int) -> list[tuple[str, int]]:
        """(path, expires_at), soonest first."""
        span = below(self.prefix)
        values = {**self._asdict(), "owner": owner, "first": span.first, "beyond": span.beyond}
        return db.execute(_EXPIRING, {**values, "limit": limit}).fetchall()
