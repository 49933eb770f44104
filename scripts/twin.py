"""The blocking client, made from the asynchronous one: ``scripts/sdk``.

Tokens are replaced, nothing else: ``async`` and ``await`` go, and names become those in ``NAMES``.
Strings and comments stay, so what stands in a docstring of the source must hold for both.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tokenize
from pathlib import Path

TOP = Path(__file__).parents[1]
SOURCE = TOP / "scaivault_sdk" / "_async"
TWIN = TOP / "scaivault_sdk" / "_sync"

NAMES = {
    "ScaiVaultClient": "SyncScaiVaultClient",
    "AsyncBaseTransport": "BaseTransport",
    "AsyncClient": "Client",
    "AsyncHTTPTransport": "HTTPTransport",
    "AsyncIterator": "Iterator",
    "StopAsyncIteration": "StopIteration",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
    "_async": "_sync",
    "async_lock": "lock",
    "async_opened": "opened",
    "async_pace": "pace",
    "async_resolved": "resolved",
}
# Of httpx only: the client's own ``aclose`` exists on both sides.
ATTRIBUTES = {("_http", "aclose"): "close"}
GONE = ("async", "await")


def main(arguments: list[str]) -> int:
    wanted = {path.name: twin_of(path) for path in sorted(SOURCE.glob("*.py"))}
    found = {path.name: path.read_text() for path in TWIN.glob("*.py")}
    stale = sorted(
        name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)
    )
    if "--check" in arguments:
        for name in stale:
            print(f"scaivault_sdk/_sync/{name} is out of date: run scripts/sdk")
        return 1 if stale else 0
    TWIN.mkdir(exist_ok=True)
    for name in stale:
        if name in wanted:
            (TWIN / name).write_text(wanted[name])
        else:
            (TWIN / name).unlink()
    return 0


def twin_of(path: Path) -> str:
    """The text of a twin, in the house format. ``SyntaxError`` when an ``await`` is left: in an
    f-string, which is one token before Python 3.12."""
    head = f"# Made by scripts/sdk from scaivault_sdk/_async/{path.name}; change it there.\n"
    text = head + replaced(path.read_text())
    name = str(TWIN / path.name)
    compile(text, name, "exec", dont_inherit=True)
    text = _ruff(
        text, "check", "--quiet", "--select", "I", "--fix-only", "--stdin-filename", name, "-"
    )
    return _ruff(text, "format", "--quiet", "--stdin-filename", name, "-")


def _ruff(text: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *arguments],
        input=text,
        capture_output=True,
        text=True,
        cwd=TOP,
        check=True,
    )
    return done.stdout


def replaced(source: str) -> str:
    """The source with its tokens replaced; blanks stay where they are."""
    lines = source.splitlines(keepends=True)
    out: list[str] = []
    row, column = 1, 0
    before = ["", ""]  # the last two tokens: an attribute has its owner and a dot before it
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER):
            continue
        out.append(_between(lines, (row, column), token.start))
        row, column = token.end
        if token.type == tokenize.NAME and token.string in GONE:
            column += 1  # and the blank behind it
            continue
        text = token.string
        if token.type == tokenize.NAME:
            owner = before[0] if before[1] == "." else ""
            text = ATTRIBUTES.get((owner, text), NAMES.get(text, text))
        out.append(text)
        before = [before[1], token.string]
    return "".join(out)


def _between(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    """What stands between two tokens: blanks, and a line break with its backslash."""
    (row, column), (last, until) = start, end
    if row == last:
        return lines[row - 1][column:until]
    middle = "".join(lines[row : last - 1])
    return lines[row - 1][column:] + middle + lines[last - 1][:until] if last <= len(lines) else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
