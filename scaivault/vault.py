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

    def __init__(
        self, opened: Opened, folder: Folder, settings: Settings, limits: Limits, clock: Clock
    ) -> None:
        self.opened: Final = opened
        self.clock: Final = clock
        self.keyring: Final = opened.keyring
        self.ledger: Final = opened.ledger
        self.limits: Final = limits
        self.closing = False
        self.inflight = 0
        self.database: Final = _database(opened, folder, settings)
        self._outbox: Final = Outbox(KINDS)
        self.gate: Final = Gate(self.database, opened.envelope, self._outbox, clock)
        self.cursors: Final = Cursors(self.keyring)
        self.tenancy: Final = Tenancy(self.keyring)
        guard = Guard(_allowance(settings))
        self._build_authentication(settings, guard)
        self._build_tokens(settings)
        self._build_people()
        self._build_policies(settings)
        self._build_secrets(settings)
        lend = Lending(self.gate, self.values)
        self._build_sync(settings, lend)
        self._build_exchange(settings, guard, lend)
        self._build_audit()
        self._build_exports(settings, folder, guard, lend)
        self._build_archive(settings, folder, guard, lend)
        self._build_upkeep()

    # -- who calls -----------------------------------------------------------------------------

    def _build_authentication(self, settings: Settings, guard: Guard) -> None:
        local = settings.identity.local
        self.issuer = Issuer(
            local.issuer,
            local.token_ttl * SECOND,
            local.key_rotation * SECOND,
            enabled=local.enabled,
        )
        self.published = Published(self.issuer, settings.server.base_url)
        refresh = settings.identity.jwks_refresh * SECOND
        self.key_sets = KeySets(self.clock, guard, refresh)
        self.foreign = Foreign(self.gate, self.tenancy, settings.identity, self.key_sets)
        self.authentication = Authentication(
            self.gate, self.keyring, self.tenancy, self.issuer, self.foreign
        )
        self.key_sets.on_dropped = self.authentication.forget

    def _build_tokens(self, settings: Settings) -> None:
        self.tokens = Tokens(self.gate, self.tenancy, self.authentication, self.cursors)
        self.minting = Minting(
            self.gate, self.keyring, self.tenancy, self.authentication, settings.identity
        )
        self.expiring = Expiring(self.gate, self.tenancy)

    def _build_people(self) -> None:
        rooms = (self.gate, self.authentication, self.tenancy)
        self.revoking = Revoking(*rooms)
        self.revoking.on_revoked.append(self.foreign.forget_subjects)
        self.users = Users(*rooms, self.revoking)
        self.accounts = Accounts(*rooms, self.revoking)
        self.credentials = Credentials(self.gate, self.keyring, self.authentication, self.tenancy)
        self.mfa = Mfa(*rooms)
        self.roles = Roles(*rooms)
        self.directory = Directory(self.gate, self.tenancy)
        self.groups = Groups(*rooms)
        self.members = Members(*rooms)
        self.partners = Partners(self.gate, self.tenancy)
        self.tenants = Tenants(self.gate, self.tenancy)

    def _build_sync(self, settings: Settings, lend: Lending) -> None:
        synchronization = Synchronization(
            self.gate,
            self.tenancy,
            self.authentication,
            self.revoking,
            settings.identity,
            lend=lend,
            closing=lambda: self.closing,
        )
        self.receiver = synchronization.receiver
        self.sync = synchronization.sync
        self.sync_run = synchronization.run

    def _build_exchange(self, settings: Settings, guard: Guard, lend: Lending) -> None:
        checks = Checks(guard, settings.identity.local.issuer)
        self.trusts = Trusts(self.gate, self.authentication, self.tenancy, self.cursors, checks)
        self.trusts.forget_source = self.key_sets.forget
        self.revoking.on_revoked.append(self.trusts.disable)
        reviews = Reviews(guard, lend, self.tenancy.places)
        skew = int(settings.identity.clock_skew * SECOND)
        self.exchange = Exchange(
            self.gate,
            self.tenancy,
            self.issuer,
            Proving(self.key_sets, reviews, skew),
            Narrowing(self.gate, self.tenancy, self.issuer, self.authentication),
        )
        self.grants = Grants(self.gate, self.keyring, self.tenancy, self.issuer, self.exchange)

    # -- what is kept, and who may what --------------------------------------------------------

    def _build_policies(self, settings: Settings) -> None:
        rules = Rules(settings.policies.mfa_max_age, settings.policies.cache_ttl * SECOND)
        self.policies = Policies(self.gate, self.cursors, rules)
        self.bindings = Bindings(self.policies, self.cursors, Known(), self.tenancy.places)
        self.rights = Rights(self.gate, self.cursors, rules, Known())
        self.gate.rules_of = rules.rules_of
        self.authentication.on_deleted = self.policies.bindings_removed

    def _build_secrets(self, settings: Settings) -> None:
        eighth = settings.storage.cache_mib * 1024 * 1024 // 8  # half of all is for pages
        self.facts = Facts(self.gate, Access(eighth))
        shelf = Shelf(3 * eighth)
        self.values = Values(self.gate, shelf, self.facts.access, self.tenancy.places)
        retention = settings.secrets.soft_delete_retention * SECOND
        removing = Removing(retention)
        self.secrets = Secrets(self.gate, self.facts, self.values, removing)
        self.lists = Lists(self.gate, self.cursors, self.facts, shelf, retention)
        self.batch = Batch(self.gate, self.values, self.limits)
        self.upkeep = Upkeep(self.gate, self.values, removing, self.tenancy.places)
        left = (Leftover(any_of, self.upkeep.leave),)
        self.ending = Ending(self.gate, self.keyring, self.tenancy, left)

    # -- what was done -------------------------------------------------------------------------

    def _build_audit(self) -> None:
        vault_id = self.keyring.vault_id
        self.audit = Audit(self.gate, self.ledger, vault_id, self.cursors)
        self.audit_index = Index(self.gate, self.ledger)
        self.trails = Trails(self.gate, self.cursors, vault_id, ever_known)

    def _build_exports(
        self, settings: Settings, folder: Folder, guard: Guard, lend: Lending
    ) -> None:
        self.exports = Exports(self.gate, self.ledger, self.cursors, guard, ever_known)
        self.export_run = ExportRun(
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

    def _build_archive(
        self, settings: Settings, folder: Folder, guard: Guard, lend: Lending
    ) -> None:
        self.archive = Archive(
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
        self.retention = Retention(self.gate, kept, archive=settings.audit.archive.type is not None)
        self.prune = Prune(
            self.gate,
            kept,
            self.tenancy.places,
            self.archive.shipped,
            lambda: self.closing,
            self.audit_index,
        )

    # -- of all rooms --------------------------------------------------------------------------

    def _build_upkeep(self) -> None:
        sealed = (SealedValues(self.values.shelf), SealedFactors())
        self.keys = Keys(self.gate, self.keyring, self.tenancy, sealed)
        self.jobs = Jobs(self.gate, self.clock)
        self.forgetting = Forgetting(
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

    # -- its life ------------------------------------------------------------------------------

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


def _database(opened: Opened, folder: Folder, settings: Settings) -> Database:
    return Database(
        folder.database,
        opened.file_key,
        opened.ledger,
        readers=settings.storage.readers,
        cache_mib=settings.storage.cache_mib // 2,  # the other half is the shelf's, mostly
        group_max=settings.audit.group_commit_max,
    )


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
