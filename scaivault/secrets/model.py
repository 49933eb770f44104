"""What a secret is, and the decisions that need nothing but it and the time."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import msgspec
from msgspec import UNSET, Raw, UnsetType

from scaivault.clock import instant
from scaivault.errors import Refusal, faults, invalid
from scaivault.seal.envelope import Sealed
from scaivault.wire import strict

TYPES: Final = ("kv", "json", "certificate", "ssh_key", "api_key")
MAX_VERSIONS: Final = 10
NOTIFY_BEFORE: Final = ("30d", "7d", "1d")
DATA_MAX: Final = 512 * 1024
METADATA_MAX: Final = 64 * 1024
_ETAG: Final = re.compile(r'"([1-9][0-9]{0,14})"')


class _Tagged(msgspec.Struct):
    tags: list[str] | None = None


_tagged: Final = msgspec.json.Decoder(_Tagged).decode


class Secret(NamedTuple):
    """A row of ``secret``."""

    path: str
    current_version: int
    last_version: int
    metadata: str
    max_versions: int
    notify_before: str
    created_at: int
    updated_at: int
    expires_at: int | None
    deleted_at: int | None
    rotation_policy_id: str | None
    secret_policy_id: str | None
    secret_type: str  # of the current version
    notice_at: int | None  # ``expiry``


class Version(NamedTuple):
    """A row of ``secret_version``; ``quarantined_at`` is set once it failed to open."""

    version: int
    secret_type: str
    created_at: int
    created_by: str
    readable_until: int | None
    quarantined_at: int | None
    sealed: Sealed


def place(path: str) -> str:
    """The name under which a value is sealed."""
    return f"secret:{path}"


def is_partner(owner: str) -> bool:
    """Whether rows of ``owner`` belong to a partner, not to one of its tenants."""
    return owner.startswith("ptn_")


def scope_of(owner: str) -> str | UnsetType:
    """What answers say of secrets that belong to a partner."""
    return "partner" if is_partner(owner) else UNSET


def sent(raw: Raw | UnsetType) -> bytes | None:
    """None: left out, or null, which is the same."""
    text = None if isinstance(raw, UnsetType) else bytes(raw)
    return None if text == b"null" else text


# -- refusals ----------------------------------------------------------------------------------


def absent(path: str) -> Refusal:
    return Refusal("secret_not_found", "nothing is stored at this path", path=path)


def no_version(path: str, version: int) -> Refusal:
    return Refusal(
        "version_not_found",
        "this version never was, was pruned or deleted, or its grace is over",
        path=path,
        version=version,
    )


def check_live(secret: Secret | None, path: str) -> Secret:
    """Refuse what is not there or soft-deleted."""
    if secret is None or secret.deleted_at is not None:
        raise absent(path)
    return secret


def check_unexpired(secret: Secret, now: int) -> None:
    if secret.expires_at is not None and secret.expires_at <= now:
        raise Refusal(
            "secret_expired",
            "this secret's expiry has passed; write a new value or clear the expiry",
            path=secret.path,
            expires_at=instant(secret.expires_at),
        )


class Wanted(NamedTuple):
    """What a writer believes: ``version`` is the current one (0: nothing is there); ``exists``:
    something is there, whichever version."""

    version: int | None
    exists: bool


def wanted(cas: object, if_match: str | None, if_none_match: str | None = None) -> Wanted:
    """The preconditions of a change from ``options.cas`` (int or not sent) and the headers."""
    versions = {cas} if isinstance(cas, int) else set()
    if if_match is not None and if_match != "*":
        etag = _ETAG.fullmatch(if_match)
        if etag is None:
            raise invalid(if_match='must be "<version>" in double quotes, or *')
        versions.add(int(etag[1]))
    if if_none_match is not None:
        if if_none_match != "*":
            raise invalid(if_none_match="only * can be asked for")
        versions.add(0)
    exists = if_match == "*"
    if len(versions) > 1 or (exists and 0 in versions):
        raise faults({"options.cas": "the version checks contradict each other; send one of them"})
    return Wanted(next(iter(versions), None), exists)


def check_version(current: int | None, believed: Wanted) -> None:
    """``version_conflict`` where ``current`` (None: nothing live) is not what was believed."""
    other = believed.version is not None and believed.version != (current or 0)
    if other or (believed.exists and current is None):
        found = "there is no secret" if current is None else f"the secret is at version {current}"
        expected = "one" if believed.exists else "none"
        if believed.version:
            expected = f"version {believed.version}"
        raise Refusal(
            "version_conflict",
            f"{found} and {expected} was expected; read it again",
            current_version=current,
        )


# -- what a writer sends -----------------------------------------------------------------------


class noting:  # noqa: N801 - reads as a word of the language
    """Put fields at fault into ``found``, so that all of them are told at once.

    A generator made into a context manager takes three times as long, and a write has five."""

    __slots__ = ("_found",)

    def __init__(self, found: dict[str, str]) -> None:
        self._found = found

    def __enter__(self) -> None: ...

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> bool:
        if not isinstance(error, Refusal) or error.code != "validation_error":
            return False
        self._found.update(error.details["fields"])
        return True


def check_type(secret_type: str | None) -> None:
    """None: not sent."""
    if secret_type is not None and secret_type not in TYPES:
        raise Refusal(
            "invalid_secret_type",
            f"secret_type must be one of {', '.join(TYPES)}",
            allowed=list(TYPES),
        )


def check_data(data: bytes, field: str = "data") -> None:
    """A value must be an object of at most 512 KiB (compact JSON, checked already)."""
    if not data.startswith(b"{"):
        raise invalid(**{field: "must be an object"})
    check_size(data, field, DATA_MAX)


def check_size(body: bytes, field: str, limit: int) -> None:
    # Spelled with escapes a body is longer, and the same value.
    if len(body) > limit and strict.size(body) > limit:
        raise Refusal(
            "payload_too_large",
            f"{field} is larger than {limit // 1024} KiB",
            limit_bytes=limit,
            field=field,
        )


def tags_of(metadata: str) -> list[str]:
    return [] if metadata == "{}" else _tagged(metadata).tags or []


def pruned(versions: list[tuple[int, int | None]], current: int, keep: int, now: int) -> list[int]:
    """Which of the (version, readable_until) go so that ``keep`` are left: the oldest, but never
    the current one nor one inside its grace."""
    over = len(versions) - keep
    if over <= 0:
        return []
    free = [
        number
        for number, until in sorted(versions)
        if number != current and (until is None or until <= now)
    ]
    return free[:over]
