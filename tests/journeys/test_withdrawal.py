"""Promise 1: a withdrawal that was acknowledged is seen by every later check, on every worker."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from uuid_utils.compat import uuid7

from service import db
from service.kernel import SubjectId, TenantId
from service.subjects import Flags
from service.transaction import opener
from tests.journeys.conftest import Installation
from tests.journeys.processes import Client, running

QUESTION = {"channel": "email", "purpose": "marketing"}


@pytest.fixture(scope="module")
def pair(installation: Installation) -> Iterator[tuple[Client, Client]]:
    with (
        running("serve", "--port", "0", env=installation.env) as one,
        running("serve", "--port", "0", env=installation.env) as other,
    ):
        assert one.url != other.url
        clients = Client(one.url, installation.token), Client(other.url, installation.token)
        yield clients
        for client in clients:
            client.close()


def record(subject: str, action: str, method: str, at: datetime) -> dict[str, object]:
    made = {"id": str(uuid4()), "subject": subject, "ts": at.isoformat(), "action": action, "method": method} | QUESTION
    if action == "opt_in":
        made |= {"evidence": "form and confirmation", "notice_version": "v3"}
    return made


def ask(client: Client, subject: str) -> tuple[str, set[str]]:
    status, answer = client("POST", "/v1/decisions", {"subject": subject} | QUESTION)
    assert status in {200, 201}, answer
    return answer["decision"], {reason["rule"] for reason in answer["reasons"]}


def test_record_decide_withdraw_and_the_very_next_check_denies_on_both_processes(pair: tuple[Client, Client]) -> None:
    one, other = pair
    for turn in range(25):
        subject = f"s-{turn}"
        now = datetime.now(UTC)
        status, _ = one("PUT", f"/v1/subjects/{subject}", {"residence": "DE", "age": 40, "time_zone": "Europe/Berlin"})
        assert status in {200, 201}
        agreed = record(subject, "opt_in", "double_opt_in", now - timedelta(days=1))
        assert one("POST", "/v1/records", {"records": [agreed]})[0] == 201

        for client in (one, other):
            decision, rules = ask(client, subject)
            assert decision == "permit"
            assert {"EU-EPD-01", "DE-DOI-01"} <= rules

        writer, reader = (one, other) if turn % 2 else (other, one)
        refused = record(subject, "opt_out", "unsubscribe_link", now)
        assert writer("POST", "/v1/records", {"records": [refused]})[0] == 201

        decision, rules = ask(reader, subject)
        assert decision == "deny"
        assert "EU-CON-06" in rules
        assert ask(writer, subject)[0] == "deny"


def test_a_fresh_opt_in_reopens_the_door_that_it_names(pair: tuple[Client, Client]) -> None:
    one, other = pair
    now = datetime.now(UTC)
    one("PUT", "/v1/subjects/returning", {"residence": "DE", "age": 40, "time_zone": "Europe/Berlin"})
    history = [
        record("returning", "opt_in", "double_opt_in", now - timedelta(days=3)),
        record("returning", "opt_out", "unsubscribe_link", now - timedelta(days=2)),
    ]
    one("POST", "/v1/records", {"records": history})
    assert ask(other, "returning")[0] == "deny"

    again = record("returning", "opt_in", "double_opt_in", now - timedelta(days=1))
    one("POST", "/v1/records", {"records": [again]})

    decision, rules = ask(other, "returning")
    assert decision == "permit"
    assert "EU-CON-12" in rules


FLAGGED = {
    "restricted": "EU-RES-01",
    "objected": "EU-OBJ-01",
    "erased": "EU-ERA-03",
    "erasure_pending": "EU-ERA-03",
    "suppressed": "EU-SUP-01",
    "merge_unresolved": "ENG-ID-01",
}


@pytest.mark.parametrize("flag", FLAGGED)
def test_what_the_service_itself_learns_is_seen_by_the_very_next_check_on_both_processes(
    pair: tuple[Client, Client], installation: Installation, flag: str
) -> None:
    one, other = pair
    subject = f"flagged-{flag}"
    one("PUT", f"/v1/subjects/{subject}", {"residence": "DE", "age": 40, "time_zone": "Europe/Berlin"})
    one("POST", "/v1/records", {"records": [record(subject, "opt_in", "double_opt_in", datetime.now(UTC))]})
    assert {ask(client, subject)[0] for client in pair} == {"permit"}

    asyncio.run(set_flags(installation, subject, Flags(**{flag: True})))

    for client in (other, one):
        decision, rules = ask(client, subject)
        assert decision == "deny"
        assert FLAGGED[flag] in rules
        assert client("GET", f"/v1/subjects/{subject}")[1]["flags"] == {flag: True}

    asyncio.run(set_flags(installation, subject, Flags()))
    assert {ask(client, subject)[0] for client in pair} == {"permit"}


async def set_flags(installation: Installation, subject: str, flags: Flags) -> None:
    engine = db.engine(installation.urls.app)
    async with opener(engine, lambda: datetime.now(UTC), uuid7)(TenantId("acme")) as tx:
        handle = await tx.subjects.handle_of(SubjectId(subject))
        assert handle is not None
        await tx.subjects.lock(handle)
        await tx.subjects.set_flags(handle, flags)
    await engine.dispose()
