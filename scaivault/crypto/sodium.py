"""The one door to libsodium: the build that PyNaCl carries, called with raw pointers.

PyNaCl's public functions take and return ``bytes``, which cannot be wiped. Its private module
``nacl._sodium`` has the same C functions for cffi pointers, so a key can stay in guarded
memory from birth to wiping. Guarded allocation is not declared there but is exported by the
shared object, hence ctypes for those two. ``selftest`` proves at every start that all of this
still holds; nothing else in the package may import ``nacl`` or ``ctypes`` for keys.
"""

from __future__ import annotations

import ctypes
import importlib
from typing import Any, Final, TypeAlias

# A cffi ``unsigned char *``; the owner of the memory must stay referenced while it is used.
Pointer: TypeAlias = Any

_module: Final = importlib.import_module("nacl._sodium")
ffi: Final[Any] = _module.ffi
lib: Final[Any] = _module.lib
NULL: Final = ffi.NULL

if lib.sodium_init() < 0:
    raise ImportError("libsodium could not be initialised")

_exports: Final = ctypes.CDLL(str(_module.__file__))
_malloc: Final = _exports.sodium_malloc
_malloc.restype, _malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
_free: Final = _exports.sodium_free
_free.restype, _free.argtypes = None, [ctypes.c_void_p]


def allocate(n: int) -> Pointer:
    """``n`` zero bytes between guard pages, locked where the system allows, never dumped.

    Wiped and unmapped when the last reference to the pointer goes, not before: a thread that
    still holds it can read zeros, but never unmapped memory. 36 us (four system calls).
    """
    address = _malloc(n)
    if not address:
        raise MemoryError("libsodium has no guarded memory left")
    pointer = ffi.gc(ffi.cast("unsigned char *", address), _release)
    zero(pointer, n)
    return pointer


def _release(pointer: Pointer, cast: Any = ffi.cast, free: Any = _free) -> None:
    # Defaults, because module globals may be gone when the interpreter ends.
    free(int(cast("uintptr_t", pointer)))


# Bound once: the hot path calls these thousands of times a second.
zero: Final[Any] = lib.sodium_memzero
random: Final[Any] = lib.randombytes
same: Final[Any] = lib.sodium_memcmp
encrypt: Final[Any] = lib.crypto_aead_xchacha20poly1305_ietf_encrypt
decrypt: Final[Any] = lib.crypto_aead_xchacha20poly1305_ietf_decrypt
blake2b: Final[Any] = lib.crypto_generichash_blake2b_salt_personal
argon2: Final[Any] = lib.crypto_pwhash
