"""The published vector of the chain, as rows of a file."""

from __future__ import annotations

from scaivault.audit import chain
from scaivault.crypto import signing
from scaivault.storage.file import Connection
from tests.audit.conftest import found

VAULT = "vlt_00000000000000000000"
ROW_1 = (
    '{"action":"write","actor_tenant_id":"tnt_h","duration_ms":6,"extra_data":{"created":true,'
    '"version":1},"id":"log_01o3f5e7g00000000000000001","identity_id":"user:mira@harbor.example",'
    '"identity_type":"user","partner_id":"ptn_h","request_id":"req_01o3f5e7g00000000000000002",'
    '"secret_path":"shop/prod/mailer","seq":1,"source_ip":"192.0.2.14","success":true,'
    '"tenant_id":"tnt_h","timestamp":"2031-02-03T09:00:00.000001Z","user_agent":"curl/8"}'
)
ROW_2 = (
    '{"action":"auth_failed","actor_tenant_id":null,"duration_ms":0,"extra_data":'
    '{"error_code":"token_invalid"},"id":"log_01o3f5e7g00000000000000003","identity_id":null,'
    '"identity_type":null,"partner_id":null,"request_id":"req_01o3f5e7g00000000000000004",'
    '"secret_path":null,"seq":2,"source_ip":"2001:db8::7","success":false,"tenant_id":null,'
    '"timestamp":"2031-02-03T09:00:01.000000Z","user_agent":"Zoë \\"q\\" \\\\1"}'
)
H0 = "ccd75c863ddb8690e3ad48113f2dc9d4635ba2d4354462f3dd36307ba18cb9cd"
H1 = "ec02362e9e0e9e79be76815492a62d7d49bfb8029d0ed90644589e9fa7d81b7d"
H2 = "6060a10cd24f11381f2469a1f551d8073b61d97f4c5ed0a51b7a750029ab5e6e"
PUBLIC = "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg"
KEY_ID = "7751cda99a595122"
SIGNATURE = "IZpNTv_4Br_GewpfplAYK3CiRmc3F7M7ZQ9n_-6jjOrv6ssldGCV2MbbhrbfK4wLl563WB726XhX7q-8NF0mDA"


def fill(file: Connection) -> None:
    file.execute("DELETE FROM ledger")
    file.execute("DELETE FROM checkpoint")
    for seq, (head, text) in enumerate(((H1, ROW_1), (H2, ROW_2)), start=1):
        file.execute("INSERT INTO ledger VALUES (?, ?, ?)", (seq, bytes.fromhex(head), text))
    file.execute(
        "INSERT INTO checkpoint VALUES (2, ?, '2031-02-03T09:10:00.000000Z', 0, ?, ?)",
        (bytes.fromhex(H2), KEY_ID, SIGNATURE),
    )


def test_the_vector_is_a_sound_chain(file: Connection) -> None:
    fill(file)
    keys = {KEY_ID: signing.from_base64url(PUBLIC)}
    report = chain.verify(file, VAULT, keys, chain.Request(expect=chain.expected(f"0:{H0}")))
    assert (report.valid, report.rows_checked, report.checkpoints_checked) == (True, 2, 1)
    assert (report.head.hash, report.unsigned_tail) == (H2, 0)


def test_the_vector_with_another_duration_is_found(file: Connection) -> None:
    fill(file)
    changed = ROW_1.replace('"duration_ms":6', '"duration_ms":7')
    file.execute("UPDATE ledger SET record = ? WHERE seq = 1", (changed,))
    keys = {KEY_ID: signing.from_base64url(PUBLIC)}
    report = chain.verify(file, VAULT, keys, chain.Request())
    assert found(report) == [("row_modified", 1)]


def test_the_vector_is_of_its_vault_only(file: Connection) -> None:
    fill(file)
    keys = {KEY_ID: signing.from_base64url(PUBLIC)}
    report = chain.verify(file, VAULT[:-1] + "1", keys, chain.Request())
    assert ("checkpoint_invalid", 2) in found(report)
    assert {kind for kind, seq in found(report) if seq == 1} == {"row_modified"}
