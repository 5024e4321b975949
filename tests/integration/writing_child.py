"""A process that writes and reads the values of one person, over and over, and tells what came of it."""

import asyncio
import time
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path

from service import db
from service.given import new_id, utc_now
from service.kernel import Caller, Handle, SubjectId
from service.transaction import opener
from service.vault.domain import SubjectErased
from service.vault.envelope import seal, unseal
from service.vault.fields import BUILT_IN, Name
from service.vault.keys import Keys
from service.vault.opening import OpenValues
from service.vault.ring_file import FileRing
from service.vault.values import Write, Written
from service.vault.writing import WriteValues

FIELDS = ("email", "phone", "name")


def hammer(url: str, place: Path, subject: SubjectId, handle: Handle, by: Caller, pipe: Connection) -> None:
    pipe.send(asyncio.run(_hammer(url, place, subject, handle, by, pipe)))


async def _hammer(
    url: str, place: Path, subject: SubjectId, handle: Handle, by: Caller, pipe: Connection
) -> list[tuple[float, str, bool]]:
    """Return when each write and each reading began, and whether it got through."""
    engine = db.engine(url)
    begin = opener(engine, utc_now, new_id)
    keys = Keys(FileRing.open(place), begin, utc_now, keep=timedelta(hours=1))
    write, read = WriteValues(begin, keys, seal, utc_now), OpenValues(begin, keys, unseal, utc_now)
    tried: list[tuple[float, str, bool]] = []
    number = 0
    while not pipe.poll():
        number += 1
        values = {"email": f"a{number}@mail.example", "phone": f"+49301234{number % 1000:03}", "name": f"A {number}"}
        began = time.monotonic()
        writes = [
            Write(subject=subject, name=Name(field), field=BUILT_IN[field], value=values[field], by=by)
            for field in FIELDS
        ]
        outcomes = await write(by.tenant, writes)
        assert all(isinstance(outcome, Written | SubjectErased) for outcome in outcomes), outcomes
        tried.append((began, "write", any(isinstance(outcome, Written) for outcome in outcomes)))
        began = time.monotonic()
        opening = await read(by.tenant, {handle: FIELDS})
        tried.append((began, "read", handle not in opening.erased))
        assert (handle in opening.erased) == (not opening.values[handle])
        if number == 5:
            pipe.send("warm")
    await engine.dispose()
    return tried
