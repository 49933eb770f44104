"""S3 and stores that speak it: requests made and signed by aiobotocore, sent by the vault's own
client. The library's sessions follow redirects and connect to literal addresses unasked, and would
take endpoints and proxies from the environment."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final, Self

import botocore.exceptions
import httpx
from aiobotocore.awsrequest import AioAWSResponse
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession

from scaivault.audit.destinations.contract import REGION, SECONDS, DestinationFailed, Place
from scaivault.audit.destinations.web import answered, with_last
from scaivault.outbound import AddressRefused, client, parse_target

_DEFAULT: Final = "us-east-1"
_REASONS: Final = {
    "NoSuchBucket": "not_found",
    "AccessDenied": "permission_denied",
    "InvalidAccessKeyId": "permission_denied",
    "SignatureDoesNotMatch": "permission_denied",
    "ExpiredToken": "permission_denied",
    "InvalidToken": "permission_denied",
}


class _Session:
    """What aiobotocore takes for its HTTP session; sends by ``http``."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http: Final = http

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """The client is closed by whoever opened it."""

    async def close(self) -> None:
        """The same."""

    async def send(self, request: Any) -> AioAWSResponse:
        body = request.body
        made = self._http.build_request(
            request.method,
            request.url,
            headers=[(name, _text(value)) for name, value in request.headers.items()],
            content=body.read() if hasattr(body, "read") else body,
        )
        answer = await answered(self._http, made)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        response = AioAWSResponse(request.url, answer.status, headers, None)
        response._content = answer.body  # read already, within limits
        return response


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
        await self._drop_left(where)
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

    async def _drop_left(self, where: dict[str, str]) -> None:
        """What a try left that was killed: nobody else would end it. Not every key may list."""
        bucket, name = where["Bucket"], where["Key"]
        with contextlib.suppress(Exception):
            found = await self._api.list_multipart_uploads(Bucket=bucket, Prefix=name)
            for upload in found.get("Uploads", []):
                if upload["Key"] == name:
                    await self._api.abort_multipart_upload(**where, UploadId=upload["UploadId"])

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
    _check_endpoint(place)
    secret = place.credential("secret_access_key")
    async with (
        client(place.reach, seconds=SECONDS) as http,
        _told(),
        AioSession().create_client(
            "s3",
            region_name=region,
            endpoint_url=place.endpoint,
            aws_access_key_id=place.credential("access_key_id"),
            aws_secret_access_key=secret,
            aws_session_token=(place.credentials or {}).get("session_token") or None,
            config=_config(place, http),
        ) as api,
    ):
        yield _Bucket(api, place)


def _check_endpoint(place: Place) -> None:
    """Rules may have changed since the endpoint was given."""
    if place.endpoint is None:
        return
    try:
        place.reach.check_literal(parse_target(place.endpoint))
    except (AddressRefused, ValueError) as refused:
        raise DestinationFailed("address_not_allowed", str(refused)) from refused


def _config(place: Place, http: httpx.AsyncClient) -> AioConfig:
    return AioConfig(
        http_session_cls=lambda *_, **__: _Session(http),
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
    except botocore.exceptions.BotoCoreError as error:
        raise DestinationFailed("unexpected_answer", "the store's answer has no sense") from error


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")
