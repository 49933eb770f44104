"""What a process holds in memory, read from outside as root can."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping

_REGION = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)")
_CHUNK = 16 << 20


def forms(secret: bytes) -> list[bytes]:
    """How a key could stand there: raw, hex in both cases, base64 of both alphabets."""
    hexed = secret.hex()
    # The last characters of a base64 text depend on what follows; 40 of 43 are enough to know it.
    texts = {base64.b64encode(secret)[:40], base64.urlsafe_b64encode(secret)[:40]}
    return [secret, hexed.encode(), hexed.upper().encode(), *sorted(texts)]


def found(pid: int, secrets: Mapping[str, bytes]) -> dict[str, list[str]]:
    """Name of each secret that is there -> where: which form, in which mapping."""
    wanted = {form: name for name, secret in secrets.items() for form in forms(secret)}
    return search(regions(pid), wanted)


def search(parts: Iterable[tuple[str, bytes]], wanted: Mapping[bytes, str]) -> dict[str, list[str]]:
    """Name -> the parts that hold one of its byte strings."""
    hits: dict[str, list[str]] = {}
    pattern = re.compile(b"|".join(re.escape(form) for form in wanted))
    for where, content in parts:
        for match in pattern.finditer(content):
            hits.setdefault(wanted[match[0]], []).append(f"{where} ({len(match[0])} bytes)")
    return hits


def regions(pid: int) -> Iterator[tuple[str, bytes]]:
    """Every mapping that can be read, in parts that overlap a little."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as table:
        lines = table.read().splitlines()
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in lines:
            match = _REGION.match(line)
            if match is None or match[3][0] != "r" or match[4] in ("[vvar]", "[vsyscall]"):
                continue
            first, end = int(match[1], 16), int(match[2], 16)
            for start in range(first, end, _CHUNK):
                try:
                    memory.seek(start)
                    content = memory.read(min(_CHUNK + 128, end - start))
                except (OSError, ValueError):
                    continue  # guard pages, or gone by now
                yield f"{line.split(None, 1)[0]} {match[4]}+{start - first:x}", content
