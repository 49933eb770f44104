"""The rows of groups and of their members."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from scaivault.storage.file import Connection


class Group(NamedTuple):
    """A row of ``identity_group``."""

    tenant_id: str
    id: str
    identity_id: str
    display_name: str
    parent_id: str | None
    created_at: int
    deleted_at: int | None = None


_GROUP: Final = (
    "SELECT tenant_id, id, identity_id, display_name, parent_id, created_at, deleted_at"
    " FROM identity_group"
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
