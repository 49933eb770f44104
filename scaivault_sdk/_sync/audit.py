# Made by scripts/sdk from scaivault_sdk/_async/audit.py; change it there.
"""``client.audit``."""

from __future__ import annotations

import builtins
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from scaivault_sdk._calls import Call, given, secret_target, segment
from scaivault_sdk._sync.base import Namespace
from scaivault_sdk._sync.pages import Page
from scaivault_sdk.models.audit import (
    AuditExport,
    AuditRecord,
    AuditSummary,
    ChainReport,
    Checkpoint,
    CheckpointKey,
    IdentityActivity,
    Retention,
    SecretActivity,
)
from scaivault_sdk.models.base import Model, models_of

_BASE = "/v1/audit"

Actions = str | Sequence[str]
Moment = datetime | str
S = TypeVar("S", bound=Model)


@dataclass(frozen=True)
class Trail(Page[AuditRecord], Generic[S]):
    """A page of rows about one secret or identity, and what they come to."""

    summary: S = field(kw_only=True)


def _trail(page: Page[AuditRecord], kind: type[S]) -> Trail[S]:
    fields = {each.name: getattr(page, each.name) for each in dataclasses.fields(page)}
    return Trail(**fields, summary=kind.from_wire(page.extra.get("summary")))


class Audit(Namespace):
    """The audit log: queries, trails, exports, verification."""

    def logs(
        self,
        from_: Moment | None = None,
        to: Moment | None = None,
        action: Actions | None = None,
        identity_id: str | None = None,
        identity_type: str | None = None,
        path_prefix: str | None = None,
        success: bool | None = None,
        source_ip: str | None = None,
        request_id: str | None = None,
        *,
        order: str | None = None,
        scope: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[AuditRecord]:
        """A page of rows with ``from_`` <= time < ``to``, newest first unless ``order="asc"``.

        ``action``: one or several. ``identity_id="none"``: rows without an identity. ``scope``:
        ``tenant``, ``partner`` or ``vault``.
        """
        query = {
            "from": from_,
            "to": to,
            "action": _joined(action),
            "identity_id": identity_id,
            "identity_type": identity_type,
            "path_prefix": path_prefix,
            "success": success,
            "source_ip": source_ip,
            "request_id": request_id,
            "order": order,
            "scope": scope,
            "limit": limit,
            "cursor": cursor,
        }
        return self._page(f"{_BASE}/logs", "logs", AuditRecord.from_wire, query)

    def iterate(
        self,
        from_: Moment | None = None,
        to: Moment | None = None,
        action: Actions | None = None,
        identity_id: str | None = None,
        identity_type: str | None = None,
        path_prefix: str | None = None,
        success: bool | None = None,
        source_ip: str | None = None,
        request_id: str | None = None,
        *,
        order: str | None = None,
        scope: str | None = None,
        limit: int | None = None,
    ) -> Iterator[AuditRecord]:
        """As ``logs``, over all pages."""
        page = self.logs(
            from_,
            to,
            action,
            identity_id,
            identity_type,
            path_prefix,
            success,
            source_ip,
            request_id,
            order=order,
            scope=scope,
            limit=limit,
        )
        for record in page.items():
            yield record

    def secret(
        self,
        path: str,
        from_: Moment | None = None,
        to: Moment | None = None,
        *,
        action: Actions | None = None,
        identity_id: str | None = None,
        success: bool | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Trail[SecretActivity]:
        """What happened to a path, whether it holds anything or not. The summary covers the last
        30 days."""
        query = {
            "from": from_,
            "to": to,
            "action": _joined(action),
            "identity_id": identity_id,
            "success": success,
            "limit": limit,
            "cursor": cursor,
        }
        where = f"{_BASE}/secrets/{secret_target(path)}"
        page = self._page(where, "logs", AuditRecord.from_wire, query)
        return _trail(page, SecretActivity)

    def identity(
        self,
        identity_id: str,
        from_: Moment | None = None,
        to: Moment | None = None,
        *,
        action: Actions | None = None,
        path_prefix: str | None = None,
        success: bool | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Trail[IdentityActivity]:
        """What an identity did; the summary covers the same range."""
        query = {
            "from": from_,
            "to": to,
            "action": _joined(action),
            "path_prefix": path_prefix,
            "success": success,
            "limit": limit,
            "cursor": cursor,
        }
        where = f"{_BASE}/identities/{segment(identity_id, 'identity_id')}"
        page = self._page(where, "logs", AuditRecord.from_wire, query)
        return _trail(page, IdentityActivity)

    def summary(self, from_: Moment | None = None, to: Moment | None = None) -> AuditSummary:
        """Counts over a range, by default the last 30 days."""
        query = {"from": from_, "to": to}
        return AuditSummary.from_wire(self._get(f"{_BASE}/summary", **query))

    # -- exports --------------------------------------------------------------------------------

    def export(
        self,
        from_: Moment,
        to: Moment,
        destination: Mapping[str, Any],
        *,
        format: str | None = None,  # noqa: A002 - the name of the field
        filters: Mapping[str, Any] | None = None,
    ) -> AuditExport:
        """Start a job that writes the rows of a range to ``destination``: ``type`` (``file``,
        ``s3``, ``gcs``, ``azure_blob``), ``bucket``, ``prefix``, ``credentials_path``, …
        ``format``: ``jsonl`` or ``csv``."""
        body = {
            "from": from_,
            "to": to,
            "destination": dict(destination),
            **given(format=format, filters=filters),
        }
        return AuditExport.from_wire(self._post(f"{_BASE}/export", body))

    def exports(self, *, limit: int | None = None, cursor: str | None = None) -> Page[AuditExport]:
        """A page of jobs, newest first."""
        query = {"limit": limit, "cursor": cursor}
        return self._page(f"{_BASE}/exports", "exports", AuditExport.from_wire, query)

    def get_export(self, export_id: str) -> AuditExport:
        """A job, with its manifest once it is complete."""
        where = f"{_BASE}/exports/{segment(export_id, 'export_id')}"
        return AuditExport.from_wire(self._get(where))

    # -- retention ------------------------------------------------------------------------------

    def retention(self) -> Retention:
        """How long the tenant's rows are kept."""
        return Retention.from_wire(self._get(f"{_BASE}/retention"))

    def set_retention(self, retention: str) -> Retention:
        """Keep them for ``retention`` (a duration) from now on; a shorter time holds after a week,
        in which it can be taken back."""
        return Retention.from_wire(self._put(f"{_BASE}/retention", {"retention": retention}))

    # -- the chain ------------------------------------------------------------------------------

    def verify(
        self,
        *,
        from_seq: int | None = None,
        to_seq: int | None = None,
        from_: Moment | None = None,
        to: Moment | None = None,
        expect: str | None = None,
    ) -> ChainReport:
        """Let the server verify the chain: all of it, or a range of rows or times. ``expect``:
        ``<seq>:<hash>`` known from elsewhere."""
        query = {
            "from_seq": from_seq,
            "to_seq": to_seq,
            "from": from_,
            "to": to,
            "expect": expect,
        }
        answer = self._caller.send(Call("GET", f"{_BASE}/verify", query, slow=True))
        return ChainReport.from_wire(answer.body)

    def checkpoints(
        self, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[Checkpoint]:
        """A page of signed heads, newest first."""
        query = {"limit": limit, "cursor": cursor}
        return self._page(f"{_BASE}/checkpoints", "checkpoints", Checkpoint.from_wire, query)

    def keys(self) -> builtins.list[CheckpointKey]:
        """Every key that ever signed, oldest first."""
        body = self._get(f"{_BASE}/keys")
        return models_of(CheckpointKey, body.get("keys"))


def _joined(action: Actions | None) -> str | None:
    return action if action is None or isinstance(action, str) else ",".join(action)
