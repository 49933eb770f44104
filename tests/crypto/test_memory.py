"""Keys stay in guarded memory, end when they are wiped, and never print."""

import copy
import gc
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scaivault.crypto import aead, digest, kdf, shamir
from scaivault.crypto.memory import Guarded, Wiped, wipe
from scaivault.crypto.sodium import Pointer

RAW = bytes(range(32))


def test_load_and_reveal_are_inverse() -> None:
    for raw in (RAW, bytearray(RAW), memoryview(RAW)):
        assert Guarded().load(raw).reveal() == RAW
    assert len(Guarded(7)) == 7
    assert Guarded(7).reveal() == bytes(7)


@pytest.mark.parametrize("size", [-1, 0, 65537])
def test_sizes_have_bounds(size: int) -> None:
    with pytest.raises(ValueError, match="1 to 65536"):
        Guarded(size)


@pytest.mark.parametrize("raw", [b"", RAW[:-1], RAW + b"\0"])
def test_load_takes_the_exact_length(raw: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Guarded().load(raw)


def test_random_keys_differ() -> None:
    assert len({bytes(Guarded.random().reveal()) for _ in range(50)}) == 50
    assert len(Guarded.random(80)) == 80


def test_equals_compares_bytes() -> None:
    one = Guarded().load(RAW)
    assert one.equals(Guarded().load(RAW))
    assert not one.equals(Guarded())
    assert not one.equals(Guarded(16).load(RAW[:16]))


def test_after_wipe_every_use_raises() -> None:
    key, other = Guarded().load(RAW), Guarded()
    key.wipe()
    key.wipe()
    assert key.wiped
    for use in (lambda: key.pointer, key.reveal, key.confirm, lambda: key.load(RAW)):
        with pytest.raises(Wiped):
            use()
    for use in (lambda: key.equals(other), lambda: other.equals(key)):
        with pytest.raises(Wiped):
            use()


def test_a_pointer_held_over_a_wipe_reads_zeros() -> None:
    key = Guarded().load(RAW)
    pointer = key.pointer
    key.wipe()
    del key
    gc.collect()
    assert [pointer[i] for i in range(32)] == [0] * 32


def test_leaving_a_with_block_wipes() -> None:
    with pytest.raises(KeyError), Guarded() as key:
        raise KeyError
    assert key.wiped


def test_nothing_prints_pickles_or_copies_a_key() -> None:
    key = Guarded().load(RAW)
    assert repr(key) == str(key) == f"{key}" == "<secret>"
    for spread in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="neither pickled nor copied"):
            spread(key)


def test_wipe_zeroes_buffers_in_place() -> None:
    buffer, fresh = bytearray(RAW), bytes(bytearray(RAW))
    wipe(buffer)
    wipe(memoryview(fresh))
    assert buffer == fresh == bytes(32)


def test_wipe_leaves_shared_bytes_alone() -> None:
    for n in range(256):
        wipe(bytes([n]))
    wipe(b"")
    assert [bytes([n])[0] for n in range(256)] == list(range(256))


class Raced(Guarded):
    """Wiped by somebody else right after its pointer was taken."""

    def __init__(self) -> None:
        super().__init__()
        self.load(RAW)
        self.raced = True

    @property
    def pointer(self) -> Pointer:
        pointer = super().pointer
        if hasattr(self, "raced"):
            self.wipe()
        return pointer


def _used_while_wiped() -> dict[str, Callable[[], object]]:
    key, box = Guarded().load(RAW), aead.wrap(Guarded().load(RAW), Guarded(), b"")
    return {
        "seal": lambda: aead.seal(Raced(), b"", b""),
        "unseal": lambda: aead.unseal(Raced(), box, b""),
        "wrap": lambda: aead.wrap(Raced(), key, b""),
        "wrap, inner": lambda: aead.wrap(key, Raced(), b""),
        "unwrap": lambda: aead.unwrap(Raced(), box, b""),
        "seal_value": lambda: aead.seal_value(Raced(), b"", b"", b""),
        "open_value": lambda: aead.open_value(Raced(), box, box, b"", b""),
        "rewrap, old": lambda: aead.rewrap(Raced(), key, box, b"", b""),
        "rewrap, new": lambda: aead.rewrap(key, Raced(), box, b"", b""),
        "derive": lambda: kdf.derive(Raced(), 1, b"svroot01"),
        "keyed": lambda: digest.keyed(Raced(), b""),
        "split": lambda: shamir.split(Raced(), 3, 2),
        "reveal": lambda: Raced().reveal(),
        "load": lambda: Raced().load(RAW),
        "equals": lambda: Raced().equals(key),
        "equals, other": lambda: key.equals(Raced()),
    }


