"""What an export was asked to be: checked once, kept with the job, and understood the same when
the job runs."""

from __future__ import annotations

from typing import Any

import msgspec

from scaivault.audit.asked import Asked, Known, filter_of, identity
from scaivault.audit.destinations.contract import BUCKET, REGION
from scaivault.audit.filters import NOBODY, Filter
from scaivault.errors import Refusal, faults
from scaivault.gate.paths import check_path
from scaivault.outbound import AddressRefused, Guard, parse_target
from scaivault.storage.file import Connection
from scaivault.wire.audit_jobs import ExportBody, ExportDestination
from scaivault.wire.prefixes import PREFIX_RULE, is_prefix


class Wanted(msgspec.Struct, frozen=True):
    """``body`` as it was sent; ``fields``: its filters and times as ``filter_of`` takes them, of
    which ``since`` and ``until`` are texts of ``clock.instant``."""

    body: ExportBody
    fields: dict[str, Any]

    @property
    def filter(self) -> Filter:
        return filter_of(self.fields)

    @property
    def since(self) -> str:
        return str(self.fields["since"])

    @property
    def until(self) -> str:
        return str(self.fields["until"])


def wanted(db: Connection, tenant: str, body: ExportBody, known: Known, guard: Guard) -> Wanted:
    """All fields checked, all faults at once."""
    found: dict[str, str] = {}
    _check_destination(body.destination, guard, found)
    fields = _fields(db, tenant, body, known, found)
    if found:
        raise faults(found)
    if body.destination.credentials_path is not None:
        check_path(body.destination.credentials_path)
    return Wanted(body, fields)


def _fields(
    db: Connection, tenant: str, body: ExportBody, known: Known, found: dict[str, str]
) -> dict[str, Any]:
    terms, filters = Asked(), body.filters
    terms.times(body.from_, body.to)
    terms.actions(filters.action)
    terms.address(filters.source_ip)
    terms.plain(
        identity_type=filters.identity_type,
        path_prefix=filters.path_prefix,
        success=filters.success,
        request_id=filters.request_id,
    )
    if filters.identity_id == NOBODY:
        terms.plain(identity_id=NOBODY)
    elif filters.identity_id is not None:
        terms.identity(identity(db, known, tenant, filters.identity_id))
    try:
        terms.check()
    except Refusal as refused:
        if refused.code != "validation_error":
            raise
        for name, fault in refused.details["fields"].items():
            found[name if name in ("from", "to") else f"filters.{name}"] = fault
    return terms.fields


def _check_destination(to: ExportDestination, guard: Guard, found: dict[str, str]) -> None:
    outward = {"bucket": to.bucket, "credentials_path": to.credentials_path}
    for name, value in outward.items():
        if to.type == "file" and value is not None:
            found[f"destination.{name}"] = "must not be given for the type file"
        elif to.type != "file" and value is None:
            found[f"destination.{name}"] = f"is required for the type {to.type}"
    if to.type != "s3":
        for name, value in {"region": to.region, "endpoint": to.endpoint}.items():
            if value is not None:
                found[f"destination.{name}"] = "is for the type s3 only"
    _check_names(to, found)
    if to.endpoint is not None and (fault := _endpoint_fault(to.endpoint, guard)) is not None:
        found.setdefault("destination.endpoint", fault)


def _check_names(to: ExportDestination, found: dict[str, str]) -> None:
    if to.bucket is not None and BUCKET.fullmatch(to.bucket) is None:
        found.setdefault("destination.bucket", "must be the name of a bucket")
    if to.region is not None and REGION.fullmatch(to.region) is None:
        found.setdefault("destination.region", "must be the name of a region")
    if not is_prefix(to.prefix):
        found["destination.prefix"] = PREFIX_RULE


def _endpoint_fault(url: str, guard: Guard) -> str | None:
    try:
        target = parse_target(url)
        guard.check_literal(target)
    except (ValueError, AddressRefused) as fault:
        return str(fault)
    return "must have no query" if "?" in url else None
