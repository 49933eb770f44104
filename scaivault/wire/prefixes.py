"""What names of files and of objects in a store begin with."""

from __future__ import annotations

import re
from typing import Final

PREFIX_RULE: Final = (
    "must be of A-Z a-z 0-9 . _ - and / between segments, none of them . or .., at most 256 in all"
)
_PREFIX: Final = re.compile(r"[A-Za-z0-9._/-]{0,256}")


def is_prefix(text: str) -> bool:
    """Whether names may begin with it and stay below the place they are for; one slash may end
    it."""
    segments = text.removesuffix("/").split("/") if text else []
    return _PREFIX.fullmatch(text) is not None and not {"", ".", ".."} & set(segments)