@pytest.mark.parametrize("use", list(_used_while_wiped()))
def test_a_wipe_in_the_middle_spoils_no_outcome(use: str) -> None:
    with pytest.raises(Wiped):
        _used_while_wiped()[use]()


def test_a_wipe_under_use_gives_wiped_and_no_box_of_zeros() -> None:
    for _ in range(20):
        key, same = Guarded().load(RAW), Guarded().load(RAW)
        boxes: list[tuple[bytes, bytes]] = []
        ended: list[str] = []
        busy = threading.Event()

        def work(key: Guarded, boxes: list[tuple[bytes, bytes]], ended: list[str]) -> None:
            try:
                while True:
                    boxes.append(aead.seal_value(key, b"value", b"", b""))
                    aead.open_value(key, *boxes[-1], b"", b"")
                    busy.set()  # noqa: B023 - joined below, within this round
            except (Wiped, aead.Damaged) as error:
                ended.append(type(error).__name__)

        threads = [threading.Thread(target=work, args=(key, boxes, ended)) for _ in range(2)]
        for thread in threads:
            thread.start()
        assert busy.wait(10)
        key.wipe()
        for thread in threads:
            thread.join(10)
        assert ended == ["Wiped", "Wiped"]
        assert all(aead.open_value(same, *box, b"", b"") == b"value" for box in boxes)


# A process of its own, scanned from here: to look for a key one must hold it.
_CHILD = """
import sys
from scaivault.crypto import aead, kdf, shamir
from scaivault.crypto.memory import Guarded, wipe

def show(key):
    pointer = key.pointer
    print("".join(format(pointer[i] ^ 0x5A, "02x") for i in range(len(key))), flush=True)

root = Guarded.random()
tenant = aead.unwrap(root, aead.wrap(root, Guarded.random(), b"t"), b"t")
derived = kdf.derive(root, 1, b"svroot01")
dek_box, value_box = aead.seal_value(tenant, b"value", b"d", b"v")
aead.open_value(tenant, dek_box, value_box, b"d", b"v")
aead.rewrap(tenant, derived, dek_box, b"d", b"d")
shares = shamir.split(root, 5, 3)
shamir.combine(dict(shares[:3])).wipe()
for _, share in shares:
    wipe(share)
dek = aead.unwrap(tenant, dek_box, b"d")
keys = [root, tenant, derived, dek]
for key in keys:
    show(key)
sys.stdin.readline()
for key in keys:
    key.wipe()
print("wiped", flush=True)
sys.stdin.readline()
"""


def _readable(pid: int) -> Iterator[bytes]:
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text("ascii").splitlines():
            span, rights, *_, name = line.split(maxsplit=5) if "[" in line else [*line.split(), ""]
            if not rights.startswith("r") or name.startswith(("[vvar", "[vsyscall")):
                continue
            start, end = (int(edge, 16) for edge in span.split("-"))
            memory.seek(start)
            yield memory.read(end - start)


def _found(pid: int, keys: list[bytes]) -> list[bool]:
    found = [False] * len(keys)
    for region in _readable(pid):
        found = [seen or key in region for seen, key in zip(found, keys, strict=True)]
    return found


def test_process_memory_holds_no_wiped_key() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        masked = [bytes.fromhex(child.stdout.readline()) for _ in range(4)]
        keys = [bytes(byte ^ 0x5A for byte in key) for key in masked]
        assert _found(child.pid, keys) == [True] * 4
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.stdout.readline() == "wiped\n"
        assert _found(child.pid, keys) == [False] * 4


_LOCKED = """
import resource
from scaivault.crypto.memory import lock_process
resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
print(lock_process({lock}))
print(resource.getrlimit(resource.RLIMIT_CORE))
import ctypes
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
print(int(next(l for l in open("/proc/self/status") if l.startswith("VmLck")).split()[1]))
"""


def _locked(program: str) -> list[str]:
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")


def test_the_process_is_neither_dumped_nor_traced() -> None:
    warnings, core, dumpable, *_ = _locked(_LOCKED.format(lock=False))
    assert (warnings, core, dumpable) == ("[]", "(0, 0)", "0")


def test_memory_is_locked_or_the_operator_is_told() -> None:
    warnings, _, _, locked, *_ = _locked(_LOCKED.format(lock=True))
    assert int(locked) > 4096 if warnings == "[]" else "LimitMEMLOCK" in warnings


def test_a_small_limit_is_a_warning_and_not_a_later_crash() -> None:
    small = (
        "import resource; resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 65536))\n"
        "from scaivault.crypto import memory\n"
        "memory._may_lock = lambda: False\n"
    )
    warnings, *_ = _locked(small + _LOCKED.format(lock=True) + "bytearray(50_000_000)\n")
    assert "LimitMEMLOCK" in warnings
