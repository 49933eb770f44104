"""The blocking client is what the script makes of the asynchronous one."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path


def test_the_twin_is_up_to_date(top: Path) -> None:
    """`scripts/sdk` writes it anew."""
    checked = subprocess.run(
        [sys.executable, "scripts/twin.py", "--check"],
        cwd=top,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.stdout, checked.stderr, checked.returncode) == ("", "", 0)


def test_every_file_of_the_twin_says_so(top: Path) -> None:
    files = sorted((top / "scaivault_sdk" / "_sync").glob("*.py"))
    assert len(files) > 10
    for file in files:
        head = f"# Made by scripts/sdk from scaivault_sdk/_async/{file.name}; change it there.\n"
        assert file.read_text().startswith(head)


def test_the_client_is_written_for_python_3_10(top: Path) -> None:
    """Its grammar; the style check knows the version too and watches over names."""
    for file in (top / "scaivault_sdk").rglob("*.py"):
        ast.parse(file.read_text(), str(file), feature_version=(3, 10))


def test_importing_errors_imports_no_http(top: Path) -> None:
    code = (
        "import sys, scaivault_sdk.errors, scaivault_sdk as s; s.CacheConfig; "
        "assert not {'httpx', 'asyncio', 'scaivault'} & set(sys.modules); "
        "s.SyncScaiVaultClient('https://v.example'); "
        "assert 'scaivault' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=top, check=True)
