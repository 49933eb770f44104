"""The API as Python programs call it with httpx: the very statements, with other names."""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path

import pytest

from tests.clients.conftest import Run, run
from tests.support.process import Server


@pytest.fixture(scope="module")
def python(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs a file whose ``HOST`` is the server."""
    folder: Path = tmp_path_factory.mktemp("python")

    def go(text: str) -> str:
        file = folder / "pasted.py"
        file.write_text(textwrap.dedent(text).replace("HOST", f"http://127.0.0.1:{server.port}"))
        return run(server, [sys.executable, str(file)])

    return go


def test_written_read_and_listed(server: Server, python: Run) -> None:
    written = """
    import os, httpx
    resp = httpx.put(
    "HOST/v1/secrets/stages/live/desk/login",
    headers={"Authorization": f"Bearer {os.environ['SCAIVAULT_TOKEN']}"},
    json={
    "data": {"client_id": "3MVG", "client_secret": "hidden"},
    "secret_type": "json",
    "metadata": {"tags": ["desk", "live"]},
    "options": {"max_versions": 10},
    },
    )
    print(resp.status_code, resp.json()["version"])
    """
    assert python(written) == "201 1\n"
    read = """
    import os, httpx
    resp = httpx.get(
    "HOST/v1/secrets/stages/live/desk/login",
    headers={"Authorization": f"Bearer {os.environ['SCAIVAULT_TOKEN']}"},
    )
    resp.raise_for_status()
    secret = resp.json()
    print(secret["data"]["client_id"])
    """
    assert python(read) == "3MVG\n"


def test_pages_with_a_cursor(server: Server, python: Run) -> None:
    for n in range(52):
        assert server.put(f"stages/many/s{n:02}", {"n": n}).status == 201
    text = """
    import os, httpx
    resp = httpx.get(
        "HOST/v1/secrets",
        headers={"Authorization": f"Bearer {os.environ['SCAIVAULT_TOKEN']}"},
        params={"prefix": "stages/many/", "limit": 50},
    )
    listing = resp.json()
    for s in listing["secrets"]:
        print(s["path"], s["version"])
    # Paginate
    while listing["has_more"]:
        resp = httpx.get(
            "HOST/v1/secrets",
            headers={"Authorization": f"Bearer {os.environ['SCAIVAULT_TOKEN']}"},
            params={"prefix": "stages/many/", "cursor": listing["cursor"]},
        )
        listing = resp.json()
        print(len(listing["secrets"]))
    """
    lines = python(text).splitlines()
    assert (lines[0], len(lines), lines[-1]) == ("stages/many/s00 1", 51, "2")


def test_batches(server: Server, python: Run) -> None:
    for name in ("one", "two"):
        server.put(f"parts/{name}", {"name": name})
    text = """
    import os, httpx
    paths = [
        "parts/one",
        "parts/two",
        "parts/three",
    ]
    resp = httpx.post(
        "HOST/v1/secrets/batch",
        headers={"Authorization": f"Bearer {os.environ['SCAIVAULT_TOKEN']}"},
        json={"paths": paths},
    )
    result = resp.json()
    for path, secret in result["secrets"].items():
        print(path, secret["version"])
    print(result["errors"]["parts/three"]["code"])
    """
    assert python(text).splitlines() == ["parts/one 1", "parts/two 1", "secret_not_found"]


def test_everything_at_startup_or_nothing(server: Server, python: Run) -> None:
    server.put("boot/one", {"n": 1})
    text = """
    import os, httpx

    CREDENTIALS_TO_LOAD = [
        "boot/one",
        NAMES
    ]

    def load_all_credentials():
        resp = httpx.post(
            "HOST/v1/secrets/batch",
            headers={"Authorization": f"Bearer {os.environ['SCAIVAULT_TOKEN']}"},
            json={"paths": CREDENTIALS_TO_LOAD, "options": {"fail_fast": True}},
            timeout=10.0,
        )
        resp.raise_for_status()
        return resp.json()["secrets"]

    secrets = load_all_credentials()
    import json
    print(json.dumps(secrets["boot/one"]["data"]))
    """
    assert json.loads(python(text.replace("NAMES", ""))) == {"n": 1}
    with pytest.raises(AssertionError, match="404 Not Found"):
        python(text.replace("NAMES", '"boot/ghost",'))
