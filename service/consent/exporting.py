"""Show everything that is recorded, person by person: nobody is locked in."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from msgspec import Struct

from service.consent.domain import State, StoredRecord
from service.consent.ports import Begin
from service.kernel import Caller, SubjectId
from service.subjects import Subject

PEOPLE: Final = 200
"""Of a page."""


class Told(Struct, frozen=True, kw_only=True):
    """One person: what is known, the records, oldest first, and what they amount to."""

    subject: SubjectId
    known: Subject
    records: Sequence[StoredRecord]
    state: State | None
    """None where it can't be read: the records say it all."""


class ExportRecords:
    """Read everybody by their ids. What changes meanwhile may show or not."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    async def __call__(self, *, after: SubjectId | None, by: Caller) -> AsyncIterator[Sequence[Told]]:
        """Yield everybody after `after`, some at a time.

        Of who was erased there is the erasure alone, under the id, unless that was hidden.
        """
        while True:
            async with self._begin(by.tenant) as tx:
                page = await tx.subjects.page(after=after, limit=PEOPLE)
                handles = [handle for _, handle in page]
                known = {each.handle: each for each in await tx.subjects.standing(handles)} if handles else {}
                records = await tx.records.histories(handles) if handles else {}
                states = await tx.states.several(handles) if handles else {}
            if page:
                yield [
                    Told(
                        subject=subject,
                        known=known[handle],
                        records=records.get(handle, ()),
                        state=states.get(handle, State()),
                    )
                    for subject, handle in page
                    if handle in known
                ]
                after = page[-1][0]
            if len(page) < PEOPLE:
                return
