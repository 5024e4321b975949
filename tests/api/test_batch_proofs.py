"""One decision of a batch, and one record of an import, are proved by themselves, and nobody else is shown."""

import json
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest

from service.audit.findings import Report
from service.audit.notes import parse_keys
from service.audit.verifier import Verifier
from service.committed import ExamineCommitted
from service.decisions.packed import ROOM
from service.kernel import SubjectId, TenantId
from service.transaction import Begin
from tests.api.test_batches import batch, people, told
from tests.api.test_record_import import history, sent
from tests.api.test_record_import import line as record_line
from tests.conftest import Database

__all__ = ["people"]
Judged = Callable[[str], Awaitable[Report]]
Sequence = Callable[[], Awaitable[Any]]


@pytest.fixture
async def judged(client: httpx.AsyncClient, tenant: TenantId) -> Judged:
    async def judge(text: str) -> Report:
        answer = await client.get("/.well-known/volens/log-keys", params={"tenant": tenant})
        verifier = Verifier(parse_keys("".join(f"{key['verifier_key']}\n" for key in answer.json()["keys"])))
        verifier.member(text, "member")
        return verifier.report

    return judge


async def proof_of(client: httpx.AsyncClient, **named: str) -> httpx.Response:
    return await client.get("/v1/audit/proofs/inclusion", params=named)


async def test_every_decision_of_a_batch_is_proved_without_any_other(
    client: httpx.AsyncClient, people: list[str], sequence: Sequence, judged: Judged
):
    lines, _ = told(await batch(client, *people, "nobody"))
    waits = await proof_of(client, decision=lines[0]["id"])
    await sequence()

    proofs = [await proof_of(client, decision=line["id"]) for line in lines]
    handles = [json.loads(json.loads(proof.text)["payload"])["handle"] for proof in proofs]

    assert waits.json()["type"].endswith("entry_waits")
    assert len({*handles}) == len(people) + 1
    for line, proof, handle in zip(lines, proofs, handles, strict=True):
        report = await judged(proof.text)
        assert report.findings == []
        assert line["id"] in report.proved[0]
        assert not any(other in proof.text for other in handles if other and other != handle)


