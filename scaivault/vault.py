"""An open vault: every room, built by hand. It is born at unseal and ends at seal, and every key,
cache and connection with it."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from scaivault.audit import Audit
from scaivault.audit.archive import Archive
from scaivault.audit.archive import Settings as ArchiveSettings
from scaivault.audit.export_run import ExportRun
from scaivault.audit.exports import Exports
from scaivault.audit.index import Index
from scaivault.audit.prune import Prune
from scaivault.audit.retention import Retention
from scaivault.audit.trails import Trails
from scaivault.clock import SECOND, Clock
from scaivault.config import Settings
from scaivault.crypto.memory import Guarded
from scaivault.events.kinds import KINDS
from scaivault.gate import once, outbox
from scaivault.gate.caller import Caller, background
from scaivault.gate.cursors import Cursors
from scaivault.gate.forgetting import Forgetting, Old
from scaivault.gate.gate import Act, Gate
from scaivault.gate.limits import Limits
from scaivault.gate.outbox import Outbox
from scaivault.identity.authentication import Authentication
from scaivault.identity.foreign import Foreign, KeySets
from scaivault.identity.foreign import store as foreign_tokens
from scaivault.identity.groups.members import Members
from scaivault.identity.groups.room import Groups
from scaivault.identity.issuer import Issuer
from scaivault.identity.lookup import ever_known
from scaivault.identity.oauth.exchange import Exchange
from scaivault.identity.oauth.grants import Grants
from scaivault.identity.oauth.narrowing import Narrowing
from scaivault.identity.oauth.published import Published
from scaivault.identity.people.accounts import Accounts
from scaivault.identity.people.credentials import Credentials
from scaivault.identity.people.directory import Directory
from scaivault.identity.people.known import Known
from scaivault.identity.people.mfa import Mfa
from scaivault.identity.people.mfa_sealed import SealedFactors
from scaivault.identity.people.revoking import Revoking
from scaivault.identity.people.roles import Roles
from scaivault.identity.people.users import Users
from scaivault.identity.standing import standing
from scaivault.identity.store.tokens import any_ended, forget_ended
from scaivault.identity.sync import Synchronization
from scaivault.identity.sync import store as sync_store
from scaivault.identity.tenants.partners import Partners
from scaivault.identity.tenants.tenants import Tenants
from scaivault.identity.tokens.expiring import Expiring
from scaivault.identity.tokens.minting import Minting
from scaivault.identity.tokens.room import Tokens
from scaivault.identity.trusts import store as trusts_store
from scaivault.identity.trusts.checks import Checks
from scaivault.identity.trusts.proving import Proving
from scaivault.identity.trusts.room import Trusts
from scaivault.identity.trusts.token_review import Reviews
from scaivault.ids import timed_id
from scaivault.outbound import Allowance, Guard
from scaivault.policies import Bindings, Policies, Rights
from scaivault.policies.shelf import Shelf as Rules
from scaivault.seal.file import WrappedKey
from scaivault.secrets import Secrets, access
from scaivault.secrets.access import Access
from scaivault.secrets.batch import Batch
from scaivault.secrets.facts import Facts
from scaivault.secrets.lending import Lending
from scaivault.secrets.listing import Lists
from scaivault.secrets.removing import Removing
from scaivault.secrets.sealed import SealedValues
from scaivault.secrets.shelf import Shelf
from scaivault.secrets.store import any_of
from scaivault.secrets.upkeep import Upkeep
from scaivault.secrets.values import Values
from scaivault.storage.database import Database
from scaivault.storage.file import Connection
from scaivault.storage.folder import Folder
from scaivault.system.jobs import Jobs
from scaivault.system.keys import Keys
from scaivault.system.opening import Opened, wrap_file_key
from scaivault.tenancy import Tenancy
from scaivault.tenancy.ending import Ending, Leftover

log = logging.getLogger("scaivault.vault")


class Vault:
    """All rooms over one open file."""

    def __init__(  # noqa: PLR0915 - every room is named here once
        self, opened: Opened, folder: Folder, settings: Settings, limits: Limits, clock: Clock
    ) -> None:
        self.opened: Final = opened
        self.clock: Final = clock
        self.keyring: Final = opened.keyring
        self.ledger: Final = opened.ledger
        self.limits: Final = limits
        # Half of the memory for pages, half for encrypted rows.
        cache = settings.storage.cache_mib
        self.database: Final = Database(
            folder.database,
            opened.file_key,
            opened.ledger,
            readers=settings.storage.readers,
            cache_mib=max(2, cache // 2),
            group_max=settings.audit.group_commit_max,
        )
        self._outbox: Final = Outbox(KINDS)
        self.gate: Final = Gate(self.database, opened.envelope, self._outbox, clock)
        self.cursors: Final = Cursors(self.keyring)
        self.tenancy: Final = Tenancy(self.keyring)
        local = settings.identity.local
        self.issuer: Final = Issuer(
            local.issuer,
            local.token_ttl * SECOND,
            local.key_rotation * SECOND,
            enabled=local.enabled,
        )
        guard = Guard(_allowance(settings))
        refresh = settings.identity.jwks_refresh * SECOND
        self.key_sets: Final = KeySets(clock, guard, refresh)
        self.foreign: Final = Foreign(self.gate, self.tenancy, settings.identity, self.key_sets)
        within = (self.gate, self.keyring, self.tenancy, self.issuer)
        self.authentication: Final = Authentication(*within, self.foreign)
        self.key_sets.on_dropped = self.authentication.forget
        self.tokens: Final = Tokens(self.gate, self.tenancy, self.authentication, self.cursors)
        self.minting: Final = Minting(
            self.gate, self.keyring, self.tenancy, self.authentication, settings.identity
        )
        self.mfa: Final = Mfa(self.gate, self.authentication, self.tenancy)
        self.published: Final = Published(self.issuer, settings.server.base_url)
        rooms = (self.gate, self.authentication, self.tenancy)
        self.revoking: Final = Revoking(*rooms)
        self.revoking.on_revoked.append(self.foreign.forget_subjects)
        self.users: Final = Users(*rooms, self.revoking)
        self.accounts: Final = Accounts(*rooms, self.revoking)
        self.credentials: Final = Credentials(
            self.gate, self.keyring, self.authentication, self.tenancy
        )
        self.expiring: Final = Expiring(self.gate, self.tenancy)
        self.roles: Final = Roles(*rooms)
        self.groups: Final = Groups(*rooms)
        self.members: Final = Members(*rooms)
        self.partners: Final = Partners(self.gate, self.tenancy, self.authentication)
        self.tenants: Final = Tenants(self.gate, self.tenancy, self.authentication)
        self.directory: Final = Directory(self.gate, self.tenancy)
        rules = Rules(settings.policies.mfa_max_age, settings.policies.cache_ttl * SECOND)
        self.policies: Final = Policies(self.gate, self.cursors, rules)
        self.bindings: Final = Bindings(self.policies, self.cursors, Known(), self.tenancy.places)
        self.rights: Final = Rights(self.gate, self.cursors, rules, Known())
        self.gate.rules_of = rules.rules_of
        self.authentication.on_deleted = self.policies.bindings_removed
        self.facts: Final = Facts(self.gate, Access())
        self.values: Final = Values(
            self.gate,
            Shelf(cache * 1024 * 1024 // 2),
            self.facts.access,
            self.tenancy.places,
        )
        retention = settings.secrets.soft_delete_retention * SECOND
        removing = Removing(retention)
        self.secrets: Final = Secrets(self.gate, self.facts, self.values, removing)
        self.lists: Final = Lists(self.gate, self.cursors, self.facts, self.values.shelf, retention)
        self.batch: Final = Batch(self.gate, self.values, limits)
        self.upkeep: Final = Upkeep(self.gate, self.values, removing, self.tenancy.places)
        left = (Leftover(any_of, self.upkeep.leave),)
        self.ending: Final = Ending(self.gate, self.keyring, self.tenancy, left)
        self.audit: Final = Audit(self.gate, self.ledger, self.keyring.vault_id, self.cursors)
        self.audit_index: Final = Index(self.gate, self.ledger)
        self.trails: Final = Trails(self.gate, self.cursors, self.keyring.vault_id, ever_known)
        lend = Lending(self.gate, self.values)
        synchronization = Synchronization(
            self.gate,
            self.tenancy,
            self.authentication,
            self.revoking,
            settings.identity,
            lend=lend,
            closing=lambda: self.closing,
        )
        self.receiver: Final = synchronization.receiver
        self.sync: Final = synchronization.sync
        self.sync_run: Final = synchronization.run
        self.trusts: Final = Trusts(
            self.gate,
            self.authentication,
            self.tenancy,
            self.cursors,
            Checks(guard, local.issuer),
        )
        self.trusts.forget_source = self.key_sets.forget
        self.revoking.on_revoked.append(self.trusts.disable)
        reviews = Reviews(guard, lend, self.tenancy.places)
        skew = int(settings.identity.clock_skew * SECOND)
        self.exchange: Final = Exchange(
            self.gate,
            self.tenancy,
            self.issuer,
            Proving(self.key_sets, reviews, skew),
            Narrowing(self.gate, self.tenancy, self.issuer, self.authentication),
        )
        self.grants: Final = Grants(*within, self.exchange)
        self.exports: Final = Exports(self.gate, self.ledger, self.cursors, guard, ever_known)
        self.export_run: Final = ExportRun(
            self.gate,
            self.keyring.vault_id,
            folder.exports,
            guard,
            leave=settings.storage.min_free,
            lend=lend,
            standing=standing,
            resolve=self.tenancy.resolve,
            sign=self.checkpoint,
            closing=lambda: self.closing,
            paused=lambda: self.jobs.paused,
        )
        self.archive: Final = Archive(
            self.gate,
            self.keyring.vault_id,
            _archive(settings, folder),
            guard,
            lend=lend,
            home=Tenancy.first,
            alone=self.database.alone,
            closing=lambda: self.closing,
        )
        kept = settings.audit.retention
        self.retention: Final = Retention(
            self.gate, kept, archive=settings.audit.archive.type is not None
        )
        self.prune: Final = Prune(
            self.gate,
            kept,
            self.tenancy.places,
            self.archive.shipped,
            lambda: self.closing,
            self.audit_index.still,
        )
        sealed = (SealedValues(self.values.shelf), SealedFactors())
        self.keys: Final = Keys(self.gate, self.keyring, self.tenancy, sealed)
        self.jobs: Final = Jobs(self.gate, clock)
        self.forgetting: Final = Forgetting(
            self.gate,
            (
                Old(once.any_old, once.forget),
                Old(outbox.any_old, outbox.forget),
                Old(any_ended, forget_ended),
                Old(foreign_tokens.any_over, foreign_tokens.forget_over),
                Old(sync_store.any_old, sync_store.forget),
                Old(trusts_store.any_over, trusts_store.forget_over),
                Old(access.any_old, access.forget),
            ),
        )
        self.closing = False
        self.inflight = 0

    async def start(self) -> None:
        """Take up what the file holds, and open for requests."""
        await asyncio.to_thread(self._load)
        self.database.start()

    async def renew_issuer(self, caller: Caller | None = None) -> None:
        """A signing key, where there is none or the present one is too old. Not in ``start``:
        rows that were taken down while the vault was sealed come first in the ledger."""
        own = caller or self.internal("identity")
        if await self.gate.ask(lambda db: self.issuer.due(db, own.now)):
            await self.gate.change(own, Act("key_rotate"), self.issuer.rotate)

    def _load(self) -> None:
        connection = self.database.connect()
        try:
            self._load_rows(connection)
        finally:
            connection.close()

    def _load_rows(self, connection: Connection) -> None:
        self.tenancy.load(connection)
        self.issuer.load(connection, self.opened.envelope)
        self._outbox.load(connection)
        self.facts.access.load(connection)
        self.policies.shelf.load(connection)
        self.jobs.load(connection)

    def internal(self, component: str) -> Caller:
        """A caller for background work."""
        now = self.clock.now()
        return background(component, timed_id("req_", now), now, self.clock.monotonic())

    async def flush(self) -> None:
        """Write down what was only counted in memory."""
        await self.upkeep.flush(self.internal("audit"), self.ledger.committed_seq)
        await self.authentication.flush(self.internal("identity"))

    async def checkpoint(self) -> None:
        """Sign the head of the audit chain, unless it is signed."""

        def sign(connection: Connection) -> None:
            connection.execute("BEGIN IMMEDIATE")
            self.ledger.sign(connection)
            connection.execute("COMMIT")

        await self.database.alone(sign)

    async def rekey(self, key: Guarded) -> None:
        """Another file key, copied from ``key``; the old one is wiped."""
        own = key.duplicate()
        await self.database.rekey(own)
        old, self.opened.file_key = self.opened.file_key, own
        old.wipe()

    def wrapped_file_key(self, root: Guarded, root_version: int, number: int) -> WrappedKey:
        """The file key under a root key, for vault.seal."""
        return wrap_file_key(
            self.keyring.vault_id, root, root_version, number, self.opened.file_key
        )

    async def close(self) -> None:
        """Finish, sign, fold the log in, close the file and wipe every key."""
        self.closing = True
        try:
            await self.flush()
            await self.checkpoint()
        except Exception as error:  # noqa: BLE001 - the file may be what fails: keys are wiped
            log.warning("the last flush failed: %s", type(error).__name__)
        await self.database.close()
        self.values.shelf.clear()
        self.policies.shelf.clear()
        self.authentication.forget()
        self.opened.wipe()


def _allowance(settings: Settings) -> Allowance:
    """What receivers, issuers and stores that tenants name may be reached at."""
    binds = (settings.server.bind, settings.metrics.bind)
    return Allowance(
        tuple(network.range for network in settings.webhooks.allowed_networks),
        frozenset(bind.port for bind in binds if bind is not None),
    )


def _archive(settings: Settings, folder: Folder) -> ArchiveSettings | None:
    to = settings.audit.archive
    if to.type is None:
        return None
    return ArchiveSettings(
        to.type,
        to.bucket or "",
        to.prefix,
        to.credentials_path,
        folder.archive,
        settings.storage.min_free,
    )
