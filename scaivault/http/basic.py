"""Client credentials in an Authorization header (RFC 6749 section 2.3.1)."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Final
from urllib.parse import unquote_plus

from msgspec import structs

from scaivault.errors import Refusal
from scaivault.http.request import Request

_BASIC: Final = re.compile(rb"basic +([A-Za-z0-9+/=]{1,4096}) *\Z", re.IGNORECASE)


def with_basic(request: Request, body: Any) -> Any:
    """``body`` with the client id and secret of the header, which must not be in both places."""
    header = request.header(b"authorization")
    if not hasattr(body, "client_id"):
        return body
    if header is None or header[:6].lower() != b"basic ":
        return body
    if body.client_id is not None or body.client_secret is not None:
        raise Refusal(
            "invalid_request",
            "send client_id and client_secret in the body or by HTTP Basic, not both",
            reason="two_credentials",
        )
    client, secret = _pair(header)
    return structs.replace(body, client_id=client, client_secret=secret)


def _pair(header: bytes) -> tuple[str, str]:
    match = _BASIC.match(header)
    try:
        text = base64.b64decode(match[1], validate=True).decode("utf-8") if match else ""
    except (binascii.Error, UnicodeDecodeError):
        text = ""
    client, colon, secret = text.partition(":")
    if not colon:
        raise Refusal("token_invalid", "the Basic credentials cannot be read")
    return unquote_plus(client), unquote_plus(secret)
