"""Connections to the encrypted file (SQLCipher 4: AES-256-CBC pages, HMAC-SHA512 each).

The file key goes from guarded memory straight into the engine through its C interface
(``sqlite3_key_v2``). ``PRAGMA key`` would put it into Python strings, SQL text and the
statement cache, none of which can be wiped.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import sqlcipher3._sqlite3 as _engine

from scaivault.crypto.memory import Guarded
from scaivault.crypto.sodium import ffi

if TYPE_CHECKING:  # the engine's module has the interface of the standard one, but no types
    import sqlite3 as dbapi2
else:
    from sqlcipher3 import dbapi2

Connection: TypeAlias = dbapi2.Connection
EngineError: TypeAlias = dbapi2.Error
IntegrityError: TypeAlias = dbapi2.IntegrityError
ProgrammingError: TypeAlias = dbapi2.ProgrammingError

# The engine module is its own SQLite: its exported C functions are reached by name.
_library: Final = ctypes.CDLL(_engine.__file__)
_library.sqlite3_key_v2.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int)
_library.sqlite3_rekey_v2.argtypes = _library.sqlite3_key_v2.argtypes
_library.sqlite3_file_control.argtypes = (
    ctypes.c_void_p,
    ctypes.c_char_p,
    ctypes.c_int,
    ctypes.c_void_p,
)
_library.sqlite3_db_config.argtypes = (ctypes.c_void_p, ctypes.c_int)  # others follow

# sqlite3.h
_FILE_POINTER: Final = 7  # SQLITE_FCNTL_
_SYNC_NORMAL: Final = 2  # SQLITE_
_NO_CKPT_ON_CLOSE: Final = 1006  # SQLITE_DBCONFIG_


class _Methods(ctypes.Structure):
    """The beginning of ``sqlite3_io_methods`` (sqlite3.h)."""

    _fields_ = (
        ("version", ctypes.c_int),
        *((name, ctypes.c_void_p) for name in ("close", "read", "write", "truncate")),
        ("sync", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)),
    )


_HEX: Final = b"0123456789abcdef"


class FileDamaged(Exception):
    """The file is not ours, is cut short or altered, or the key is another file's."""


def _handle(connection: Connection) -> int:
    """The ``sqlite3 *`` of a connection: the first field behind the object header.

    ``open_file`` proves it each time, as a wrong address could not read a keyed page."""
    address = ctypes.c_void_p.from_address(id(connection) + object.__basicsize__).value
    if address is None:
        raise FileDamaged("the connection is closed")
    return address


def _key_text(key: Guarded) -> Guarded:
    """``x'<64 hex>'`` in guarded memory: SQLCipher's form for a raw key (no inner KDF)."""
    text = Guarded(67)
    source, target = key.pointer, text.pointer
    target[0], target[1], target[66] = 0x78, 0x27, 0x27
    for i in range(32):
        target[2 + 2 * i] = _HEX[source[i] >> 4]
        target[3 + 2 * i] = _HEX[source[i] & 15]
    return text


def _apply(function: Any, connection: Connection, key: Guarded) -> int:
    with _key_text(key) as text:
        address = int(ffi.cast("uintptr_t", text.pointer))
        return int(function(_handle(connection), b"main", address, len(text)))


def open_file(path: Path, key: Guarded, *, cache_mib: int, busy_ms: int = 5000) -> Connection:
    """A connection in autocommit mode, usable from one thread at a time.

    Raises ``FileDamaged`` when the first page does not open with ``key``."""
    connection = dbapi2.connect(
        str(path), isolation_level=None, check_same_thread=False, cached_statements=512
    )
    try:
        if _apply(_library.sqlite3_key_v2, connection, key):
            raise FileDamaged(f"{path.name} does not take its key")
        _prepare(connection, cache_mib, busy_ms)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: Connection, cache_mib: int, busy_ms: int) -> None:
    # cipher_memory_security stays off: it locks and wipes every page buffer, which halved the
    # rate of group commits (16 rows: 589 us -> 1115 us). Key material is wiped either way.
    try:
        connection.execute(f"PRAGMA busy_timeout={busy_ms:d}")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        connection.execute("PRAGMA journal_mode=WAL").fetchone()
    except dbapi2.DatabaseError as error:
        if "not a database" in str(error) or "malformed" in str(error):
            raise FileDamaged(
                "vault.db does not open with the key in vault.seal: it is damaged, "
                "or belongs to another vault"
            ) from error
        raise
    for pragma in (
        "synchronous=FULL",
        "secure_delete=ON",
        "foreign_keys=ON",
        "trusted_schema=OFF",
        "wal_autocheckpoint=0",  # the worker checkpoints, so that no commit has to wait for it
        f"cache_size=-{cache_mib * 1024:d}",
        "temp_store=MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}")
    # For comparing in whatever case: the engine's lower() knows ASCII letters only.
    connection.create_function("folded", 1, str.casefold, deterministic=True)


def rekey(connection: Connection, key: Guarded) -> None:
    """Rewrite every page with ``key``; other connections must be opened anew afterwards."""
    if _apply(_library.sqlite3_rekey_v2, connection, key):
        raise FileDamaged("the file key could not be replaced")


def sync(connection: Connection) -> None:
    """Sync the file itself, which is not its log. By the engine: a descriptor of our own would end
    all locks of this process on the file when it is closed (POSIX).

    Raises ``EngineError`` when the disk refuses."""
    file = ctypes.c_void_p()
    address = _handle(connection)
    _library.sqlite3_file_control(address, b"main", _FILE_POINTER, ctypes.byref(file))
    if file.value is None:
        raise FileDamaged("the connection has no file")
    methods = ctypes.POINTER(_Methods).from_address(file.value).contents
    if methods.sync(file, _SYNC_NORMAL):
        error = EngineError("the file could not be synced")
        error.sqlite_errorname = "SQLITE_IOERR_FSYNC"
        raise error


def keep_log(connection: Connection) -> None:
    """The last connection that closes shall not fold the log: whoever opens the file next, does."""
    enabled = ctypes.c_int(1)
    _library.sqlite3_db_config(_handle(connection), _NO_CKPT_ON_CLOSE, enabled, None)


def page_faults(connection: Connection) -> list[str]:
    """Pages whose MAC is wrong, in the engine's words; empty when all are sound."""
    return [str(row[0]) for row in connection.execute("PRAGMA cipher_integrity_check")]
