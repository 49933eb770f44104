"""The server, through the SDK: calls, the documents that came back, and refusals as failures.

Importing the SDK's client costs about 250 ms, so only a command that calls imports this module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from scaivault.cli.failure import Failure, exit_of, usage
from scaivault.cli.http import Answer, checked_url, remedy, rows, told
from scaivault.cli.output import as_json
from scaivault_sdk import SyncScaiVaultClient, log_to_stderr
from scaivault_sdk.errors import (
    APIError,
    ConfigurationError,
    ConnectError,
    RequestTimeout,
    ScaiVaultError,
    TransportError,
)
from scaivault_sdk.models.common import Answer as Document

_NO_TOKEN: Final = "no token arrived: `scaivault auth login` keeps one, or set SCAIVAULT_TOKEN"

# Items on a page at most, where it is not 200.
_LARGEST: Final = {"logs": 1000}


class _Client(SyncScaiVaultClient):
    """Keeps the documents of the calls that were made, for ``--json``."""

    documents: list[Document]

    def send(self, call: Any) -> Document:
        document = super().send(call)
        self.documents.append(document)
        return document


class Vault:
    """One server. ``settings``: keywords of the SDK's client, as far as they are known."""

    def __init__(self, settings: Mapping[str, Any], *, debug: bool) -> None:
        if debug:
            log_to_stderr()
        allow_http = bool(settings.get("allow_http"))
        self._url: Final = checked_url(settings["base_url"], allow_http=allow_http)
        try:
            self.client: Final = _Client(**settings, user_agent="scaivault-cli")
        except ConfigurationError as fault:
            raise usage(str(fault)) from None
        self.client.documents = []

    def close(self) -> None:
        self.client.close()

    def secrets(self, partner: bool) -> Any:
        """The calls of the tenant's secrets, or of the partner's."""
        return self.client.partner.secrets if partner else self.client.secrets

    def ask(self, call: Callable[..., Any], /, *arguments: Any, **options: Any) -> Answer:
        """One call of the SDK, and the document that answered it.

        ``APIError`` for a refusal; ``Failure`` when there was no answer of ScaiVault.
        """
        self.client.documents = []
        self._made(call, *arguments, **options)
        return _one(self.client.documents[-1])

    def pages(
        self,
        call: Callable[..., Any],
        name: str,
        *arguments: Any,
        every: bool,
        size: str = "limit",
        **options: Any,
    ) -> Answer:
        """A list whose items stand under ``name``: its first page, or ``every`` page joined into
        one document of the same form. ``size``: the option that says how long a page is."""
        self.client.documents = []
        if every and options.get(size) is None:
            options[size] = _LARGEST.get(name, 200)
        page = self._made(call, *arguments, **options)
        # The SDK may have asked for the tenant of the token before.
        del self.client.documents[:-1]
        while every and page.has_more:
            page = self._made(page.next_page)
        return self._joined(name)

    def page(self, call: Callable[..., Any], **options: Any) -> tuple[Answer, Any]:
        """One page: the document, and the SDK's page, which can fetch the next."""
        self.client.documents = []
        page = self._made(call, **options)
        return _one(self.client.documents[-1]), page

    def whole(self, call: Callable[..., Any], name: str, *arguments: Any, **options: Any) -> Answer:
        """A list of which the SDK itself fetches all pages, as one document."""
        self.client.documents = []
        self._made(call, *arguments, **options)
        return self._joined(name)

    @property
    def request_ids(self) -> set[str]:
        """The ids of the requests of the newest call, as the audit log has them."""
        return {each.headers.get("x-request-id", "") for each in self.client.documents}

    def _made(self, call: Callable[..., Any], /, *arguments: Any, **options: Any) -> Any:
        try:
            return call(*arguments, **options)
        except APIError:
            raise
        except ScaiVaultError as error:
            failure = _unanswered(error, self._url)
        raise failure

    def _joined(self, name: str) -> Answer:
        """Pages as one document: all items, and what else the last page says."""
        answers = [_one(each) for each in self.client.documents]
        if len(answers) == 1:
            return answers[0]
        items = [item for each in answers for item in rows(each.body, name)]
        body = {**answers[-1].body, name: items}
        return Answer(answers[-1].status, as_json(body), body)


def failure_of(error: Exception) -> Failure | None:
    """What a refusal ends the program with; ``None`` for an exception of somebody else."""
    if isinstance(error, APIError):
        known = {"details": error.details, "request_id": error.request_id}
        envelope = {
            "code": error.code,
            "message": error.message,
            **{name: value for name, value in known.items() if value},
        }
        return Failure(
            error.code,
            told(envelope, _NO_TOKEN),
            exit_of(error.status),
            request_id=error.request_id,
            envelope=as_json({"error": envelope}),
        )
    return usage(str(error)) if isinstance(error, ConfigurationError) else None


def _one(document: Document) -> Answer:
    body = document.body if isinstance(document.body, dict) else {}
    return Answer(document.status, document.text, body)


def _unanswered(error: ScaiVaultError, url: str) -> Failure:
    reason = str(error)
    match error:
        case ConnectError():
            return Failure("connection_failed", f"cannot reach {url}: {reason}; {remedy(reason)}")
        case RequestTimeout():
            return Failure("timeout", reason)
        case TransportError():
            return Failure("unexpected_answer", f"{url}: {reason}")
        case _:
            return usage(reason)
