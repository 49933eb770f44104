"""Memory that keys live in, and what keeps the process from spilling it.

A ``Guarded`` is a libsodium allocation: guard pages on both sides, locked into RAM where the
limit allows, left out of core dumps, wiped when released. Python objects never hold its bytes.
"""

from __future__ import annotations

import ctypes
import resource
import sys
from types import TracebackType
from typing import Final, NoReturn, Self, TypeAlias

from scaivault.crypto import sodium
from scaivault.crypto.sodium import Pointer

Buffer: TypeAlias = bytes | bytearray | memoryview

LARGEST: Final = 65536


class Wiped(RuntimeError):
    """A key was used after it was wiped: the vault was sealed or the key replaced meanwhile."""


class Guarded:
    """``n`` secret bytes (32 unless said). Zero at first; fill with ``load``.

    Any number of threads may use one. After ``wipe`` every use raises ``Wiped``. Code that
    takes ``pointer`` keeps it referenced during the call and calls ``confirm`` before it trusts
    the outcome: a wipe in between left zeros, and then ``confirm`` raises.
    """

    __slots__ = ("_pointer", "_size")

    def __init__(self, n: int = 32) -> None:
        if not 0 < n <= LARGEST:
            raise ValueError(f"guarded memory holds 1 to {LARGEST} bytes")
        self._size = n
        self._pointer: Pointer | None = sodium.allocate(n)

    @classmethod
    def random(cls, n: int = 32) -> Self:
        """``n`` bytes of the system's generator, written straight into guarded memory."""
        made = cls(n)
        sodium.random(made.pointer, n)
        return made

    @property
    def pointer(self) -> Pointer:
        """cffi ``unsigned char *``, for calls of ``sodium``."""
        pointer = self._pointer
        if pointer is None:
            raise Wiped("this key was wiped and cannot be used any more")
        return pointer

    def load(self, buffer: Buffer) -> Self:
        """Copies ``buffer`` in (same length) and returns self. The caller wipes the buffer."""
        if len(buffer) != self._size:
            raise ValueError(f"{self._size} bytes are needed, {len(buffer)} were given")
        pointer = self.pointer
        sodium.ffi.memmove(pointer, buffer, self._size)
        if self._pointer is None:
            sodium.zero(pointer, self._size)
        self.confirm()
        return self

    def reveal(self) -> bytearray:
        """A copy in plain memory for an interface that cannot do without: ``wipe`` it soon."""
        copy = bytearray(sodium.ffi.buffer(self.pointer, self._size))
        self.confirm()
        return copy

    def duplicate(self) -> Guarded:
        """A second holder of the same bytes, wiped on its own."""
        plain = self.reveal()
        try:
            return Guarded(self._size).load(plain)
        finally:
            wipe(plain)

    def equals(self, other: Guarded) -> bool:
        """Whether both hold the same bytes, in time that depends on the length only."""
        if self._size != other._size:
            return False
        alike = sodium.same(self.pointer, other.pointer, self._size) == 0
        self.confirm()
        other.confirm()
        return bool(alike)

    def wipe(self) -> None:
        """Zeroes the bytes now and gives the memory back. Again is allowed."""
        pointer, self._pointer = self._pointer, None
        if pointer is not None:
            sodium.zero(pointer, self._size)

    @property
    def wiped(self) -> bool:
        return self._pointer is None

    def confirm(self) -> None:
        """Raises ``Wiped`` if the key was wiped, perhaps during the call just made with it."""
        _ = self.pointer

    def __len__(self) -> int:
        return self._size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.wipe()

    def __repr__(self) -> str:
        return "<secret>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is neither pickled nor copied")


def wipe(buffer: Buffer) -> None:
    """Zeroes ``buffer`` in place, ``bytes`` too.

    For ``bytes`` the caller must hold the only reference to something computed: a literal or
    an interned constant would change for everybody. One byte or none is left alone, CPython
    shares those.
    """
    if len(buffer) > 1:
        sodium.zero(sodium.ffi.from_buffer(buffer), len(buffer))


_PR_SET_DUMPABLE: Final = 4
_MCL_CURRENT: Final = 1
_MCL_FUTURE: Final = 2
# Lock pages as they are touched (Linux 4.4): otherwise every thread's whole 8 MiB stack and
# every reserved arena would become resident.
_MCL_ONFAULT: Final = 4
_CAP_IPC_LOCK: Final = 14


def lock_process(lock_memory: bool) -> list[str]:
    """Keeps memory out of core dumps, out of other processes' sight and, if asked, out of swap.

    Returns what could not be done, in sentences for the operator; an empty list is success.
    """
    warnings = []
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if not sys.platform.startswith("linux"):
        return ["memory cannot be locked and stays readable to debuggers on this system"]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        warnings.append("the process could not be made undumpable (PR_SET_DUMPABLE)")
    if lock_memory and not _lock_all(libc):
        warnings.append(
            "memory is not locked and may reach swap: set LimitMEMLOCK=infinity or turn swap off"
        )
    return warnings


def _lock_all(libc: ctypes.CDLL) -> bool:
    # Under a finite limit the lock would succeed now and make a later allocation fail.
    hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (hard, hard))
    if hard != resource.RLIM_INFINITY and not _may_lock():
        return False
    return bool(libc.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT) == 0)


def _may_lock() -> bool:
    with open("/proc/self/status", encoding="ascii") as status:
        effective = next(line for line in status if line.startswith("CapEff:"))
    return bool(int(effective.split()[1], 16) >> _CAP_IPC_LOCK & 1)
