"""Wherever the worker is killed, the next one ends with the same: once each, and nothing left."""

from datetime import timedelta
from functools import partial
from itertools import count

import psycopg
import pytest

from service.erasures import Stage
from service.vault.values import Suppressed
from tests.integration.erasing_child import erase
from tests.integration.expiring_child import killed

STEPS = ["begun", "told", "forgotten", "replaced", "reduced", "settled", "verified", "certified"]
GONE = {
    "begun": {},
    "told": {"systems": 0},
    "forgotten": {"index_entries": 1, "suppressed": 2, "tokens": 0, "values": 3},
    "replaced": {"subject_ids": 1},
    "reduced": {"facts": 1, "records": 2},
    "settled": {},
    "verified": {},
    "certified": {},
}


@pytest.mark.parametrize("hides", [False, True])
async def test_killed_at_any_step_an_erasure_ends_with_the_same(people, database, tenant, clock, hides):
    clock.advance(timedelta(days=-30))  # what these clients did was before the child's real time
    with psycopg.connect(database.urls.owner, autocommit=True) as owner:
        owner.execute("UPDATE tenant SET hides_erased = %s WHERE id = %s", (hides, tenant))
        for steps in count(1):
            subject = f"s-{hides}-{steps}"
            handle = await people.whole(subject)
            request = await people.ask(subject)
            child = partial(erase, database.urls.worker, people.ring, request)
            where = killed(child, database.urls.app, tenant, steps)

            assert await people.run(request) is Stage.ENDED

            async with people.begin(tenant) as tx:
                assert {one.step: one.told for one in await tx.erasures.done(request)} == GONE
                assert await tx.erasures.left([handle]) == {}
                assert len(await tx.records.history(handle)) == 1
            told = owner.execute(
                "SELECT event FROM audit_entry WHERE tenant = %s AND object_id = %s AND event LIKE 'erasure.%%'",
                (tenant, str(request)),
            ).fetchall()
            announced = owner.execute(
                "SELECT type FROM outbox WHERE tenant = %s AND object_id = %s AND type LIKE 'erasure.%%'",
                (tenant, str(request)),
            ).fetchall()
            assert sorted(told) == sorted(announced) == sorted((f"erasure.{step}",) for step in STEPS)
            assert (await people.handle(subject) is None) is hides
            assert isinstance(await people.write(f"{subject}-again", "email", f"{subject}@old.example"), Suppressed)
            if where == "done":
                assert steps > 2 * len(STEPS)
                return
