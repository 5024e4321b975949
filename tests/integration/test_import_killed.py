"""Wherever an import is killed, going on with it comes to the same."""

import json
from datetime import timedelta
from functools import partial
from itertools import count
from uuid import UUID

import psycopg

from service.consent import importing
from service.given import utc_now
from tests.integration.expiring_child import killed
from tests.integration.importing_child import LINES, brought, import_file

PEOPLE = 5


def written(place, steps):
    """Write lines about people of one step: a refusal and a later consent of each, three pieces apart."""
    now = utc_now()
    lines = []
    for action, ago in (("opt_in", 30), ("opt_out", 20), ("opt_in", 10)):
        for person in range(PEOPLE):
            said = {
                "subject": f"s{steps}-{person}",
                "ts": (now - timedelta(days=ago)).isoformat(),
                "channel": "email",
                "purpose": "marketing",
                "action": action,
            }
            lines.append(json.dumps(said if person else {**said, "id": str(UUID(int=steps * 100 + ago))}))
    place.write_text("\n".join(lines))
    return len(lines)


async def test_killed_at_any_step_and_resumed_an_import_comes_to_the_same(
    people, begin, database, tenant, tmp_path, monkeypatch
):
    monkeypatch.setattr(importing, "LINES", LINES)
    told = set()
    for steps in count(0, 2):
        with psycopg.connect(database.urls.admin) as connection:
            connection.execute("DELETE FROM record_import WHERE tenant = %s", (tenant,))
        place = tmp_path / f"{steps}.ndjson"
        number = written(place, steps)

        where = killed(partial(import_file, people.ring, place), database.urls.app, tenant, steps)
        *_, summary = await brought(begin, people.keys, place, tenant)

        told.add(where)
        assert (summary.lines, summary.refused, summary.known, summary.shut) == (number, 0, 0, 0), where
        assert summary.skipped + summary.stored == number
        for person in range(PEOPLE):
            async with begin(tenant) as tx:
                handle = await tx.subjects.handle_of(f"s{steps}-{person}")
                history = await tx.records.history(handle)
                acts = (await tx.states.read(handle)).acts
            assert [record.statement.action for record in history] == ["opt_in", "opt_out", "opt_in"]
            assert len({act.id for act in acts}) == 2, "the later consent stands for the one before"
        if where == "done":
            break
    assert told == {"before a commit", "after a commit", "done"} or told == {"before a commit", "done"}
    with psycopg.connect(database.urls.admin) as connection:
        entries = "SELECT count(*) FROM audit_entry WHERE tenant = %s AND event = 'record.imported'"
        chunks = "SELECT count(*), sum(cardinality(records)) FROM record_chunk WHERE tenant = %s"
        records = "SELECT count(*) FROM record WHERE tenant = %s"
        number, held = connection.execute(chunks, (tenant,)).fetchone()
        assert (number,) == connection.execute(entries, (tenant,)).fetchone()
        assert (held,) == connection.execute(records, (tenant,)).fetchone()
