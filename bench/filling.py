"""A vault with a long audit log, made fast: in this process, by the server's own code.

The ledger chains and signs the rows, the writer commits them a thousand at a time, the index takes
each segment as it fills; no row gets past them. What is not real: the clock, which runs through
months meanwhile, the requests that the rows tell of, and that the index commits seldom.

The rows are like those of a vault of some teams: nine in ten are reads, one in 50 is a refusal.
There are 40 programs and 60 addresses. Of 20,000 paths one has every 50th row, and 1,000 have four
in five of the others. Each fifth row is another tenant's. One action in 100,000 is rare.
"""

import itertools
from pathlib import Path

import httpx

from bench.inside import rooms
from bench.target import SPREAD, path
from bench.vault import ARGON2, PASSPHRASE, SCOPES, bind, call, service_account
from scaivault.audit import index
from scaivault.audit.terms import SEGMENT
from scaivault.clock import MINUTE, SystemClock, instant
from scaivault.gate.ledger import LedgerUnit, Record
from scaivault.ids import timed_id
from scaivault.vault import Vault
from scaivault_sdk._local import BASE_URL, LocalTransport, LocalVault

GROUP = 1000
CACHE_MIB = 1024
PATHS, USED = 20_000, 1000
BUSY = path(7)
PROGRAMS = tuple(f"sa:program-{n}" for n in range(40))
ADDRESSES = tuple(f"192.0.2.{n}" for n in range(60))
NEIGHBOUR = "tnt_" + "0" * 20
USUAL = ("read",) * 45 + ("write", "write", "list", "list", "delete")
RARE = "policy_update"


class Passing:
    """A clock that goes on only when it is told to."""

    def __init__(self, start: int) -> None:
        self.instant = start
        self._system = SystemClock()

    def now(self) -> int:
        return self.instant

    def monotonic(self) -> int:
        return self._system.monotonic()


def fill(data: Path, rows: int, step: int) -> dict[str, object]:
    """Make a vault in the folder ``data``, with ``rows`` rows ``step`` microseconds apart, of which
    the last is a minute old; ``PASSPHRASE`` opens it. The credential of an account that may read
    the log, as the API shows it.
    """
    clock = Passing(SystemClock().now() - rows * step - MINUTE)
    settings = {"data_dir": str(data), "storage.cache_mib": CACHE_MIB}
    settings |= {f"seal.argon2.{name}": value for name, value in ARGON2.items()}
    local = LocalVault(clock, **settings)
    try:
        # Not closed: that would end the vault.
        client = httpx.Client(transport=LocalTransport(local), base_url=BASE_URL)
        client.headers["Authorization"] = f"Bearer {local.root_token}"
        slot = {"type": "passphrase", "passphrase": PASSPHRASE}
        call(client, "POST", "/v1/system/slots", slot)
        account, made = service_account(client, (*SCOPES, "audit:read"))
        bind(client, account)
        local.run(_append(rooms(local), clock, rows, step))
    finally:
        local.close()
    return made


async def _append(vault: Vault, clock: Passing, rows: int, step: int) -> None:
    index.PORTION = 1_000_000_000  # nanoseconds: nobody waits here
    tenant = next(iter(vault.tenancy.tenants.values()))
    numbers = iter(range(rows))
    while portion := list(itertools.islice(numbers, GROUP)):
        group = []
        for number in portion:
            clock.instant += step
            group.append(_row(number, clock.instant, tenant.partner_id, tenant.id))
        await vault.database.submit(LedgerUnit(clock.monotonic(), group))
        if portion[-1] % SEGMENT < GROUP:
            await vault.audit_index.advance()
    while await vault.audit_index.advance():
        pass


def _row(number: int, now: int, partner: str, tenant: str) -> Record:
    mixed = (number + 1) * SPREAD >> 8
    rare, refused = number % 100_000 == 5, mixed % 50 == 1
    extra: dict[str, object] = {"error_code": "access_denied"} if refused else {"version": 3}
    owner = NEIGHBOUR if number % 5 == 4 else tenant
    about = (mixed >> 3) % (USED if mixed >> 20 & 0xFF < 205 else PATHS)
    return Record(
        action=RARE if rare else USUAL[mixed % len(USUAL)],
        actor_tenant_id=owner,
        duration_ms=0,
        extra_data=extra,
        id=timed_id("log_", now),
        identity_id=PROGRAMS[(mixed >> 5) % len(PROGRAMS)],
        identity_type="service_account",
        partner_id=partner,
        request_id=timed_id("req_", now),
        secret_path=BUSY if number % 50 == 0 else path(about),
        seq=0,
        source_ip=ADDRESSES[(mixed >> 9) % len(ADDRESSES)],
        success=not refused,
        tenant_id=owner,
        timestamp=instant(now),
        user_agent="program/3.1 (linux)",
    )
