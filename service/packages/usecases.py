from datetime import datetime
from typing import Final

from msgspec import Struct

from service.audit import AuditEvent
from service.kernel import Caller, Clock, NewId
from service.packages.collecting import Collect, PackageWish
from service.packages.document import written as json_written
from service.packages.domain import AccessPackage, document_of
from service.packages.page import written as page_written
from service.packages.ports import Advanced, Archive, Begin, Room, WordsIn
from service.packages.sheets import sheets
from service.packages.sheets import written as sheet_written

_SUFFIXES: Final = {
    "application/pdf": "pdf",
    "image/jpeg": "jpg",
    "image/png": "png",
    "text/plain": "txt",
}
"""Of documents. Any other is `bin`: what it says it is may be a program."""


class PackageMade(Struct, frozen=True, kw_only=True):
    """What is in a package, counted."""

    made_at: datetime
    values: int
    records: int
    decisions: int
    reveals: int


class MakePackage:
    """Write everything that is kept about one person to an archive, and put on record that it was done."""

    def __init__(self, begin: Begin, collect: Collect, words_in: WordsIn, clock: Clock, new_id: NewId) -> None:
        self._begin = begin
        self._collect = collect
        self._words_in = words_in
        self._clock = clock
        self._new_id = new_id

    async def __call__(
        self, wish: PackageWish, archive: Archive, room: Room, advanced: Advanced, *, by: Caller
    ) -> PackageMade:
        """Write the package. Hand it out only once this has returned: then the log knows of it.

        Whether `by` may have it is for whoever calls this to find out. The same data give the same bytes, but for the
        time at which they were read.

        Raises:
            UnknownSubject, SubjectErased
            RingUnavailable, Unreadable, Unavailable, StateUnreadable: nothing of it must be told.
        """
        now = self._clock()
        person, package = await self._collect(wish, room, now, by=by)
        self._write(package, archive, wish, advanced)
        async with self._begin(by.tenant) as tx:
            await tx.audit.append(
                event=AuditEvent.PACKAGE_MADE, object_id=str(self._new_id()), by=by, subject=person.handle
            )
        return PackageMade(
            made_at=now,
            values=len(package.head.values),
            records=len(package.records),
            decisions=len(package.decisions),
            reveals=len(package.reveals),
        )

    def _write(self, package: AccessPackage, archive: Archive, wish: PackageWish, advanced: Advanced) -> None:
        members = {
            "index.html": page_written(package, self._words_in(wish.language)),
            "package.json": json_written(package),
            **{name: sheet_written(sheet(package)) for name, sheet in sheets().items()},
        }
        for done, (name, parts) in enumerate(members.items()):
            advanced(done, len(members))
            with archive.member(name) as member:
                for part in parts:
                    member.write(part)
        for value in package.head.values:
            if (found := document_of(value.value)) is not None:
                media_type, content = found
                suffix = _SUFFIXES.get(media_type, "bin")
                archive.add(f"documents/{value.name.replace('#', '-')}-{value.version}.{suffix}", content)
        advanced(len(members), len(members))
