"""From the unseal call to the first secret read, with many secrets in the file.

A restart comes before every turn, so nothing is warm but the kernel's page cache. ScaiVault's
passphrase goes through Argon2id at its lowest setting; the same derivation is timed alone and its
median taken off. OpenBao's key share needs none.
"""

import statistics
import time

from nacl.bindings import crypto_pwhash_alg, crypto_pwhash_ALG_ARGON2ID13

from bench import load
from bench.process import BenchmarkError
from bench.row import Figure, Goal, Row
from bench.script import main
from bench.settings import Settings
from bench.stage import VAULTS, stage
from bench.target import Sealable, Target, path
from bench.vault import KDF_MEM_KIB, KDF_OPS, Vault

ANSWER_LIMIT = 120.0
HEALTH = {"ScaiVault": "/v1/health", "OpenBao": "/v1/sys/health"}
OPEN = "unseal to answer, KDF apart"
START = "start to sealed"


def run(settings: Settings) -> Row:
    """One server after the other: load, then restart and unseal, turn by turn."""
    row = Row(f"unseal to first answer, {settings.many:,} secrets")
    for starter in VAULTS:
        with stage((starter,), settings.folder, row.notes) as targets:
            for target in targets:
                row.figures += _measure(target, settings)
    ours = row.find(OPEN, "ScaiVault")
    row.goals = [Goal("seconds, KDF apart", ours.median if ours else None, "at most", 1)]
    return row


def _measure(target: Target, settings: Settings) -> list[Figure]:
    assert isinstance(target, Sealable)
    load.fill(target, range(settings.many))
    kdf = _kdf(settings.turns) if isinstance(target, Vault) else 0.0
    starts, opens = [], []
    for _ in range(settings.turns):
        target.stop()
        began = time.perf_counter()
        target.start()
        starts.append(round(time.perf_counter() - began, 3))
        opens.append(round(_open(target) - kdf, 3))
    return [
        Figure(START, target.name, "s", tuple(starts)),
        Figure(OPEN, target.name, "s", tuple(opens)),
    ]


def _open(target: Sealable) -> float:
    """Seconds from the unseal call to the first secret in hand."""
    with target.client() as client:
        client.get(HEALTH[target.name])  # connects
        began = time.perf_counter()
        target.unseal(client)
        while time.perf_counter() - began < ANSWER_LIMIT:
            answer = client.get(f"{target.secrets}/{path(1)}", headers=target.headers)
            if answer.is_success:
                return time.perf_counter() - began
            time.sleep(0.002)
    raise BenchmarkError(f"{target.name} does not answer: {answer.status_code} {answer.text}")


def _kdf(turns: int) -> float:
    """Median seconds of Argon2id with the settings that the vault was made with."""
    times = []
    for _ in range(turns):
        began = time.perf_counter()
        crypto_pwhash_alg(
            32, b"p" * 30, b"s" * 16, KDF_OPS, KDF_MEM_KIB << 10, crypto_pwhash_ALG_ARGON2ID13
        )
        times.append(time.perf_counter() - began)
    return statistics.median(times)


if __name__ == "__main__":
    main(__doc__, run)
