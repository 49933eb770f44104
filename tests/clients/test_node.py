"""The same from JavaScript: Node's own ``fetch``, without a library."""

from __future__ import annotations

import json

from tests.clients.conftest import Run

HOST = "${process.env.URL}"
TOKEN = "${process.env.SCAIVAULT_TOKEN}"


def test_write_and_read(node: Run) -> None:
    told = node(
        f"""
const made = await fetch(
  `{HOST}/v1/secrets/stages/live/shop/login`,
  {{
    method: "PUT",
    headers: {{
      "Authorization": `Bearer {TOKEN}`,
      "Content-Type": "application/json",
    }},
    body: JSON.stringify({{
      data: {{ client_id: "3MVG", client_secret: "hidden" }},
      secret_type: "json",
      metadata: {{ tags: ["shop", "live"] }},
      options: {{ max_versions: 10 }},
    }}),
  }},
);
const resp = await fetch(
  `{HOST}/v1/secrets/stages/live/shop/login`,
  {{ headers: {{ "Authorization": `Bearer {TOKEN}` }} }},
);
const secret = await resp.json();
console.log(made.status, secret.data.client_id);
"""
    )
    assert told == "201 3MVG\n"


def test_lists_and_batches(node: Run) -> None:
    told = node(
        f"""
const headers = {{
  "Authorization": `Bearer {TOKEN}`,
  "Content-Type": "application/json",
}};
for (const path of ["parts/pay/oauth", "parts/mail/key"]) {{
  await fetch(`{HOST}/v1/secrets/${{path}}`, {{
    method: "PUT", headers, body: JSON.stringify({{ data: {{ path }} }}),
  }});
}}
const params = new URLSearchParams({{ prefix: "parts/", limit: "50" }});
const page = await fetch(
  `{HOST}/v1/secrets?${{params}}`,
  {{ headers: {{ "Authorization": `Bearer {TOKEN}` }} }},
);
const listing = await page.json();
for (const s of listing.secrets) console.log(s.path, s.version);
const resp = await fetch(`{HOST}/v1/secrets/batch`, {{
  method: "POST",
  headers: {{
    "Authorization": `Bearer {TOKEN}`,
    "Content-Type": "application/json",
  }},
  body: JSON.stringify({{
    paths: [
      "parts/pay/oauth",
      "parts/mail/key",
    ],
  }}),
}});
const result = await resp.json();
console.log(JSON.stringify(result.secrets["parts/mail/key"].data));
"""
    ).splitlines()
    assert told[:2] == ["parts/mail/key 1", "parts/pay/oauth 1"]
    assert json.loads(told[2]) == {"path": "parts/mail/key"}
