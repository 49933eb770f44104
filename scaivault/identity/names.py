"""The canonical ids of identities: ``user:<email>``, ``sa:<name>``, ``group:<name>``."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from scaivault.errors import check_fields, faults

USER: Final = "user"
SERVICE_ACCOUNT: Final = "service_account"
GROUP: Final = "group"
SYSTEM: Final = "system"

_TYPES: Final = {
    "user": USER, "sa": SERVICE_ACCOUNT, "group": GROUP, "system": SYSTEM, "dynamic": SYSTEM,
}  # fmt: skip
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}\Z")
_KELVIN: Final = (
    "\N{KELVIN SIGN}"  # the one sign whose lower case is an ASCII letter: somebody else
)
_NO_ADDRESS: Final = "must be an e-mail address of up to 320 plain characters"
_USER_LONGEST: Final = 320  # RFC 3696, erratum 1690: 64 + 1 + 255


def made(prefix: str, name: str) -> str:
    """The canonical id of a new identity; 422 for a name that is none."""
    check_fields({"name": id_fault(name)})
    return f"{prefix}:{name}"


def id_fault(name: str) -> str | None:
    """Why a canonical id cannot be made of a name; None for a good one."""
    if _NAME.match(name):
        return None
    return "must be 1 to 128 of a-z 0-9 . _ - and start with a letter or digit"


def made_user(email: str) -> tuple[str, str]:
    """(canonical id, e-mail address) of a new user; 422 for a text that is no address, or that
    people could take for another one."""
    user = _user(email)
    if user is None:
        raise faults({"email": _NO_ADDRESS})
    return user


def email_fault(email: str) -> str | None:
    """Why a user cannot be made of an address; None for a good one."""
    return _NO_ADDRESS if _user(email) is None else None


def _user(email: str) -> tuple[str, str] | None:
    named = canonical(f"user:{email}")
    address = "" if named is None else named[1].partition(":")[2]
    local, _, domain = address.rpartition("@")
    # Compatibility forms (full-width letters, ligatures, the long s) look like plain letters, and
    # other programs make them plain: to them two users would be one.
    plain = unicodedata.normalize("NFKC", address) == address
    if named is None or not local or not domain or not plain:
        return None
    return named[1], address


def canonical(reference: str) -> tuple[str, str] | None:
    """(type, canonical id) of a canonical id as somebody wrote it; None when it is none.

    An e-mail address is trimmed and lower-cased; a subject without ``@`` is the issuer's own and
    stays as it is."""
    prefix, colon, name = reference.strip().partition(":")
    kind = _TYPES.get(prefix)
    if kind is None or not colon:
        return None
    if kind != USER:
        return (kind, f"{prefix}:{name}") if _NAME.match(name) else None
    name = name.strip()
    if not 0 < len(name) <= _USER_LONGEST or not name.isprintable() or " " in name:
        return None
    if _KELVIN in name:
        return None
    return USER, f"user:{name.lower() if '@' in name else name}"


def type_of(identity_id: str) -> str:
    """The type of an identity whose canonical id is known to be one."""
    return _TYPES[identity_id.partition(":")[0]]
