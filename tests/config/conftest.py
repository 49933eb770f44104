"""A configuration file and a way to load it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from scaivault.config import Settings, load

Loading = Callable[..., Settings]


@pytest.fixture
def loading(tmp_path: Path) -> Loading:
    """``loading(yaml, env, flags)``: the settings of a file with this text."""

    def loaded(
        text: str = "", env: Mapping[str, str] | None = None, flags: Mapping[str, Any] | None = None
    ) -> Settings:
        path = tmp_path / "config.yaml"
        path.write_text(text)
        return load(path, env or {}, flags or {})

    return loaded
