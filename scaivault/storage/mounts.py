"""Which file system a directory is on, as the kernel names it (proc(5), mountinfo)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

# Several hosts, or a host and its guests, can mount these at once: neither `LOCK` nor the shared
# memory of the database's log reaches from one to the other, and a sync may end in a far cache.
# fmt: off
_SHARED: Final = frozenset((
    "9p", "acfs", "afs", "beegfs", "ceph", "cifs", "coda", "gfs", "gfs2", "glusterfs", "gpfs",
    "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "prl_fs", "pvfs2", "smb3", "smbfs",
    "vboxsf", "virtiofs", "vmhgfs",
))
# fmt: on


def file_system(directory: Path) -> str | None:
    """``ext4``, ``nfs4``, ``fuse.sshfs``, …; ``None`` where the system has no mount table.

    The mount is found by the id that the kernel keeps with an open file: paths and device
    numbers are ambiguous for bind mounts, overmounts and btrfs.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        position = Path(f"/proc/self/fdinfo/{descriptor}").read_text(encoding="ascii")
        table = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return None
    finally:
        os.close(descriptor)
    return find(position, table)


def find(fdinfo: str, mountinfo: str) -> str | None:
    """The file system type of the mount that ``fdinfo`` names."""
    ids = [line.split()[1] for line in fdinfo.splitlines() if line.startswith("mnt_id:")]
    for line in mountinfo.splitlines():
        head, _, tail = line.partition(" - ")
        if ids and head.split(" ", 1)[0] == ids[0]:
            return tail.split(" ", 1)[0]
    return None


def is_network(kind: str) -> bool:
    """True also for everything in user space (FUSE): what is behind it cannot be seen."""
    return kind in _SHARED or kind == "fuse" or kind.startswith("fuse.")
