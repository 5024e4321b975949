"""Proofs over HTTP, judged by the verifier that an auditor runs."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest

from service import db
from service.audit.notes import Checkpoint, parse_keys
from service.audit.verifier import Verifier
from tests.builders import a_record_body


@pytest.fixture
async def verifier(client, tenant) -> Callable[[], Verifier]:
    async def make(whole: bool = False) -> Verifier:
        answer = await client.get("/.well-known/volens/log-keys", params={"tenant": tenant}, headers={})
        return Verifier(parse_keys("\n".join(key["verifier_key"] for key in answer.json()["keys"])), whole=whole)

    return make


async def store(client: httpx.AsyncClient, number: int) -> list[str]:
    await client.put("/v1/subjects/anna", json={"residence": "DE", "age": 40})
    bodies = [a_record_body(subject="anna") for _ in range(number)]
    answer = await client.post("/v1/records", json={"records": bodies})
    assert answer.status_code < 300, answer.text
    return [body["id"] for body in bodies]


async def test_a_record_is_proved_to_be_in_the_signed_tree(client, sequence, verifier):
    ids = await store(client, 300)
    await sequence()

    answer = await client.get("/v1/audit/proofs/inclusion", params={"record": ids[150]})

    judge = await verifier()
    judge.proof(answer.text, "proof")
    assert not judge.report.findings
    assert "record.stored" in judge.report.proved[0]
    assert answer.headers["content-type"].startswith("text/plain")


async def test_a_proof_of_another_record_is_refused(client, sequence, verifier):
    first, second = await store(client, 2)
    await sequence()
    proofs = [
        (await client.get("/v1/audit/proofs/inclusion", params={"record": each})).text.split("\n")
        for each in (first, second)
    ]
    proofs[0][1] = proofs[1][1]  # the entry of one, the place of the other

    judge = await verifier()
    judge.proof("\n".join(proofs[0]), "proof")

    assert [finding.kind.name for finding in judge.report.findings] == ["INCLUSION"]


async def test_a_decision_is_proved(client, sequence, verifier):
    await store(client, 1)
    asked = {"subject": "anna", "channel": "email", "purpose": "marketing"}
    decision = (await client.post("/v1/decisions", json=asked)).json()["id"]
    await sequence()

    answer = await client.get("/v1/audit/proofs/inclusion", params={"decision": decision})

    judge = await verifier()
    judge.proof(answer.text, "proof")
    assert (judge.report.findings, decision in judge.report.proved[0]) == ([], True)


async def test_nothing_before_an_old_checkpoint_was_changed(client, sequence, verifier):
    await store(client, 3)
    await sequence()
    old = (await client.get("/v1/audit/checkpoint")).text
    await store(client, 400)
    await sequence()
    size = Checkpoint.parse(old).size

    answer = await client.get("/v1/audit/proofs/consistency", params={"from": size})

    judge = await verifier()
    judge.known(old, "kept")
    judge.consistency(answer.text, "consistency")
    assert not judge.report.findings
    assert (await client.get("/v1/audit/checkpoint", params={"size": size})).text == old


async def test_what_waits_is_409_and_what_is_unknown_404(client, sequence):
    [record] = await store(client, 1)

    async def status(**named: Any) -> tuple[int, str]:
        answer = await client.get("/v1/audit/proofs/inclusion", params=named)
        return answer.status_code, answer.json()["type"].rpartition("/")[2]

    assert await status(record=record) == (409, "entry_waits")
    assert await status(record=str(uuid4())) == (404, "entry_unknown")
    assert await status(decision=str(uuid4())) == (404, "entry_unknown")
    assert await status(entry=str(uuid4())) == (404, "entry_unknown")
    await sequence()
    assert await status(record=record, size=77) == (404, "checkpoint_unknown")


async def test_an_older_tree_proves_nothing_of_later_entries(client, sequence):
    await store(client, 1)
    await sequence()
    size = Checkpoint.parse((await client.get("/v1/audit/checkpoint")).text).size
    [later] = await store(client, 1)
    await sequence()
    newest = Checkpoint.parse((await client.get("/v1/audit/checkpoint")).text).size

    proof = await client.get("/v1/audit/proofs/inclusion", params={"record": later, "size": size})
    backwards = await client.get("/v1/audit/proofs/consistency", params={"from": newest, "to": size})

    for answer, parameter in ((proof, "size"), (backwards, "from")):
        assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (404, "checkpoint_unknown")
        assert [fault["parameter"] for fault in answer.json()["errors"]] == [parameter]


@pytest.mark.parametrize("named", [{}, {"entry": str(uuid4()), "record": str(uuid4())}])
async def test_exactly_one_thing_is_proved(client, named):
    answer = await client.get("/v1/audit/proofs/inclusion", params=named)

    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (409, "entry_unclear")


async def test_tiles_may_be_kept_for_ever(client, sequence):
    await store(client, 300)
    await sequence()

    full = await client.get("/v1/audit/tile/0/000")
    size = Checkpoint.parse((await client.get("/v1/audit/checkpoint")).text).size
    partial = await client.get(f"/v1/audit/tile/0/001.p/{size - 256}")

    assert (full.status_code, len(full.content), len(partial.content)) == (200, 8192, (size - 256) * 32)
    assert full.headers.get_list("cache-control") == ["public, max-age=31536000, immutable"]
    for path in ("0/001", "0/001.p/255", "0/1", "9/000", "0/000.p/256", "64/000", "0/x000/000"):
        assert (await client.get(f"/v1/audit/tile/{path}")).status_code == 404, path


async def test_another_tenant_sees_none_of_it(client, client_of, add_tenant, sequence):
    [record] = await store(client, 1)
    await sequence()
    stranger = client_of(tenant=add_tenant())

    assert (await stranger.get("/v1/audit/proofs/inclusion", params={"record": record})).status_code == 404
    assert (await stranger.get("/v1/audit/checkpoint")).status_code == 404
    assert (await stranger.get("/v1/audit/tile/0/000.p/1")).status_code == 404


async def test_readiness_says_that_a_log_is_halted_and_everybodys_requests_go_on(
    client, begin, database, tenant, sequence
):
    await store(client, 1)
    await sequence()
    before = (await client.get("/health/ready")).json()["checks"]["log"]
    async with db.pool(database.urls.worker) as pool, pool.connection() as connection:
        await connection.execute("UPDATE audit_head SET halted = 'restored' WHERE tenant = %s", (tenant,))
    answer = await client.get("/health/ready")
    withdrawn = await client.post("/v1/records", json={"records": [a_record_body(subject="anna", action="opt_out")]})
    async with db.pool(database.urls.worker) as pool, pool.connection() as connection:
        await connection.execute("UPDATE audit_head SET halted = NULL WHERE tenant = %s", (tenant,))

    assert (before, answer.status_code, answer.json()["checks"]["log"]) == (True, 200, False)
    assert (answer.json()["ready"], answer.json()["degraded"]) == (True, ["log"])
    assert withdrawn.status_code == 201
