"""``client.secrets`` and ``client.partner.secrets``."""

from __future__ import annotations

import builtins
import copy
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from scaivault_sdk._async.base import Caller, Namespace
from scaivault_sdk._async.cached import CachedReads
from scaivault_sdk._async.pages import Page
from scaivault_sdk._batches import batches, joined, merged
from scaivault_sdk._calls import given, secret_target
from scaivault_sdk._pace import async_resolved
from scaivault_sdk._writes import metadata_body, options_body, write_body
from scaivault_sdk.errors import NotFoundError, VersionConflictError
from scaivault_sdk.models.base import models_of
from scaivault_sdk.models.secrets import (
    BatchInfo,
    BatchResult,
    DeleteResult,
    ExpiringSecret,
    RotateResult,
    Secret,
    SecretInfo,
    SecretItem,
    SecretMetadata,
    SecretType,
    VersionInfo,
    WriteResult,
)


class Secrets(Namespace):
    """Secrets of the acting tenant, or of its partner."""

    def __init__(self, caller: Caller, base: str, cached: CachedReads | None = None) -> None:
        super().__init__(caller)
        self._base = base
        self._cached = cached

    def _at(self, path: str) -> str:
        return f"{self._base}/{secret_target(path)}"

    def _forget(self, path: str) -> None:
        if self._cached is not None:
            self._cached.drop(self._at(path))

    # -- values ---------------------------------------------------------------------------------

    async def read(self, path: str, *, version: int | None = None) -> Secret:
        """The value: the current one, or that of one version."""
        if self._cached is None or version is not None:
            return await self._read(path, version)

        async def ask() -> Secret:
            return await self._read(path, None)

        return copy.deepcopy(await self._cached.read(self._at(path), ask))

    async def _read(self, path: str, version: int | None) -> Secret:
        return Secret.from_wire(await self._get(self._at(path), version=version))

    async def write(
        self,
        path: str,
        data: Mapping[str, Any] | None = None,
        *,
        secret_type: SecretType | str | None = None,
        metadata: Mapping[str, Any] | SecretMetadata | None = None,
        options: Mapping[str, Any] | None = None,
        max_versions: int | None = None,
        expires_in: str | None = None,
        expires_at: datetime | str | None = None,
        rotation_policy_id: str | None = None,
        secret_policy_id: str | None = None,
        notify_before: Sequence[str] | str | None = None,
        generate_from: str | None = None,
        cas: int | None = None,
    ) -> WriteResult:
        """A first or further version of ``data``, or of a value that the server generates by the
        recipe ``generate_from``.

        The keywords from ``max_versions`` on, but ``generate_from``, are fields of ``options``;
        a null (to clear an expiry or a link) is written there. ``metadata`` replaces what was
        there; left out, it stays. ``cas``: the version that must be current, 0 for none.
        ``VersionConflictError`` when it is not, ``SecretExistsError`` when the path was deleted
        and can be restored.
        """
        body = write_body(
            data,
            secret_type=secret_type,
            metadata=metadata,
            options=options,
            generate_from=generate_from,
            max_versions=max_versions,
            expires_in=expires_in,
            expires_at=expires_at,
            rotation_policy_id=rotation_policy_id,
            secret_policy_id=secret_policy_id,
            notify_before=notify_before,
            cas=cas,
        )
        try:
            return WriteResult.from_wire(await self._put(self._at(path), body))
        finally:
            self._forget(path)

    async def update(
        self, path: str, function: Callable[[dict[str, Any]], Any], *, attempts: int = 3
    ) -> WriteResult:
        """Read the current data, hand it to ``function``, and write what that gives, provided that
        nobody wrote in between; otherwise once more, ``attempts`` times altogether."""
        while True:
            attempts -= 1
            current = await self._read(path, None)
            data = await async_resolved(function(current.data))
            try:
                return await self.write(path, data, cas=current.version)
            except VersionConflictError:
                if attempts < 1:
                    raise

    async def rotate(
        self,
        path: str,
        *,
        new_value: Mapping[str, Any] | None = None,
        reason: str | None = None,
        grace_period: str | None = None,
    ) -> RotateResult:
        """A new version, after which the older ones stay readable for ``grace_period`` only.
        Without ``new_value`` the server generates one, by the attached policy."""
        body = given(new_value=new_value, reason=reason, grace_period=grace_period)
        try:
            return RotateResult.from_wire(await self._post(f"{self._at(path)}/rotate", body))
        finally:
            self._forget(path)

    async def delete(
        self, path: str, *, permanent: bool = False, version: int | None = None
    ) -> DeleteResult:
        """Delete softly, for good (``permanent``), or only one version, for good too."""
        try:
            gone = await self._delete(
                self._at(path), permanent=True if permanent else None, version=version
            )
        finally:
            self._forget(path)
        return DeleteResult.from_wire(gone)

    async def restore(self, path: str) -> SecretInfo:
        """Take a soft delete back."""
        return SecretInfo.from_wire(await self._post(f"{self._at(path)}/restore"))

    # -- facts ----------------------------------------------------------------------------------

    async def read_metadata(self, path: str) -> SecretInfo:
        """All about a secret but its value; needs ``secrets:list`` only."""
        where = f"{self._base}/metadata/{secret_target(path)}"
        return SecretInfo.from_wire(await self._get(where))

    async def update_metadata(
        self,
        path: str,
        metadata: Mapping[str, Any] | SecretMetadata | None = None,
        *,
        options: Mapping[str, Any] | None = None,
    ) -> SecretInfo:
        """Merge into the metadata (None removes a key), change settings; makes no version."""
        body = given(metadata=metadata_body(metadata))
        if options is not None:
            body["options"] = options_body(options)
        try:
            return SecretInfo.from_wire(await self._patch(self._at(path), body))
        finally:
            self._forget(path)

    async def exists(self, path: str) -> bool:
        """Whether there is a secret, expired ones included."""
        try:
            await self.read_metadata(path)
        except NotFoundError:
            return False
        return True

    async def versions(self, path: str) -> builtins.list[VersionInfo]:
        """Every stored version, newest first."""
        body = await self._get(f"{self._at(path)}/versions")
        return models_of(VersionInfo, body.get("versions"))

    async def expiring(
        self, days: int = 30, *, prefix: str | None = None
    ) -> builtins.list[ExpiringSecret]:
        """What expires within so many days, soonest first."""
        query = {"days": days, "prefix": prefix}
        where = f"{self._base}/expiring"
        page = await self._page(where, "secrets", ExpiringSecret.from_wire, query)
        return [item async for item in page.items()]

    # -- lists ----------------------------------------------------------------------------------

    async def list(
        self,
        prefix: str | None = None,
        *,
        tag: str | Sequence[str] | None = None,
        secret_type: SecretType | str | None = None,
        expires_before: datetime | str | None = None,
        updated_after: datetime | str | None = None,
        include_expired: bool = False,
        include_deleted: bool = False,
        include_metadata: bool = False,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[SecretItem]:
        """A page of what the caller may list, by path. Of several tags all must be there."""
        query = {
            "prefix": prefix,
            "tag": [tag] if isinstance(tag, str) else tag,
            "secret_type": secret_type,
            "expires_before": expires_before,
            "updated_after": updated_after,
            "include_expired": include_expired or None,
            "include_deleted": include_deleted or None,
            "include_metadata": include_metadata or None,
            "limit": limit,
            "cursor": cursor,
        }
        return await self._page(self._base, "secrets", SecretItem.from_wire, query)

    async def iterate(
        self,
        prefix: str | None = None,
        *,
        tag: str | Sequence[str] | None = None,
        secret_type: SecretType | str | None = None,
        expires_before: datetime | str | None = None,
        updated_after: datetime | str | None = None,
        include_expired: bool = False,
        include_deleted: bool = False,
        include_metadata: bool = False,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> AsyncIterator[SecretItem]:
        """As ``list``, over all pages; ``limit`` is the size of each."""
        page = await self.list(
            prefix,
            tag=tag,
            secret_type=secret_type,
            expires_before=expires_before,
            updated_after=updated_after,
            include_expired=include_expired,
            include_deleted=include_deleted,
            include_metadata=include_metadata,
            limit=limit,
            cursor=cursor,
        )
        async for item in page.items():
            yield item

    # -- many at once ---------------------------------------------------------------------------

    async def batch_read(
        self,
        paths: Sequence[str],
        *,
        include_metadata: bool = False,
        fail_fast: bool = False,
        version: int | None = None,
    ) -> BatchResult:
        """Many values; each path succeeds or fails on its own. With ``fail_fast`` the first
        failure is raised instead, and ``details["path"]`` names it. More than 100 paths are
        asked for in several calls."""
        options = given(
            include_metadata=include_metadata or None, fail_fast=fail_fast or None, version=version
        )
        parts = []
        for part in batches(paths):
            body = {"paths": part, "options": options} if options else {"paths": part}
            parts.append(await self._post(f"{self._base}/batch", body, changes=False))
        return merged(parts)

    async def batch_metadata(
        self, paths: Sequence[str], *, expand_wildcards: bool = False
    ) -> dict[str, BatchInfo]:
        """Path -> what is told about it. With ``expand_wildcards`` entries may be globs. Paths
        that hold nothing, or may not be listed, are left out."""
        parts = []
        for part in batches(paths):
            body = (
                {"paths": part, "expand_wildcards": True} if expand_wildcards else {"paths": part}
            )
            parts.append(await self._post(f"{self._base}/batch/metadata", body, changes=False))
        return joined(parts)
