"""Settings of a secret, as PUT and PATCH change them."""

from __future__ import annotations

from typing import Final, NamedTuple

from msgspec import UNSET

from scaivault.errors import Refusal, faults
from scaivault.gate.caller import Caller
from scaivault.secrets import expiry, model
from scaivault.secrets.model import Secret
from scaivault.wire import secrets as wire
from scaivault.wire.secrets import WriteOptions

_LINKS: Final = (
    ("rotation_policy_id", "rotation_policy_not_found"),
    ("secret_policy_id", "secret_policy_not_found"),
)


class Settings(NamedTuple):
    """What was sent, checked; ``notify_before`` as kept, None: it stays."""

    sent: WriteOptions
    notify_before: str | None


_NOTHING: Final = Settings(WriteOptions(), None)


def checked(caller: Caller, options: WriteOptions, found: dict[str, str]) -> Settings:
    """Everything that needs no row; fields at fault go into ``found``."""
    notify_before = None
    with model.noting(found):
        expiry.end(options, caller.now, None)
    with model.noting(found):
        if isinstance(options.notify_before, list | str):
            notify_before = ",".join(expiry.warnings(options.notify_before))
    if caller.partner_wide:
        for field, _ in _LINKS:
            if isinstance(getattr(options, field), str):
                found[f"options.{field}"] = "cannot be attached to a secret of a partner"
    return Settings(options, notify_before)


def of_patch(patch: wire.PatchOptions) -> WriteOptions:
    """The same as a PUT would say it."""
    if patch.expires_in is None and isinstance(patch.expires_at, str):
        raise faults({"options.expires_at": "send expires_in or expires_at, not both"})
    return WriteOptions(
        max_versions=_number(patch.max_versions),
        expires_in=patch.expires_in if isinstance(patch.expires_in, str) else None,
        expires_at=None if patch.expires_in is None else patch.expires_at,
        rotation_policy_id=patch.rotation_policy_id,
        secret_policy_id=patch.secret_policy_id,
        notify_before=list(model.NOTIFY_BEFORE)
        if patch.notify_before is None
        else patch.notify_before,
        cas=patch.cas,
    )


def _number(max_versions: object) -> int:
    """0: it stays."""
    if isinstance(max_versions, int):
        return max_versions
    return 0 if max_versions is UNSET else model.MAX_VERSIONS


def check_links(options: WriteOptions, generate_from: str | None = None) -> None:
    """Rotation policies and secret policies do not exist in this vault yet: every id is unknown."""
    for field, code in _LINKS:
        sent = getattr(options, field)
        if isinstance(sent, str):
            raise Refusal(code, f"options.{field} names nothing in this tenant", id=sent)
    if generate_from is not None:
        raise Refusal(
            "secret_policy_not_found", "generate_from names nothing in this tenant",
            id=generate_from,
        )  # fmt: skip


def applied(secret: Secret, settings: Settings, now: int) -> Secret:
    """The row with its new settings, and what is to be told of its end."""
    options = settings.sent
    if secret.expires_at is None and secret.notice_at is None and settings == _NOTHING:
        return secret
    after = secret._replace(
        max_versions=options.max_versions or secret.max_versions,
        notify_before=secret.notify_before
        if settings.notify_before is None
        else settings.notify_before,
        expires_at=expiry.end(options, now, secret.expires_at),
        rotation_policy_id=None
        if options.rotation_policy_id is None
        else secret.rotation_policy_id,
        secret_policy_id=None if options.secret_policy_id is None else secret.secret_policy_id,
    )
    if expiry.sent(options) or after.expires_at is None:
        return expiry.rearmed(after, now)
    return expiry.retimed(after, now) if after.notify_before != secret.notify_before else after
