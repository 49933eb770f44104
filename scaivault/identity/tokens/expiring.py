"""Personal access tokens and client secrets that end soon: who depends on one is told before."""

from __future__ import annotations

from typing import Final, NamedTuple

from scaivault.clock import DAY, instant
from scaivault.gate.caller import Caller
from scaivault.gate.gate import Act, Gate
from scaivault.gate.transaction import Transaction
from scaivault.identity import model
from scaivault.identity.notices import FARTHEST, next_notice, reached
from scaivault.storage.file import Connection
from scaivault.tenancy import Tenancy

_STEP: Final = 200
# Of identities and tenants that could still use them. Notices that are older than the farthest
# threshold belong to something that ended: they are not looked at again.
_IS_DUE: Final = """
JOIN tenant n ON n.id = d.tenant_id AND n.status = 'ACTIVE'
JOIN partner p ON p.id = n.partner_id AND p.status = 'ACTIVE'
WHERE d.notice_at > :now - :farthest AND d.notice_at <= :now AND d.expires_at > :now
    AND d.tenant_id = coalesce(:tenant, d.tenant_id)
"""
_DUE: Final = f"""
SELECT d.kind, d.tenant_id, d.id, d.name, d.identity_id, d.expires_at
FROM token d INDEXED BY token_notice {_IS_DUE} AND d.revoked_at IS NULL AND 'ACTIVE' = coalesce(
    (SELECT u.status FROM user u
        WHERE u.tenant_id = d.tenant_id AND u.identity_id = d.identity_id),
    (SELECT a.status FROM service_account a
        WHERE a.tenant_id = d.tenant_id AND a.identity_id = d.identity_id))
UNION ALL
SELECT 'client_secret', d.tenant_id, d.id, d.name, a.identity_id, d.expires_at
FROM credential d INDEXED BY credential_notice
JOIN service_account a ON a.id = d.account_id AND a.status = 'ACTIVE' {_IS_DUE}
LIMIT :most
"""  # noqa: S608  (literals)


class _Due(NamedTuple):
    """What ends soon."""

    kind: str
    tenant_id: str
    id: str
    name: str
    holder: str
    expires_at: int


class Expiring:
    """One per open vault."""

    def __init__(self, gate: Gate, tenancy: Tenancy) -> None:
        self._gate: Final = gate
        self._tenancy: Final = tenancy

    async def announce(self, caller: Caller) -> int:
        """Tell of some of the ends that come near; how many that was."""
        due = await self._gate.ask(lambda db: _due(db, caller.now))
        done = 0
        for tenant in dict.fromkeys(one.tenant_id for one in due):
            done += await self._announce_some(caller, tenant)
        return done

    async def _announce_some(self, caller: Caller, tenant: str) -> int:
        act = Act("job_control")
        act.extra["job"] = "expiring-tokens"

        def announce(tx: Transaction) -> int:
            tx.concern(*self._tenancy.places(tenant))
            due = _due(tx.connection, tx.now, tenant)
            for one in due:
                _announce_one(tx, one)
            tx.note(events=len(due))
            return len(due)

        return await self._gate.change(caller, act, announce)


def _due(db: Connection, now: int, tenant: str | None = None) -> list[_Due]:
    values = {"now": now, "farthest": FARTHEST, "tenant": tenant, "most": _STEP}
    return [_Due(*row) for row in db.execute(_DUE, values)]


def _announce_one(tx: Transaction, one: _Due) -> None:
    tx.emit(
        "token.expiring",
        None,
        kind=one.kind,
        id=one.id,
        name=one.name,
        holder=one.holder,
        expires_at=instant(one.expires_at),
        days_remaining=-((tx.now - one.expires_at) // DAY),
        threshold=reached(one.expires_at, tx.now),
    )
    table = "token" if one.kind == model.PAT else "credential"
    tx.execute(
        f"UPDATE {table} SET notice_at = :at WHERE tenant_id = :tenant AND id = :id",  # noqa: S608
        {"at": next_notice(one.expires_at, tx.now), "tenant": one.tenant_id, "id": one.id},
    )
