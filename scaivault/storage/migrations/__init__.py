"""Numbered steps from any older file to the present one.

Each ``NNNN_name.sql`` is one transaction together with its record in ``migration``: a stop in
between leaves the file at the step before. A step never changes once released; a file written by
an older program (``tests/fixtures``) proves that it still opens.
"""

from __future__ import annotations

import hashlib
import re
from importlib import resources
from typing import Final, NamedTuple

from scaivault.storage.file import Connection

_NAME: Final = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql\Z")

_RECORD: Final = """
CREATE TABLE IF NOT EXISTS migration (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL, digest TEXT NOT NULL
) STRICT
"""


class Step(NamedTuple):
    number: int
    name: str
    sql: str

    @property
    def digest(self) -> str:
        """Told to the file, so that a changed step is noticed."""
        return hashlib.blake2b(self.sql.encode(), digest_size=16).hexdigest()


class SchemaNewer(Exception):
    """The file was written by a newer program."""


class SchemaForeign(Exception):
    """The file's steps are not ours."""


def steps() -> list[Step]:
    """All steps in order, numbered from 1 without a gap."""
    found = sorted(
        Step(int(match[1]), match[2], entry.read_text(encoding="utf-8"))
        for entry in resources.files(__package__).iterdir()
        if (match := _NAME.match(entry.name))
    )
    if [step.number for step in found] != list(range(1, len(found) + 1)):
        raise SchemaForeign("migrations are not numbered from 1 without a gap")
    return found


def migrate(connection: Connection) -> list[Step]:
    """Bring the file up to date; the steps that were taken. Call with no transaction open."""
    connection.execute(_RECORD)
    known = steps()
    done = connection.execute("SELECT number, digest FROM migration ORDER BY number").fetchall()
    if len(done) > len(known):
        raise SchemaNewer(f"the file is at schema {len(done)}, this program knows {len(known)}")
    for (number, digest), step in zip(done, known, strict=False):
        if (number, digest) != (step.number, step.digest):
            raise SchemaForeign(f"step {number} of the file is not this program's")
    for step in known[len(done) :]:
        _take(connection, step)
    return known[len(done) :]


def _take(connection: Connection, step: Step) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in _statements(step.sql):
            connection.execute(statement)
        connection.execute(
            "INSERT INTO migration (number, name, digest) VALUES (?, ?, ?)",
            (step.number, step.name, step.digest),
        )
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _statements(sql: str) -> list[str]:
    """Split at semicolons that end a line (``executescript`` would commit in between)."""
    return [part for part in re.split(r";[ \t]*\n", sql + "\n") if part.strip()]
