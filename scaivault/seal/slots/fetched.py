"""What slots have in common whose key lies somewhere as a line of text (``keytext``): they fetch it
without a person, and take it from whoever sends it by hand."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from scaivault.crypto.memory import Guarded
from scaivault.seal.file import Slot
from scaivault.seal.slots import keytext
from scaivault.seal.slots.contract import Credential, Kind, opened, refused


class FetchedKey(Kind):
    """A kind says where its key lies."""

    @abstractmethod
    async def fetched(self, slot: Slot) -> Guarded:
        """The key from where it lies. ``unseal_failed`` for edited parameters, ``upstream_error``
        when the place gives no key."""

    def auto(self, params: Mapping[str, Any]) -> bool:
        return True

    def takes(self, slot: Slot, credential: Credential) -> bool:
        return credential.auto or credential.key is not None

    async def secret(self, slot: Slot, credential: Credential, vault_id: str) -> Guarded:
        opened(self.shape, slot)
        if credential.key is not None:
            return _sent(credential.key)
        if not credential.auto:
            raise refused()
        return await self.fetched(slot)


def _sent(text: str) -> Guarded:
    try:
        return keytext.key(text.encode("ascii"))
    except ValueError:
        raise refused() from None
