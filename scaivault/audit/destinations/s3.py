"""S3 and stores that speak it, by aiobotocore: only what this module says is taken up, nothing
from the host's environment but its own configuration files."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final

import aiohttp
import botocore.exceptions
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from aiohttp.abc import AbstractResolver, ResolveResult

from scaivault.audit.destinations.contract import REGION, SECONDS, DestinationFailed, Place
from scaivault.audit.destinations.web import with_last
from scaivault.outbound import AddressRefused, Guard, Target, parse_target

_DEFAULT: Final = "us-east-1"
_REASONS: Final = {
    "NoSuchBucket": "not_found",
    "AccessDenied": "permission_denied",
    "InvalidAccessKeyId": "permission_denied",
    "SignatureDoesNotMatch": "permission_denied",
    "ExpiredToken": "permission_denied",
    "InvalidToken": "permission_denied",
}


class _Resolver(AbstractResolver):
    """Gives connections checked addresses only."""

    def __init__(self, guard: Guard, scheme: str) -> None:
        self._guard: Final = guard
        self._scheme: Final = scheme

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        target = Target(self._scheme, host, port, None)
        try:
            found = await self._guard.addresses(target)
        except AddressRefused as refused:
            raise _Refused(13, str(refused)) from refused
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=2 if address.version == 4 else 10,
                proto=0,
                flags=0,
            )
            for address in found
        ]

    async def close(self) -> None:
        """Nothing is held."""


class _Refused(OSError):
    """An address that may not be called, as a connector passes it on."""


class _Bucket:
    def __init__(self, api: Any, place: Place) -> None:
        self._api: Final = api
        self._bucket: Final = place.bucket
        self._prefix: Final = place.prefix

    async def put(self, name: str, pieces: AsyncIterator[bytes]) -> None:
        where = {"Bucket": self._bucket, "Key": self._prefix + name}
        numbered = with_last(pieces)
        first, last = await anext(numbered)
        async with _told():
            if last:
                await self._api.put_object(**where, Body=first)
            else:
                await self._in_parts(where, first, numbered)

    async def _in_parts(
        self, where: dict[str, str], first: bytes, rest: AsyncIterator[tuple[bytes, bool]]
    ) -> None:
        started = await self._api.create_multipart_upload(**where)
        upload = {**where, "UploadId": started["UploadId"]}
        try:
            parts = [await self._part(upload, 1, first)]
            async for piece, _ in rest:
                parts.append(await self._part(upload, len(parts) + 1, piece))
            await self._api.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
        except BaseException:
            # Parts of an upload that nobody ends are kept, and paid for.
            with contextlib.suppress(Exception):
                await self._api.abort_multipart_upload(**upload)
            raise

    async def _part(self, upload: dict[str, str], number: int, piece: bytes) -> dict[str, Any]:
        answer = await self._api.upload_part(**upload, PartNumber=number, Body=piece)
        return {"ETag": answer["ETag"], "PartNumber": number}

    async def finish(self) -> None:
        """Each file is an object already."""


@contextlib.asynccontextmanager
async def opened(place: Place) -> AsyncIterator[_Bucket]:
    """The bucket, with the credentials' key."""
    region = place.region or (place.credentials or {}).get("region") or _DEFAULT
    if REGION.fullmatch(region) is None:  # it becomes part of a host name
        raise DestinationFailed("credentials", "region is not the name of a region")
    scheme = await _checked(place)
    secret = place.credential("secret_access_key")
    session = AioSession()
    session.set_config_variable("ec2_metadata_disabled", "true")
    async with (
        _told(),
        session.create_client(
            "s3",
            region_name=region,
            endpoint_url=place.endpoint,
            aws_access_key_id=place.credential("access_key_id"),
            aws_secret_access_key=secret,
            aws_session_token=(place.credentials or {}).get("session_token") or None,
            config=_config(place, scheme),
        ) as api,
    ):
        yield _Bucket(api, place)


async def _checked(place: Place) -> str:
    """The endpoint's scheme. Literal addresses never reach the resolver: they are checked here."""
    if place.endpoint is None:
        return "https"
    try:
        target = parse_target(place.endpoint)
        place.reach.check_literal(target)
    except (AddressRefused, ValueError) as refused:
        raise DestinationFailed("address_not_allowed", str(refused)) from refused
    return target.scheme


def _config(place: Place, scheme: str) -> AioConfig:
    return AioConfig(
        connector_args={"resolver": _Resolver(place.reach, scheme), "use_dns_cache": False},
        connect_timeout=10,
        read_timeout=SECONDS,
        retries={"total_max_attempts": 1, "mode": "standard"},
        proxies={},
        ignore_configured_endpoint_urls=True,
        # Stores that only speak S3 often refuse the newer checksums.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "path"} if place.endpoint is not None else {},
    )


@contextlib.asynccontextmanager
async def _told() -> AsyncIterator[None]:
    """Failures in the contract's words."""
    try:
        yield
    except botocore.exceptions.ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        raise DestinationFailed(
            _REASONS.get(code, "unexpected_answer"), f"the store answered {code[:64] or 'an error'}"
        ) from error
    except botocore.exceptions.HTTPClientError as error:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, _Refused):
                raise DestinationFailed("address_not_allowed", str(cause.strerror)) from error
            cause = cause.__cause__ or cause.__context__
        raise DestinationFailed("unreachable", "the store was not reached") from error
    except (botocore.exceptions.BotoCoreError, aiohttp.ClientError) as error:
        raise DestinationFailed("unexpected_answer", "the store's answer has no sense") from error
