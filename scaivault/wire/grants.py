"""Requests and answers of the token endpoint, and of the exchange of tokens."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from scaivault.wire.identity import Reference
from scaivault.wire.trusts import Globs

GRANT: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT: Final = "urn:ietf:params:oauth:token-type:jwt"
ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"

SubjectToken = Annotated[str, Meta(min_length=1, max_length=16 * 1024)]
TokenType = Literal[
    "urn:ietf:params:oauth:token-type:jwt",
    "urn:ietf:params:oauth:token-type:id_token",
    "urn:ietf:params:oauth:token-type:access_token",
]


class GrantBody(Struct, forbid_unknown_fields=True, frozen=True):
    """RFC 6749 section 4.4.2; or of an exchange what ``ExchangeBody`` has."""

    grant_type: str
    client_id: str | None = None
    client_secret: str | None = None
    scope: str | None = None
    subject_token: SubjectToken | None = None
    subject_token_type: TokenType | None = None
    audience: Literal["scaivault"] | None = None
    role: Reference | None = None
    tenant_id: str | None = None
    allowed_paths: Globs | None = None
    ttl: str | None = None


class Grant(Struct, frozen=True):
    """POST /oauth/token, POST /v1/auth/token"""

    body: GrantBody


class AccessToken(Struct):
    """RFC 6749 section 5.1."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str


class ExchangeBody(Struct, forbid_unknown_fields=True, frozen=True):
    """RFC 8693 section 2.1, and what is our own: ``role`` (the service account that is wanted) and
    ``tenant_id``, where several trusts fit; ``allowed_paths`` and ``ttl`` (a duration), which only
    ever narrow. A form separates ``allowed_paths`` by blanks."""

    subject_token: SubjectToken
    subject_token_type: TokenType = "urn:ietf:params:oauth:token-type:jwt"
    grant_type: Literal["urn:ietf:params:oauth:grant-type:token-exchange"] | None = None
    audience: Literal["scaivault"] | None = None
    role: Reference | None = None
    tenant_id: str | None = None
    scope: str | None = None
    allowed_paths: Globs | None = None
    ttl: str | None = None


class Exchange(Struct, frozen=True):
    """POST /v1/auth/exchange"""

    body: ExchangeBody


class Exchanged(Struct):
    """RFC 8693 section 2.2.1."""

    access_token: str
    issued_token_type: str
    token_type: str
    expires_in: int
    scope: str