CHANGES: dict[str, Callable[[dict[str, Any], dict[str, Any]], None]] = {
    "payload": lambda said, other: said.update(payload=said["payload"].replace('"permit":true', '"permit":false')),
    "another's payload": lambda said, other: said.update(payload=other["payload"], salt=other["salt"]),
    "salt": lambda said, other: said.update(salt="0" * 64),
    "index": lambda said, other: said.update(index=said["index"] ^ 1),
    "size": lambda said, other: said.update(size=said["size"] + 1),
    "path": lambda said, other: said.update(path=said["path"][:-1]),
    "node": lambda said, other: said["path"].__setitem__(0, "0" * 64),
    "heading": lambda said, other: said.update(heading=said["heading"].replace("marketing", "service")),
    "no heading": lambda said, other: said.update(heading=None),
    "entry": lambda said, other: said.update(proof=other["later"]),
    "no salt": lambda said, other: said.update(salt=None, payload=None),
    "no place": lambda said, other: said.pop("index"),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_proof_that_says_anything_else_does_not_hold(
    client: httpx.AsyncClient, people: list[str], sequence: Sequence, judged: Judged, change: str
):
    lines, _ = told(await batch(client, *people))
    later, _ = told(await batch(client, *people))
    await sequence()
    said = (await proof_of(client, decision=lines[0]["id"])).json()
    other = (await proof_of(client, decision=lines[2]["id"])).json()
    other["later"] = (await proof_of(client, decision=later[0]["id"])).json()["proof"]
    assert (await judged(json.dumps(said))).findings == []

    CHANGES[change](said, other)
    report = await judged(json.dumps(said))

    assert report.proved == []
    assert len(report.findings) == 1


async def forget(database: Database, tenant: TenantId, begin: Begin, subject: str) -> None:
    async with begin(tenant) as tx:
        handle = await tx.subjects.handle_of(SubjectId(subject))
    with psycopg.connect(database.urls.admin) as connection:
        connection.execute("SET session_replication_role = replica")
        gone = connection.execute(
            "DELETE FROM commitment_secret WHERE tenant = %s AND handle = %s", (tenant, handle)
        ).rowcount
    assert gone == 1


async def test_whose_secret_is_gone_is_not_opened_and_takes_no_proof_from_the_others(
    client: httpx.AsyncClient, people: list[str], sequence: Sequence, judged: Judged, database: Database,
    tenant: TenantId, begin: Begin,
):  # fmt: skip
    lines, _ = told(await batch(client, *people))
    await sequence()
    await forget(database, tenant, begin, "p1")

    closed = (await proof_of(client, decision=lines[1]["id"])).json()
    report = await judged(json.dumps(closed))

    assert (closed["payload"], closed["salt"]) == (None, None)
    assert [finding.kind.name for finding in report.findings] == ["PAYLOAD"]
    for place in (0, 2, 3):
        assert (await judged((await proof_of(client, decision=lines[place]["id"])).text)).findings == []


async def test_a_change_is_found_though_somebody_else_was_erased(
    client: httpx.AsyncClient, people: list[str], sequence: Sequence, database: Database, tenant: TenantId, begin: Begin
):
    told(await batch(client, *people))
    await sequence()
    await forget(database, tenant, begin, "p1")
    async with begin(tenant) as tx:
        note = await tx.tree.checkpoint(None)
    assert note is not None
    size = int(note.split("\n")[1])

    def findings_but_of_the_secret(found: Any) -> list[str]:
        return [each for each in found if "batch" in each]

    before = (await ExamineCommitted(begin)(tenant, size)).findings
    with psycopg.connect(database.urls.admin) as connection:
        connection.execute("SET session_replication_role = replica")
        swapped = "substring(body FROM 57 FOR 28) || substring(body FROM 29 FOR 28) || substring(body FOR 28)"
        connection.execute(
            f"UPDATE batch SET body = {swapped} || substring(body FROM 85) WHERE tenant = %s",
            (tenant,),
        )
    after = (await ExamineCommitted(begin)(tenant, size)).findings

    assert findings_but_of_the_secret(before) == []
    assert "is not what the entry commits to" in findings_but_of_the_secret(after)[0]


async def test_a_chunk_of_before_leaves_were_kept_is_proved_by_its_entry(
    client: httpx.AsyncClient, people: list[str], sequence: Sequence, database: Database, tenant: TenantId
):
    lines, _ = told(await batch(client, *people))
    await sequence()
    with psycopg.connect(database.urls.admin) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE batch SET leaves = NULL WHERE tenant = %s", (tenant,))

    answer = await proof_of(client, decision=lines[0]["id"])

    assert (answer.status_code, answer.text.startswith("c2sp.org/tlog-proof@v1")) == (200, True)


async def test_of_a_place_that_the_batch_has_not_nothing_is_proved(
    client: httpx.AsyncClient, people: list[str], sequence: Sequence
):
    lines, _ = told(await batch(client, *people))
    await sequence()

    answer = await proof_of(client, decision=str(UUID(int=UUID(lines[0]["id"]).int | (ROOM - 1))))

    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (404, "entry_unknown")


async def test_an_imported_record_is_proved_without_any_other(
    client: httpx.AsyncClient, sequence: Sequence, judged: Judged
):
    await sent(client, *(record_line(f"s{number}") for number in range(5)))
    await sequence()
    [record] = await history(client, "s3")

    said = (await proof_of(client, record=record["id"])).json()
    report = await judged(json.dumps(said))
    said["payload"] = said["payload"].replace("opt_in", "opt_on")

    assert report.findings == []
    assert record["id"] in report.proved[0]
    assert [finding.kind.name for finding in (await judged(json.dumps(said))).findings] == ["INCLUSION"]
