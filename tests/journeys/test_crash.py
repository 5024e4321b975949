"""Promise 2: a record, its state, its audit entry and its event are stored together, and before the answer."""

import signal
import threading
from datetime import UTC, datetime
from uuid import UUID, uuid4

import httpx
import psycopg

from tests.journeys.conftest import Installation
from tests.journeys.processes import Client, running, volens

APPENDS = 1_000
WRITERS = 8


def write(url: str, token: str, share: range, acknowledged: list[UUID], enough: threading.Event) -> None:
    client = Client(url, token)
    for number in share:
        id = uuid4()
        record = {
            "id": str(id),
            "subject": f"s-{number % 50}",
            "ts": datetime.now(UTC).isoformat(),
            "channel": "email",
            "purpose": "marketing",
            "action": "opt_out",
            "method": "unsubscribe_link",
        }
        try:
            status, _ = client("POST", "/v1/records", {"records": [record]})
        except (httpx.HTTPError, ValueError):
            return
        if status == 201:
            acknowledged.append(id)
        if len(acknowledged) > APPENDS // 3:
            enough.set()


def test_a_kill_loses_no_acknowledged_record_and_leaves_no_half_one(installation: Installation) -> None:
    acknowledged: list[UUID] = []
    enough = threading.Event()
    with running("serve", "--port", "0", env=installation.env) as service:
        writers = [
            threading.Thread(
                target=write,
                args=(service.url, installation.token, range(first, APPENDS, WRITERS), acknowledged, enough),
            )
            for first in range(WRITERS)
        ]
        for writer in writers:
            writer.start()
        assert enough.wait(60)
        service.process.send_signal(signal.SIGKILL)
        for writer in writers:
            writer.join(60)

    assert APPENDS // 3 < len(acknowledged) < APPENDS, "the kill has to fall into the middle"
    with psycopg.connect(installation.urls.admin) as database:
        stored = {row[0] for row in database.execute("SELECT id FROM record")}
        audited = {
            UUID(row[0]) for row in database.execute("SELECT object_id FROM audit_entry WHERE event = 'record.stored'")
        }
        announced = {
            UUID(row[0]) for row in database.execute("SELECT object_id FROM outbox WHERE type = 'record.stored'")
        }
        pending = database.execute(
            "SELECT count(*) FROM audit_entry e LEFT JOIN audit_pending p USING (tenant, id) WHERE p.id IS NULL"
        ).fetchone()
    assert set(acknowledged) <= stored
    assert stored == audited == announced
    assert pending == (0,)

    checked = volens("state", "rebuild", "--check", env=installation.env)
    assert "0 differ" in checked.stdout
