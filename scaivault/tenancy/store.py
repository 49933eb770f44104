"""Rows of partners and tenants."""

from __future__ import annotations

from scaivault.gate.transaction import Transaction
from scaivault.storage.file import Connection
from scaivault.tenancy.model import Partner, Tenant

_PARTNER = (
    "SELECT id, name, slug, status, created_at, region, issuer, last_synced_at, as_of FROM partner"
)
_TENANT = (
    "SELECT id, partner_id, name, slug, status, created_at, issuer, last_synced_at, as_of,"
    " deleted_at FROM tenant"
)


def partners(db: Connection) -> list[Partner]:
    return [Partner(*row) for row in db.execute(_PARTNER)]


def tenants(db: Connection) -> list[Tenant]:
    return [Tenant(*row) for row in db.execute(_TENANT)]


def partner(db: Connection, wanted: str) -> Partner | None:
    row = db.execute(_PARTNER + " WHERE id = :id", {"id": wanted}).fetchone()
    return None if row is None else Partner(*row)


def tenant(db: Connection, wanted: str) -> Tenant | None:
    row = db.execute(_TENANT + " WHERE id = :id", {"id": wanted}).fetchone()
    return None if row is None else Tenant(*row)


def oldest_tenant(db: Connection) -> Tenant | None:
    row = db.execute(_TENANT + " ORDER BY created_at, id LIMIT 1").fetchone()
    return None if row is None else Tenant(*row)


def partner_of_slug(db: Connection, slug: str) -> str | None:
    row = db.execute("SELECT id FROM partner WHERE slug = :slug", {"slug": slug}).fetchone()
    return None if row is None else str(row[0])


def tenant_of_slug(db: Connection, partner_id: str, slug: str) -> str | None:
    row = db.execute(
        "SELECT id FROM tenant WHERE partner_id = :partner_id AND slug = :slug",
        {"partner_id": partner_id, "slug": slug},
    ).fetchone()
    return None if row is None else str(row[0])


def tenants_left(db: Connection, partner_id: str) -> int:
    """How many of a partner's tenants are not deleted."""
    row = db.execute(
        "SELECT count(*) FROM tenant WHERE partner_id = :partner_id AND status <> 'DELETED'",
        {"partner_id": partner_id},
    ).fetchone()
    return int(row[0])


def put_partner(tx: Transaction, partner: Partner) -> None:
    """Write the row; of one that is there all but when it was made."""
    tx.execute(
        "INSERT INTO partner (id, name, slug, status, created_at, region, issuer, last_synced_at,"
        " as_of) VALUES (:id, :name, :slug, :status, :created_at, :region, :issuer,"
        " :last_synced_at, :as_of) ON CONFLICT (id) DO UPDATE SET name = excluded.name,"
        " slug = excluded.slug, status = excluded.status, region = excluded.region,"
        " issuer = excluded.issuer, last_synced_at = excluded.last_synced_at,"
        " as_of = excluded.as_of",
        partner._asdict(),
    )


def put_tenant(tx: Transaction, tenant: Tenant) -> None:
    """Write the row; of one that is there all but its partner and when it was made."""
    tx.execute(
        "INSERT INTO tenant (id, partner_id, name, slug, status, created_at, issuer,"
        " last_synced_at, as_of, deleted_at) VALUES (:id, :partner_id, :name, :slug, :status,"
        " :created_at, :issuer, :last_synced_at, :as_of, :deleted_at) ON CONFLICT (id) DO UPDATE"
        " SET name = excluded.name, slug = excluded.slug, status = excluded.status,"
        " issuer = excluded.issuer, last_synced_at = excluded.last_synced_at,"
        " as_of = excluded.as_of, deleted_at = excluded.deleted_at",
        tenant._asdict(),
    )


def keys(db: Connection, owner: str) -> int:
    """How many wrapped keys of an owner there are; none once they were destroyed."""
    row = db.execute(
        "SELECT count(*) FROM wrapped_key WHERE owner_id = :owner", {"owner": owner}
    ).fetchone()
    return int(row[0])


def drop_keys(tx: Transaction, tenant_id: str) -> int:
    """Destroy every version of a tenant's key; how many."""
    return tx.execute(
        "DELETE FROM wrapped_key WHERE kind = 'tenant' AND owner_id = :tenant_id",
        {"tenant_id": tenant_id},
    )
