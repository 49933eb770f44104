"""The table of jobs: all that happens by itself, how often, and as whom.

A job is ``(vault, caller) -> what it did``; the caller is ``system:<component>`` and passes the
same gate as everybody. A run that did something leaves its rows in the ledger; a run that found
nothing to do leaves none, or an idle vault would fill its ledger with itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from scaivault.clock import DAY, HOUR, MINUTE, SECOND
from scaivault.config import Settings
from scaivault.crypto.aead import Damaged
from scaivault.gate.caller import Caller
from scaivault.gate.gate import Act
from scaivault.storage.file import page_faults
from scaivault.vault import Vault

Work = Callable[[Vault, Caller], Awaitable[Any]]
Step = Callable[[Caller], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Job:
    """``every``: microseconds between runs; ``outward``: acts on other systems, so it can be
    paused; ``kept``: its last run is remembered over restarts; ``early``: whether a run is due
    before its time."""

    name: str
    component: str
    work: Work
    every: Callable[[Settings], int]
    outward: bool = False
    kept: bool = False
    early: Callable[[Vault], bool] = lambda _: False


async def _until_done(vault: Vault, step: Step, caller: Caller) -> int:
    """Steps until one finds nothing more to do; how much was done."""
    done = 0
    while not vault.closing and (more := await step(caller)):
        done += more
    return done


async def _purge(vault: Vault, caller: Caller) -> int:
    return await _until_done(vault, vault.upkeep.purge, caller)


async def _expiry(vault: Vault, caller: Caller) -> int:
    return await _until_done(vault, vault.upkeep.announce, caller)


async def _expiring_tokens(vault: Vault, caller: Caller) -> int:
    """And client secrets."""
    return await _until_done(vault, vault.expiring.announce, caller)


async def _rewrap(vault: Vault, caller: Caller) -> int:
    return await vault.keys.rewrap(caller, lambda: vault.closing)


async def _scrub(vault: Vault, caller: Caller) -> int:
    """Page MACs and every stored value. Each failing version is set aside; all else goes on."""
    faults = await vault.gate.ask(page_faults)
    failed, after = 0, ("", "", 0)
    while not vault.closing:
        spot, more = await vault.upkeep.scrub(caller, after)
        failed += more
        if spot is None:
            break
        after = spot
    act = Act("job_control")
    act.extra.update(job="scrub", page_faults=len(faults), values_failed=failed)
    await vault.gate.change(caller, act, lambda tx: None)
    if faults or failed:
        raise Damaged(f"{len(faults)} pages and {failed} values are damaged")
    return 0


async def _checkpoint(vault: Vault, _caller: Caller) -> None:
    await vault.checkpoint()


async def _audit_index(vault: Vault, _caller: Caller) -> None:
    """Of what the ledger grew by since; no row of its own, or it would never be done."""
    while not vault.closing and await vault.audit_index.advance():
        pass


async def _flush(vault: Vault, _caller: Caller) -> None:
    await vault.flush()


async def _forget(vault: Vault, caller: Caller) -> int:
    return await _until_done(vault, vault.forgetting.forget, caller)


async def _issuer_key(vault: Vault, caller: Caller) -> None:
    await vault.renew_issuer(caller)


async def _key_sets(vault: Vault, _caller: Caller) -> None:
    """Of outside issuers; one that cannot be reached is tried again the next time."""
    await vault.key_sets.refresh()


async def _identity_sync(vault: Vault, caller: Caller) -> int:
    return await vault.sync_run.run(caller)


async def _idle_keys(vault: Vault, caller: Caller) -> int:
    return vault.keyring.expire(caller.now)


async def _expire_bindings(vault: Vault, caller: Caller) -> int:
    return await _until_done(vault, vault.bindings.expire, caller)


async def _idle_rules(vault: Vault, caller: Caller) -> int:
    return vault.policies.shelf.sweep(caller.now)


async def _audit_exports(vault: Vault, caller: Caller) -> int:
    return await vault.export_run.run(caller)


async def _audit_archive(vault: Vault, caller: Caller) -> int:
    return await vault.archive.run(caller)


async def _audit_prune(vault: Vault, caller: Caller) -> int:
    return await vault.prune.run(caller)


async def _tenants(vault: Vault, caller: Caller) -> int:
    """The keys of tenants that were deleted 30 days ago, and what was sealed under them."""
    return await vault.ending.run(caller, lambda: vault.closing)


JOBS: Final[tuple[Job, ...]] = (
    Job("audit-archive", "audit", _audit_archive, lambda _: 10 * SECOND, outward=True),
    Job("audit-exports", "audit", _audit_exports, lambda _: 2 * SECOND, outward=True),
    Job("audit-index", "audit", _audit_index, lambda _: SECOND),
    Job("audit-prune", "audit", _audit_prune, lambda _: DAY, kept=True),
    Job("checkpoint", "audit", _checkpoint, lambda s: s.audit.checkpoint_interval * SECOND),
    Job("expire-bindings", "expiry", _expire_bindings, lambda _: MINUTE),
    Job("expiring-tokens", "expiry", _expiring_tokens, lambda _: MINUTE),
    Job("expiry", "expiry", _expiry, lambda _: 10 * SECOND),
    Job("flush", "audit", _flush, lambda _: MINUTE, early=lambda vault: vault.facts.access.full),
    Job("forget", "expiry", _forget, lambda _: HOUR),
    Job("identity-sync", "identity-sync", _identity_sync, lambda _: 2 * SECOND, outward=True),
    Job("idle-keys", "seal", _idle_keys, lambda _: MINUTE),
    Job("idle-rules", "policies", _idle_rules, lambda s: s.policies.cache_ttl * SECOND),
    Job("issuer-key", "identity", _issuer_key, lambda _: HOUR),
    Job("key-sets", "identity-sync", _key_sets, lambda s: s.identity.jwks_refresh * SECOND),
    Job("purge", "purge", _purge, lambda _: HOUR),
    Job("rewrap", "rewrap", _rewrap, lambda _: 2 * SECOND),
    Job("scrub", "scrub", _scrub, lambda s: s.storage.scrub_interval * SECOND, kept=True),
    Job("tenants", "purge", _tenants, lambda _: HOUR),
)
