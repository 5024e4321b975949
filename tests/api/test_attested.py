"""What witnesses and a time-stamp authority said, over HTTP, judged by the verifier that an auditor runs."""

import json
from io import BytesIO
from pathlib import Path

import pytest

from service.audit.findings import Kind
from service.audit.notes import Checkpoint, parse_keys
from service.audit.quorum import Witness
from service.audit.rfc3161 import Authorities
from service.audit.verifier import Verifier
from tests.builders import a_record_body
from tests.witnessing import policy_of


@pytest.fixture
def store(client, sequence):
    async def store() -> str:
        await client.put("/v1/subjects/anna", json={"residence": "DE", "age": 40})
        body = a_record_body(subject="anna")
        answer = await client.post("/v1/records", json={"records": [body]})
        assert answer.status_code < 300, answer.text
        await sequence()
        return body["id"]

    return store


async def test_checkpoints_and_proofs_carry_the_cosignatures(client, store, attest, log_key):
    record = await store()
    policy = policy_of(Witness("w", await attest(), None))
    keys = parse_keys(await log_key())

    judge = Verifier(keys, policy=policy)
    for path in (
        "/v1/audit/checkpoint",
        f"/v1/audit/proofs/inclusion?record={record}",
        "/v1/audit/checkpoint?cosigners=1",
    ):
        assert judge.file(BytesIO((await client.get(path)).content), path)
    assert (judge.report.findings, len(judge.report.proved)) == ([], 3)


async def test_what_nobody_cosigned_yet_does_not_meet_the_policy(client, store, attest, log_key):
    await store()
    policy = policy_of(Witness("w", await attest(), None))
    size = Checkpoint.parse((await client.get("/v1/audit/checkpoint")).text).size
    await store()

    newest = (await client.get("/v1/audit/checkpoint")).text
    cosigned = (await client.get("/v1/audit/checkpoint", params={"cosigners": 1})).text
    grown = (await client.get("/v1/audit/proofs/consistency", params={"from": size, "to": size})).text
    judge = Verifier(parse_keys(await log_key()), policy=policy)
    judge.checkpoint(newest, "newest")
    judge.checkpoint(cosigned, "cosigned")
    judge.consistency(grown, "grown")

    assert [(finding.kind, finding.place) for finding in judge.report.findings] == [(Kind.UNWITNESSED, "newest")]
    assert Checkpoint.parse(cosigned).size == size < Checkpoint.parse(newest).size


@pytest.mark.parametrize("parameters", [{"cosigners": 2}, {"cosigners": 1, "size": 1}])
async def test_a_checkpoint_that_too_few_cosigned_is_not_there(client, store, attest, parameters):
    await store()
    await attest()

    answer = await client.get("/v1/audit/checkpoint", params=parameters)

    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (404, "checkpoint_unknown")
    assert [fault["parameter"] for fault in answer.json()["errors"]] == ["cosigners"]


async def test_a_time_stamp_is_evidence_as_it_stands(client, store, attest, log_key, tmp_path: Path):
    await store()
    await attest()
    answer = await client.get("/v1/audit/timestamp")

    stamps = Authorities.of((tmp_path / "authority" / "root.pem").read_bytes()).judge
    judge = Verifier(parse_keys(await log_key()), stamps=stamps)
    assert judge.file(BytesIO(answer.content), "stamp")
    assert (judge.report.findings, len(judge.report.proved)) == ([], 1)
    size = Checkpoint.parse(json.loads(answer.text)["checkpoint"]).size
    assert (await client.get("/v1/audit/timestamp", params={"size": size})).json() == answer.json()
    for unknown in (size + 1, 2**53 - 1):
        later = await client.get("/v1/audit/timestamp", params={"size": unknown})
        assert (later.status_code, later.json()["type"].rpartition("/")[2]) == (404, "timestamp_unknown")


async def test_another_tenant_has_neither(client, client_of, store, attest, add_tenant):
    await store()
    await attest()
    other = client_of(tenant=add_tenant())

    for path in ("/v1/audit/timestamp", "/v1/audit/checkpoint?cosigners=1", "/v1/audit/checkpoint"):
        assert (await other.get(path)).status_code == 404
