from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from service.audit import AuditEvent
from service.kernel import Caller, Clock, NewId
from service.packages.collecting import Collect, PackageWish, Person
from service.packages.connected import connected_told
from service.packages.document import written as json_written
from service.packages.domain import SUFFIXES, AccessPackage, ConnectedTold, SystemTold, document_of
from service.packages.page import written as page_written
from service.packages.ports import Advanced, Answered, Archive, Begin, Connected, Room, WordsIn
from service.packages.sheets import sheets
from service.packages.sheets import written as sheet_written
from service.requests import Package
from service.reveals import admit_alone
from service.subjects import UnknownSubject
from service.vault import Unreadable


class PackageMade(Struct, frozen=True, kw_only=True):
    """What is in a package, counted."""

    made_at: datetime
    values: int
    records: int
    decisions: int
    reveals: int


class WritePackage:
    """Write what is kept about one person to an archive."""

    def __init__(self, collect: Collect, words_in: WordsIn, clock: Clock, connected: Connected) -> None:
        self._connected = connected
        self._collect = collect
        self._words_in = words_in
        self._clock = clock

    async def __call__(
        self, wish: PackageWish, archive: Archive, room: Room, advanced: Advanced, *, by: Caller
    ) -> tuple[Person, PackageMade]:
        """Return whose it is, and what is in it. Hand it out only once the log knows of it.

        Whether `by` may have it is for whoever calls this to find out. The same data give the same bytes, but for the
        time at which they were read.

        Raises:
            UnknownSubject, SubjectErased
            RingUnavailable, Unreadable, Unavailable, StateUnreadable: nothing of it must be told.
        """
        now = self._clock()
        person, package = await self._collect(wish, room, now, by=by)
        answers = await self._answers(wish, by)
        systems = await self._outcomes(wish, by)
        head = replace(package.head, systems=systems, connected=tuple(told for _, told in answers))
        package = replace(package, head=head)
        self._write(package, archive, wish, advanced)
        for answer, told in answers:
            if told.file is not None:
                await self._join(archive, answer, told.file, by)
        return person, PackageMade(
            made_at=now,
            values=len(package.head.values),
            records=len(package.records),
            decisions=len(package.decisions),
            reveals=len(package.reveals),
        )

    async def _answers(self, wish: PackageWish, by: Caller) -> Sequence[tuple[Answered, ConnectedTold]]:
        if wish.request is None or wish.package is not Package.EVERYTHING:
            return ()
        return tuple(connected_told(await self._connected.answers(by.tenant, wish.request)))

    async def _outcomes(self, wish: PackageWish, by: Caller) -> tuple[SystemTold, ...]:
        if wish.request is None or wish.package is not Package.EVERYTHING:
            return ()
        return tuple(await self._connected.outcomes(by.tenant, wish.request))

    async def _join(self, archive: Archive, answer: Answered, file: str, by: Caller) -> None:
        """Write what a connected system answered: as much as it announced, or the package fails."""
        size = 0
        with archive.member(file) as member:
            async for part in self._connected.content(by.tenant, answer):
                size += len(part)
                if size > answer.size:
                    break
                member.write(part)
        if size != answer.size:
            raise Unreadable("an answer of a connected system is not as long as was announced")

    def _write(self, package: AccessPackage, archive: Archive, wish: PackageWish, advanced: Advanced) -> None:
        members = {
            "index.html": page_written(package, self._words_in(wish.language)),
            "package.json": json_written(package),
            **{name: sheet_written(sheet(package)) for name, sheet in sheets(package).items()},
        }
        for done, (name, parts) in enumerate(members.items()):
            advanced(done, len(members))
            with archive.member(name) as member:
                for part in parts:
                    member.write(part)
        for value in package.head.values:
            if (found := document_of(value.value)) is not None:
                media_type, content = found
                suffix = SUFFIXES.get(media_type, "bin")
                archive.add(f"documents/{value.name.replace('#', '-')}-{value.version}.{suffix}", content)
        advanced(len(members), len(members))


class MakePackage:
    """Write a package for somebody to hand over, and put on record that it was done."""

    def __init__(self, begin: Begin, write: WritePackage, clock: Clock, new_id: NewId, *, most_alone: int) -> None:
        """A client makes packages of `most_alone` people an hour, those counted whom it reads alone."""
        self._begin = begin
        self._write = write
        self._clock = clock
        self._new_id = new_id
        self._most_alone = most_alone

    async def __call__(
        self, wish: PackageWish, archive: Archive, room: Room, advanced: Advanced, *, by: Caller
    ) -> PackageMade:
        """Write the package, as `WritePackage` does. Once this has returned, the log knows of it.

        Raises:
            TooManyPeople: nothing was opened.
            Exception: as `WritePackage` does.
        """
        async with self._begin(by.tenant) as tx:
            handle = await tx.subjects.handle_of(wish.subject)
            if handle is None:
                raise UnknownSubject("there is no such subject")
            await admit_alone(tx.alone, handle, by, most=self._most_alone, now=self._clock())
        person, made = await self._write(wish, archive, room, advanced, by=by)
        async with self._begin(by.tenant) as tx:
            await tx.audit.append(
                event=AuditEvent.PACKAGE_MADE, object_id=str(self._new_id()), by=by, subject=person.handle
            )
        return made
