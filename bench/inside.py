"""A vault in this process, and the rooms of it: for what is measured without HTTP."""

from scaivault.vault import Vault
from scaivault_sdk._local import LocalVault


def rooms(local: LocalVault) -> Vault:
    """The open vault behind a local one."""
    assert local._app is not None
    vault = local._app.system.vault
    assert vault is not None
    return vault
