"""What this client calls itself."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def _version() -> str:
    try:
        return version("scaivault")
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "0"


USER_AGENT = f"scaivault-sdk/{_version()}"
