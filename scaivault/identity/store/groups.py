"""The rows of groups and of their members."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from scaivault.gate.transaction import Transaction
from scaivault.identity.model import LOCAL
from scaivault.storage.file import Connection


class Member(NamedTuple):
    """Who belongs to a group; ``record_id`` where we keep a record of it."""

    identity_id: str
    record_id: str | None
    direct: int
    added_at: int


class Group(NamedTuple):
    """A row of ``identity_group``. ``external_id``: what its issuer calls it; ``as_of``: the
    instant of the newest that the issuer told of it."""

    tenant_id: str
    id: str
    identity_id: str
    display_name: str
    parent_id: str | None
    created_at: int
    deleted_at: int | None = None
    issuer: str = LOCAL
    last_synced_at: int | None = None
    as_of: int | None = None
    external_id: str | None = None


_COLUMNS: Final = ", ".join(Group._fields)
_GROUP: Final = f"SELECT {_COLUMNS} FROM identity_group"  # noqa: S608
_PUT: Final = (
    f"INSERT INTO identity_group ({_COLUMNS}) VALUES (:{', :'.join(Group._fields)})"  # noqa: S608
    " ON CONFLICT (tenant_id, identity_id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in Group._fields[3:] if name != "created_at")
)
# The groups above those in ``above``. UNION drops what is there already: it ends in any case.
_UP: Final = (
    " UNION SELECT g.id, g.identity_id, g.parent_id"
    " FROM above JOIN identity_group g ON g.id = above.parent_id)"
    " SELECT identity_id FROM above ORDER BY identity_id"
)
# A group and the groups below it.
_DOWN: Final = (
    "WITH RECURSIVE below (id) AS (SELECT id FROM identity_group WHERE id = :group"
    " UNION SELECT g.id FROM below JOIN identity_group g ON g.parent_id = below.id)"
)
_LISTED: Final = (
    " WHERE tenant_id = :tenant AND deleted_at IS NULL"
    " AND (instr(substr(identity_id, 7), :q) > 0 OR instr(folded(display_name), :q) > 0)"
)

# -- who belongs where -------------------------------------------------------------------------


def effective(db: Connection, tenant: str, identity: str) -> tuple[str, ...]:
    """The groups whose rights an identity has: its own and all above them, by name. Of a group:
    those above it."""
    start = (
        "WITH RECURSIVE above (id, identity_id, parent_id) AS ("
        "SELECT g.id, g.identity_id, g.parent_id FROM group_member m"
        " JOIN identity_group g ON g.id = m.group_id"
        " WHERE m.tenant_id = :tenant AND m.identity_id = :identity"
    )
    if identity.startswith("group:"):
        start = (
            "WITH RECURSIVE above (id, identity_id, parent_id) AS ("
            "SELECT g.id, g.identity_id, g.parent_id FROM identity_group c"
            " JOIN identity_group g ON g.id = c.parent_id"
            " WHERE c.tenant_id = :tenant AND c.identity_id = :identity"
        )
    rows = db.execute(start + _UP, {"tenant": tenant, "identity": identity})
    return tuple(identity_id for (identity_id,) in rows)


def member_ids(db: Connection, group_id: str) -> list[str]:
    """The canonical ids of all members, those of groups below included."""
    rows = db.execute(
        _DOWN + " SELECT DISTINCT m.identity_id FROM below"  # noqa: S608
        " JOIN group_member m ON m.group_id = below.id ORDER BY m.identity_id",
        {"group": group_id},
    )
    return [identity_id for (identity_id,) in rows]


# -- groups ------------------------------------------------------------------------------------


def group_by_identity(db: Connection, tenant: str, identity: str) -> Group | None:
    """Deleted ones too."""
    return _group(
        db.execute(
            _GROUP + " WHERE tenant_id = :tenant AND identity_id = :identity",
            {"tenant": tenant, "identity": identity},
        ).fetchone()
    )


def group_by_id(db: Connection, group_id: str) -> Group | None:
    """Deleted ones too."""
    return _group(db.execute(_GROUP + " WHERE id = :id", {"id": group_id}).fetchone())


def _group(row: Any) -> Group | None:
    return None if row is None else Group._make(row)


def groups(db: Connection, tenant: str, q: str, size: int, skip: int) -> tuple[list[Group], int]:
    """(rows, total) of a tenant's live groups by name; ``q`` stands in one of their names."""
    values = {"tenant": tenant, "q": q, "size": size, "skip": skip}
    rows = db.execute(_GROUP + _LISTED + " ORDER BY identity_id LIMIT :size OFFSET :skip", values)
    counted = db.execute("SELECT count(*) FROM identity_group" + _LISTED, values)  # noqa: S608
    return [Group._make(row) for row in rows], counted.fetchone()[0]


def put_group(tx: Transaction, group: Group) -> None:
    tx.execute(_PUT, group._asdict())


