"""A client of SCIM 2.0 servers (RFC 7644): everything under /Users and /Groups, page by page.

A directory's answers are foreign: bounded in size, number and time, no redirects, and whatever is
not as the RFC says ends the fetch. Half a list would look like people who left."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Mapping
from typing import Any, Final

import httpx
import msgspec

from scaivault.config.identity import Issuer
from scaivault.outbound import Allowance, Answer, Guard, client, send
from scaivault.wire.addresses import parse_range

SECONDS: Final = 300.0  # for all pages of a directory
_STEP_SECONDS: Final = 10.0
_PAGE: Final = 200
_ANSWER_MOST: Final = 8 * 1024 * 1024
RESOURCES_MOST: Final = 100_000
_BYTES_MOST: Final = 256 * 1024 * 1024  # of all users, or groups: they are held together
_ID_LONGEST: Final = 256
# The operator vouches for the directories that he configures, wherever they are.
_ANYWHERE: Final = Guard(Allowance((parse_range("0.0.0.0/0"), parse_range("::/0"))))
_TOKENS: Final = ("token", "bearer_token", "access_token", "api_key", "key", "value")
_VISIBLE: Final = re.compile(r"[\x21-\x7e]{1,8192}")

Resource = dict[str, Any]


class SyncFailed(Exception):
    """The run cannot go on; ``code`` for programs, the message without a word of what came."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code: Final = code


def authorization(secret: bytes) -> str:
    """The header that a secret stands for: a bearer token, or a name and a password."""
    try:
        fields = msgspec.json.decode(secret, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        fields = {}
    token = next((fields[name] for name in _TOKENS if isinstance(fields.get(name), str)), None)
    if token is not None and _VISIBLE.fullmatch(token):
        return f"Bearer {token}"
    name, password = fields.get("username"), fields.get("password")
    if isinstance(name, str) and isinstance(password, str) and ":" not in name:
        return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()
    raise SyncFailed("credentials", "the secret needs a token, or a username and a password")


async def fetch(issuer: Issuer, credentials: str) -> tuple[list[Resource], list[Resource]]:
    """(users, groups) of an issuer's directory, with attribute names in lower case."""
    settings = issuer.sync
    if settings is None:
        raise SyncFailed("not_configured", "the issuer has no sync")
    headers = {
        "authorization": credentials,
        "accept": "application/scim+json, application/json",
        "accept-encoding": "identity",
    }
    try:
        http = client(_ANYWHERE, seconds=_STEP_SECONDS, ca_file=issuer.ca_file)
        async with asyncio.timeout(SECONDS), http:
            users = await _all(http, f"{settings.base_url}/Users", headers)
            groups = await _all(http, f"{settings.base_url}/Groups", headers)
    except TimeoutError:
        raise SyncFailed("timeout", "the directory did not answer in time") from None
    except OSError as error:  # the file of the roots
        raise SyncFailed("unreachable", f"the directory was not called: {error.strerror}") from None
    return users, groups


async def _all(http: httpx.AsyncClient, url: str, headers: Mapping[str, str]) -> list[Resource]:
    """Every resource once (RFC 7644 section 3.4.2.4)."""
    found: dict[str, Resource] = {}
    start, length = 1, 0
    while True:
        request = http.build_request(
            "GET", url, params={"startIndex": start, "count": _PAGE}, headers=dict(headers)
        )
        answer = await _answered(http, request)
        length += len(answer.body)
        if length > _BYTES_MOST:
            raise SyncFailed("too_large", "the directory's pages are longer than 256 MiB in all")
        total, page = _page(answer)
        known = len(found)
        found.update((_id(resource), resource) for resource in page)
        if len(found) > RESOURCES_MOST:
            raise SyncFailed("too_large", f"the directory has more than {RESOURCES_MOST} entries")
        if len(found) >= total:
            return list(found.values())
        if len(found) == known:
            raise SyncFailed("invalid_answer", "the directory's pages do not add up to its total")
        start += len(page)


async def _answered(http: httpx.AsyncClient, request: httpx.Request) -> Answer:
    try:
        answer = await send(http, request, _ANSWER_MOST)
    except httpx.TimeoutException:
        raise SyncFailed("timeout", "the directory did not answer in time") from None
    except httpx.DecodingError:
        raise SyncFailed("too_large", "a page of the directory is longer than 8 MiB") from None
    except (httpx.HTTPError, httpx.InvalidURL):
        raise SyncFailed("unreachable", "the directory was not reached") from None
    if answer.status in {401, 403}:
        raise SyncFailed("permission_denied", f"the directory answered {answer.status}")
    if answer.status != 200:
        raise SyncFailed("unexpected_answer", f"the directory answered {answer.status}")
    return answer


def _page(answer: Answer) -> tuple[int, list[Resource]]:
    """(total, resources) of a ListResponse."""
    try:
        told = _lower(msgspec.json.decode(answer.body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _invalid("is not JSON") from None
    total, resources = told.get("totalresults"), told.get("resources")
    if not isinstance(total, int) or isinstance(total, bool) or total < 0:
        raise _invalid("has no totalResults")
    if resources is None and total == 0:
        return 0, []
    if resources is None:
        resources = []
    if not isinstance(resources, list):
        raise _invalid("has no list of Resources")
    return total, [_lower(resource) for resource in resources]


def _lower(told: Any) -> Resource:
    """An object whose attribute names are compared without case (RFC 7643 section 2.1)."""
    if not isinstance(told, dict):
        raise _invalid("has something else where an object belongs")
    return {name.lower(): value for name, value in told.items()}


def _id(resource: Resource) -> str:
    found = resource.get("id")
    if not isinstance(found, str) or not 0 < len(found) <= _ID_LONGEST or not found.isprintable():
        raise _invalid("has an entry without a usable id")
    return found


def _invalid(what: str) -> SyncFailed:
    return SyncFailed("invalid_answer", f"an answer of the directory {what}")


def members_of(group: Resource) -> list[Resource]:
    """The members of a group, as objects."""
    members = group.get("members")
    if members is None:
        return []
    if not isinstance(members, list):
        raise _invalid("has a group whose members are no list")
    return [_lower(member) for member in members]


def emails_of(user: Resource) -> list[Resource]:
    """The e-mail addresses of a user, as objects."""
    emails = user.get("emails")
    if emails is None:
        return []
    if not isinstance(emails, list):
        raise _invalid("has a user whose emails are no list")
    return [_lower(email) for email in emails]


def is_active(user: Resource) -> bool:
    """``active``, which Entra writes as a text; True where it is not told."""
    told = user.get("active")
    if isinstance(told, str) and told.lower() in {"true", "false"}:
        return told.lower() == "true"
    if told is None or isinstance(told, bool):
        return told is not False
    raise _invalid("has a user whose active is no boolean")
