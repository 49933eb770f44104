"""What ends a command without success: a code, a message, and the process's exit code.

| Exit | Meaning                                             |
|------|-----------------------------------------------------|
| 0    | success                                             |
| 1    | anything not named below, the network included      |
| 2    | authentication (401)                                |
| 3    | authorisation (403)                                 |
| 4    | not found (404)                                     |
| 5    | validation (400, 422), usage, configuration         |
| 6    | the start was refused                               |
| 7    | damage was found                                    |
| 8, 9 | sealed, not initialised (``operator status`` only)  |
"""

from __future__ import annotations

import json
from typing import Any, Final

GENERAL: Final = 1
AUTHENTICATION: Final = 2
AUTHORISATION: Final = 3
NOT_FOUND: Final = 4
USAGE: Final = 5
START_REFUSED: Final = 6
DAMAGE: Final = 7
SEALED: Final = 8
NOT_INITIALIZED: Final = 9

_OF_STATUS: Final = {
    400: USAGE,
    401: AUTHENTICATION,
    403: AUTHORISATION,
    404: NOT_FOUND,
    422: USAGE,
}


def exit_of(status: int) -> int:
    """The exit code for an HTTP status that refuses."""
    return _OF_STATUS.get(status, GENERAL)


class Failure(Exception):
    """A command ends here. ``message`` names the remedy and never holds a secret."""

    def __init__(
        self,
        code: str,
        message: str,
        exit_code: int = GENERAL,
        *,
        request_id: str | None = None,
        envelope: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code: Final = code
        self.message: Final = message
        self.exit_code: Final = exit_code
        self.request_id: Final = request_id
        self._envelope: Final = envelope

    @property
    def envelope(self) -> str:
        """The error as one JSON document: the server's own, or one of the same shape."""
        if self._envelope is not None:
            return self._envelope
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        return json.dumps({"error": error}, ensure_ascii=False)


def usage(message: str) -> Failure:
    """The command was called wrongly."""
    return Failure("usage", message, USAGE)