def dissolve(tx: Transaction, group: Group) -> None:
    """Nobody belongs to the group any more, and no group lies below it; its name stays taken."""
    values = {"group": group.id}
    tx.execute("DELETE FROM group_member WHERE group_id = :group", values)
    tx.execute("UPDATE identity_group SET parent_id = NULL WHERE parent_id = :group", values)
    put_group(tx, group._replace(parent_id=None, deleted_at=tx.now))


def chain(db: Connection, group_id: str) -> list[str]:
    """The record ids of a group and of all above it."""
    rows = db.execute(
        "WITH RECURSIVE above (id, parent_id) AS ("
        "SELECT id, parent_id FROM identity_group WHERE id = :group"
        " UNION SELECT g.id, g.parent_id FROM above JOIN identity_group g"
        " ON g.id = above.parent_id) SELECT id FROM above",
        {"group": group_id},
    )
    return [above for (above,) in rows]


def height(db: Connection, group_id: str) -> int:
    """How many levels of groups there are from this one down, itself included."""
    row = db.execute(
        "WITH RECURSIVE below (id, level) AS (SELECT :group, 1"
        " UNION SELECT g.id, below.level + 1 FROM below JOIN identity_group g"
        " ON g.parent_id = below.id) SELECT max(level) FROM below",
        {"group": group_id},
    ).fetchone()
    return int(row[0])


# -- members -----------------------------------------------------------------------------------


def groups_of(db: Connection, tenant: str, identity: str) -> list[Group]:
    """The groups that an identity is itself a member of, by name."""
    columns = ", ".join(f"g.{name}" for name in Group._fields)
    rows = db.execute(
        f"SELECT {columns} FROM group_member m JOIN identity_group g"  # noqa: S608
        " ON g.id = m.group_id"
        " WHERE m.tenant_id = :tenant AND m.identity_id = :identity ORDER BY g.identity_id",
        {"tenant": tenant, "identity": identity},
    )
    return [Group._make(row) for row in rows]


def direct_groups(db: Connection, tenant: str, identity: str) -> list[str]:
    """The record ids of the groups that an identity is itself a member of, by name."""
    return [group.id for group in groups_of(db, tenant, identity)]


def member_count(db: Connection, group_id: str) -> int:
    """The group's own members."""
    row = db.execute(
        "SELECT count(*) FROM group_member WHERE group_id = :group", {"group": group_id}
    ).fetchone()
    return int(row[0])


def members(db: Connection, group: Group, size: int, skip: int) -> tuple[list[Member], int]:
    """(rows, total) of all who belong to a group, by canonical id. Who is its own member and one
    of a group below it counts as its own."""
    values = {"group": group.id, "tenant": group.tenant_id, "size": size, "skip": skip}
    rows = db.execute(
        _DOWN  # noqa: S608
        + ", found AS (SELECT m.identity_id, max(m.group_id = :group) AS direct,"
        " coalesce(min(CASE WHEN m.group_id = :group THEN m.added_at END), min(m.added_at))"
        " AS added_at FROM below JOIN group_member m ON m.group_id = below.id"
        " GROUP BY m.identity_id ORDER BY m.identity_id LIMIT :size OFFSET :skip)"
        " SELECT f.identity_id, coalesce(u.id, a.id), f.direct, f.added_at FROM found f"
        " LEFT JOIN service_account a"
        " ON a.tenant_id = :tenant AND a.identity_id = f.identity_id"
        " LEFT JOIN user u ON u.tenant_id = :tenant AND u.identity_id = f.identity_id"
        " ORDER BY f.identity_id",
        values,
    )
    counted = db.execute(
        _DOWN + " SELECT count(DISTINCT m.identity_id) FROM below"  # noqa: S608
        " JOIN group_member m ON m.group_id = below.id",
        values,
    )
    return [Member._make(row) for row in rows], counted.fetchone()[0]


def add_member(tx: Transaction, group: Group, identity: str) -> int:
    """1, or 0 when it is one already."""
    return tx.execute(
        "INSERT INTO group_member (tenant_id, identity_id, group_id, added_at)"
        " VALUES (:tenant, :identity, :group, :now) ON CONFLICT DO NOTHING",
        {"tenant": group.tenant_id, "identity": identity, "group": group.id, "now": tx.now},
    )


def drop_member(tx: Transaction, group_id: str, identity: str) -> int:
    return tx.execute(
        "DELETE FROM group_member WHERE group_id = :group AND identity_id = :identity",
        {"group": group_id, "identity": identity},
    )


def drop_memberships(tx: Transaction, tenant: str, identity: str) -> None:
    """The identity belongs to no group any more."""
    tx.execute(
        "DELETE FROM group_member WHERE tenant_id = :tenant AND identity_id = :identity",
        {"tenant": tenant, "identity": identity},
    )
