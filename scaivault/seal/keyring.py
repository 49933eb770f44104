"""The keys of an open vault, in guarded memory.

    root R -> system key Y                      -> data keys of the vault's objects, token hashes
           -> partner key P -> tenant keys T    -> data keys of tenant objects
                            -> data keys of partner secrets

A wrapped key's row (``wrapped_key``) names its version and the version of its parent. R itself is
needed only by slots and for wrapping. Tenant keys are opened on demand and forgotten after five
idle minutes or beyond 256 tenants.

The ring is used by the event loop and by the writer's thread: take ``lock`` around ``data_key``
and the use of what it gives.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

from scaivault.clock import MINUTE
from scaivault.crypto import aead, digest, kdf
from scaivault.crypto.memory import Guarded
from scaivault.storage.file import Connection

ROOT: Final = b"svroot01"
PARTNER: Final = b"svpart01"
TENANT: Final = b"svtent01"
SYSTEM: Final = b"svsyst01"

TENANTS_HELD: Final = 256
IDLE: Final = 5 * MINUTE

_Owned = dict[str, dict[int, tuple[int, bytes]]]  # owner -> version -> (parent version, box)


class KeyMissing(Exception):
    """A row refers to a key that was destroyed or never was."""


class _Held:
    """One key version: itself, and the keys derived from it."""

    __slots__ = ("data", "key", "used_at", "wrap")

    def __init__(self, key: Guarded, wrap: Guarded | None, data: Guarded) -> None:
        self.key, self.wrap, self.data, self.used_at = key, wrap, data, 0

    def wipe(self) -> None:
        for key in (self.key, self.wrap, self.data):
            if key is not None:
                key.wipe()


def wrap_top(
    vault_id: str,
    root: Guarded,
    root_version: int,
    kind: str,
    owner: str,
    version: int,
    key: Guarded,
) -> bytes:
    """A system or partner key under the root key."""
    with kdf.derive(root, 3, ROOT) as parent:
        return aead.wrap(parent, key, _top_context(vault_id, root_version, kind, owner, version))


def _top_context(vault_id: str, root_version: int, kind: str, owner: str, version: int) -> bytes:
    name = "system" if kind == "system" else owner
    return aead.context(f"{kind}-key", vault_id, owner, name, version, root_version)


class Keyring:
    """Built at unseal by ``open``; ``wipe`` ends it."""

    def __init__(self, vault_id: str) -> None:
        self.vault_id: Final = vault_id
        self.lock: Final = threading.RLock()
        self._system: dict[int, _Held] = {}
        self._partners: dict[str, dict[int, _Held]] = {}
        self._partner_of: dict[str, str] = {}
        self._boxes: _Owned = {}  # tenants' wrapped keys, all of them (about 100 bytes each)
        self._tenants: OrderedDict[tuple[str, int], _Held] = OrderedDict()
        self._newest: dict[str, int] = {}
        self._now = 0
        self._root: Guarded | None = None
        self._next_root: tuple[Guarded, int] | None = None  # while the root key is replaced
        self.root_version = 0
        self._token: Guarded | None = None
        self._cursor: Guarded | None = None
        self._once: Guarded | None = None

    # -- opening -------------------------------------------------------------------------------

    def open(self, connection: Connection, root: Guarded, root_version: int) -> None:
        """Take over ``root`` and unwrap what hangs on it; tenant keys stay wrapped until used."""
        self._root, self.root_version = root, root_version
        with kdf.derive(root, 3, ROOT) as parent:
            for kind, owner, version, box in connection.execute(
                "SELECT kind, owner_id, version, box FROM wrapped_key"
                " WHERE kind IN ('system', 'partner') AND parent_version = ?",
                (root_version,),
            ).fetchall():
                aad = _top_context(self.vault_id, root_version, kind, owner, version)
                self._admit(kind, owner, version, aead.unwrap(parent, box, aad))
        if not self._system:
            raise KeyMissing("the file holds no system key under this root key")
        self._derive_tools()
        for tenant, partner in connection.execute("SELECT id, partner_id FROM tenant").fetchall():
            self._partner_of[tenant] = partner
        for owner, version, parent_version, box in connection.execute(
            "SELECT owner_id, version, parent_version, box FROM wrapped_key WHERE kind = 'tenant'"
        ).fetchall():
            self.admit_tenant(owner, self._partner_of[owner], version, parent_version, box)

    @property
    def root(self) -> Guarded:
        """The root key, for slots and for the keys that it wraps."""
        return _there(self._root)

    def replace_root(self, root: Guarded, version: int) -> None:
        """Another root key wraps the same keys from now on."""
        with self.lock:
            old, self._root, self.root_version = self._root, root, version
            self._next_root = None
        if old is not None:
            old.wipe()

    def keep_root(self) -> None:
        """The root key is not replaced after all."""
        with self.lock:
            self._next_root = None

    def wrap_partner(self, partner_id: str, version: int, key: Guarded) -> list[tuple[int, bytes]]:
        """A partner key under the root key: (root key version, box). While the root key is being
        replaced, under both: whichever of them vault.seal holds after a stop opens it."""
        with self.lock:
            roots = [(self.root, self.root_version)]
            if self._next_root is not None:
                roots.append(self._next_root)
            return [
                (number, wrap_top(self.vault_id, root, number, "partner", partner_id, version, key))
                for root, number in roots
            ]

    def _derive_tools(self) -> None:
        newest = self._system[max(self._system)]
        self._token = kdf.derive(newest.key, 1, SYSTEM)
        self._cursor = kdf.derive(newest.key, 2, SYSTEM)
        self._once = kdf.derive(newest.key, 3, SYSTEM)

    def _admit(self, kind: str, owner: str, version: int, key: Guarded) -> None:
        if kind == "system":
            self._system[version] = _Held(key, None, kdf.derive(key, 4, SYSTEM))
        else:
            self.admit_partner(owner, version, key)

    def admit_partner(self, partner_id: str, version: int, key: Guarded) -> None:
        """A partner key, opened."""
        held = _Held(key, kdf.derive(key, 1, PARTNER), kdf.derive(key, 2, PARTNER))
        with self.lock:
            self._partners.setdefault(partner_id, {})[version] = held

    def admit_tenant(
        self, tenant_id: str, partner_id: str, version: int, parent_version: int, box: bytes
    ) -> None:
        """A tenant key, wrapped; replaces the box of the same version."""
        with self.lock:
            self._partner_of[tenant_id] = partner_id
            self._boxes.setdefault(tenant_id, {})[version] = (parent_version, box)
            self._newest[tenant_id] = max(self._boxes[tenant_id])

    # -- use -----------------------------------------------------------------------------------

    def data_key(self, owner: str, version: int | None = None) -> tuple[int, Guarded]:
        """The key that wraps data keys of ``owner`` (tenant, partner or ``-``), and its version:
        the newest, or the one asked for. Hold ``lock`` meanwhile."""
        if owner.startswith("tnt_"):
            return self._tenant_key(owner, version)
        versions = self._system if owner == "-" else self._partners.get(owner)
        if not versions:
            raise KeyMissing("no key for this owner")
        number = max(versions) if version is None else version
        held = versions.get(number)
        if held is None:
            raise KeyMissing("this version of the key was destroyed")
        return number, held.data

    def _tenant_key(self, owner: str, version: int | None) -> tuple[int, Guarded]:
        number = self._newest.get(owner) if version is None else version
        if number is None:
            raise KeyMissing("no key for this tenant")
        held = self._tenants.get((owner, number))
        if held is None:
            held = self._unwrap_tenant(owner, number)
        held.used_at = self._now
        self._tenants.move_to_end((owner, number))
        return number, held.data

    def _unwrap_tenant(self, owner: str, version: int) -> _Held:
        try:
            parent_version, box = self._boxes[owner][version]
            partner_id = self._partner_of[owner]
            parent = self._partners[partner_id][parent_version].wrap
        except KeyError:
            raise KeyMissing("this version of the tenant key was destroyed") from None
        if parent is None:
            raise KeyMissing("the partner key does not wrap")
        aad = aead.context("tenant-key", self.vault_id, partner_id, owner, version, parent_version)
        key = aead.unwrap(parent, box, aad)
        held = self._tenants[owner, version] = _Held(key, None, kdf.derive(key, 1, TENANT))
        while len(self._tenants) > TENANTS_HELD:
            self._tenants.popitem(last=False)[1].wipe()
        return held

    def wrap_tenant(
        self, partner_id: str, tenant_id: str, version: int, key: Guarded
    ) -> tuple[int, bytes]:
        """A tenant key under the newest key of its partner: (partner key version, box)."""
        with self.lock:
            versions = self._partners[partner_id]
            parent_version = max(versions)
            parent = versions[parent_version].wrap
            if parent is None:
                raise KeyMissing("the partner key does not wrap")
            aad = aead.context(
                "tenant-key", self.vault_id, partner_id, tenant_id, version, parent_version
            )
            return parent_version, aead.wrap(parent, key, aad)

    def rewrap_tenants(self, partner_id: str) -> list[tuple[str, int, int, bytes]]:
        """Every tenant key of a partner under its newest key: (tenant, version, parent, box)."""
        with self.lock:
            wrapped = []
            for tenant_id, versions in self._boxes.items():
                if self._partner_of[tenant_id] != partner_id:
                    continue
                for version in versions:
                    self._tenant_key(tenant_id, version)
                    key = self._tenants[tenant_id, version].key
                    parent, box = self.wrap_tenant(partner_id, tenant_id, version, key)
                    wrapped.append((tenant_id, version, parent, box))
            return wrapped

    def wrap_all(self, connection: Connection, root: Guarded, version: int, now: int) -> None:
        """The keys that hang on the root key, wrapped by ``root`` too, as further rows; so are
        those that come after, until ``replace_root`` or ``keep_root``. Writer only."""
        keys = [("system", "-", number, held.key) for number, held in self._system.items()]
        for partner, versions in self._partners.items():
            keys += [("partner", partner, number, held.key) for number, held in versions.items()]
        for kind, owner, number, key in keys:
            box = wrap_top(self.vault_id, root, version, kind, owner, number, key)
            connection.execute(
                "INSERT INTO wrapped_key (kind, owner_id, version, parent_version, box, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (kind, owner_id, version, parent_version)"
                " DO UPDATE SET box = excluded.box",
                (kind, owner, number, version, box, now),
            )
        with self.lock:
            self._next_root = (root, version)

    def versions(self, owner: str) -> list[int]:
        """Versions of the owner's key that still exist, oldest first."""
        with self.lock:
            found = self._boxes.get(owner) or self._partners.get(owner) or {}
            return sorted(found)

    def tenant_boxes(self, partner_id: str) -> list[tuple[str, int, int, bytes]]:
        """The wrapped tenant keys of a partner: (tenant, version, partner key version, box)."""
        with self.lock:
            return [
                (tenant_id, version, *wrapped)
                for tenant_id, versions in self._boxes.items()
                if self._partner_of[tenant_id] == partner_id
                for version, wrapped in versions.items()
            ]

    def destroy(self, owner: str, version: int) -> None:
        """Forget one version, which has no row any more, or never got one."""
        with self.lock:
            for held in (
                self._tenants.pop((owner, version), None),
                self._partners.get(owner, {}).pop(version, None),
            ):
                if held is not None:
                    held.wipe()
            boxes = self._boxes.get(owner, {})
            boxes.pop(version, None)
            if boxes:
                self._newest[owner] = max(boxes)
            else:
                self._newest.pop(owner, None)

    # -- keyed hashes --------------------------------------------------------------------------

    def token_hash(self, token: bytes) -> bytes:
        """What is stored and looked up instead of a token."""
        return digest.keyed(_there(self._token), token)

    def once_hash(self, name: bytes) -> bytes:
        """What stands for an idempotency key."""
        return digest.keyed(_there(self._once), name)

    def cursor_tag(self, body: bytes) -> bytes:
        """Authenticates a list cursor."""
        return digest.keyed(_there(self._cursor), body)

    # -- ending --------------------------------------------------------------------------------

    def expire(self, now: int) -> int:
        """Forget tenant keys idle for five minutes; how many. Call about once a minute."""
        with self.lock:
            self._now = now
            idle = [name for name, held in self._tenants.items() if now - held.used_at > IDLE]
            for name in idle:
                self._tenants.pop(name).wipe()
            return len(idle)

    def wipe(self) -> None:
        """Zero every key."""
        with self.lock:
            held = [*self._system.values(), *self._tenants.values()]
            for versions in self._partners.values():
                held += versions.values()
            for one in held:
                one.wipe()
            for tool in (self._root, self._token, self._cursor, self._once):
                if tool is not None:
                    tool.wipe()
            self._system.clear()
            self._partners.clear()
            self._tenants.clear()
            self._boxes.clear()


def _there(key: Guarded | None) -> Guarded:
    if key is None:
        raise KeyMissing("the ring is not open")
    return key
