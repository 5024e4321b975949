"""Store a piece of an import: many records, what they amount to, one audit entry and one event, or nothing.

An import opens no door (promise 5). Who has refused something, otherwise than by the import itself, is not brought back
by what a file says that they agreed to later: such a record isn't stored, and the line says so. For which purposes and
on which channels a refusal holds is for the law to say; here it holds for all. What the file itself says in its own
order stands as it says; and what people do by themselves comes by other ways.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from service.audit import AuditEvent, Content, ContentExpired
from service.consent.appending import grown
from service.consent.domain import Act, RecordIdReused, State, StoredRecord, Submission, UnknownPurpose
from service.consent.imported import Chunk, RefusalStands
from service.consent.importing_ports import ImportTransaction
from service.consent.sent import own_purposes, refuse_the_future
from service.consent.signatures import effective_at
from service.consent.vocabulary import Action, Vocabulary
from service.events import Event
from service.kernel import Caller, Contended, DomainError, Handle, NewId

Lines = Mapping[int, Sequence[Submission]]
"""The records of each line."""
_ERASING: Final = frozenset({Action.ERASE_REQUEST, Action.ERASED})
"""What an order that came later answers as well, and not only a permission."""

_KNOWN: Final = "known"
"""In the place of an action, where it isn't from a record."""
_No = tuple[str, datetime]


class Became(Struct, frozen=True, kw_only=True):
    """What became of the lines of a piece."""

    new: Mapping[int, int]
    """How many records of a line were new. A line whose records were known has none."""
    refused: Mapping[int, DomainError]
    """What stands against a line, or, if something of it is stored, against the rest."""


class AppendChunk:
    """Store the records of many lines: each line as a whole or not at all, but for what would answer a refusal."""

    def __init__(self, vocabulary: Vocabulary, new_id: NewId) -> None:
        self._vocabulary = vocabulary
        self._neither = vocabulary.refusals | vocabulary.attempts
        self._new_id = new_id

    async def __call__(
        self,
        tx: ImportTransaction,
        lines: Lines,
        *,
        import_id: UUID,
        derived: frozenset[UUID],
        signals: bool,
        now: datetime,
        by: Caller,
        held: Callable[[], None],
    ) -> Became:
        """Store them as of `now`, and say when all that they are about is `held`.

        Ids that are `derived` from the content say already that it is the same.
        With `signals` those that are known of people are refusals; whoever brings facts too says themselves what they
        are.

        Raises:
            Contended: somebody stored one of these ids at the same moment.
        """
        refused = await self._refused(tx, lines, now)
        wanted = {line: each for line, each in lines.items() if line not in refused}
        new, fresh = await self._new(tx, wanted, refused, derived, now)
        if any(new.values()):
            handles = {record.handle for each in new.values() for record in each}
            states = await tx.states.lock(handles, fresh=fresh)
            held()
            shut = await self._shut(tx, states, new, refused, import_id, fresh, signals=signals)
            if shut and await tx.records.find(shut):  # which come to light only where a record is stored
                raise Contended("somebody stored a record of the same id at the same moment")
            for line, each in wanted.items():
                if line not in refused and not shut.isdisjoint(said.id for said in each):
                    refused[line] = _stands()
            await self._store(tx, states, [one for each in new.values() for one in each], import_id, now, by)
        return Became(new={line: len(each) for line, each in new.items()}, refused=refused)

    async def _refused(self, tx: ImportTransaction, lines: Lines, now: datetime) -> dict[int, DomainError]:
        own = own_purposes(said.statement.purpose for each in lines.values() for said in each)
        unknown = own - (await tx.purposes.find(own)).keys() if own else set()
        refused: dict[int, DomainError] = {}
        for line, each in lines.items():
            for said in each:
                try:
                    refuse_the_future(said.statement, "", now, self._vocabulary)
                except DomainError as error:
                    refused[line] = error
                if said.statement.purpose in unknown:
                    refused[line] = UnknownPurpose("no purpose of this name is registered")
        return refused

    async def _new(
        self,
        tx: ImportTransaction,
        lines: Lines,
        refused: dict[int, DomainError],
        derived: frozenset[UUID],
        now: datetime,
    ) -> tuple[dict[int, list[StoredRecord]], AbstractSet[Handle]]:
        """Return what is new of each line, and whose handles are fresh; add to `refused` those whose ids are taken."""
        ids = {said.id for each in lines.values() for said in each}
        stored = dict(await tx.records.find(ids))
        gone = await tx.traces.of(Content.RECORD, ids - stored.keys())
        ensured = await tx.subjects.ensure(sorted({said.subject for each in lines.values() for said in each}), now)
        new: dict[int, list[StoredRecord]] = {}
        for line, each in lines.items():
            theirs: dict[UUID, StoredRecord] = {}
            try:
                for said in each:
                    handle = ensured.handles[said.subject]
                    if said.id in gone:
                        raise ContentExpired("a record of this id was kept until its period ended")
                    known = stored.get(said.id) or theirs.get(said.id)
                    if known is None:
                        theirs[said.id] = StoredRecord(
                            id=said.id, handle=handle, received_at=now, statement=said.statement
                        )
                    elif (said.id not in derived and known.statement != said.statement) or (
                        known.handle != handle and known.handle not in await tx.subjects.former(handle)
                    ):
                        raise RecordIdReused("another record has this id")
            except DomainError as error:
                refused[line] = error
            else:
                new[line] = list(theirs.values())
                stored |= theirs
        return new, ensured.fresh

    async def _shut(
        self,
        tx: ImportTransaction,
        states: Mapping[Handle, State | None],
        new: dict[int, list[StoredRecord]],
        refused: dict[int, DomainError],
        import_id: UUID,
        fresh: AbstractSet[Handle],
        *,
        signals: bool,
    ) -> set[UUID]:
        """Take out of `new` what would answer a refusal that didn't come with the import itself; return what that is.

        Refusals are told by their action and when they were. Of who is `fresh` there is none beside it.
        """
        known = await self._known(tx, states.keys() - fresh, signals=signals)
        may = {
            record.handle
            for each in new.values()
            for record in each
            if (state := states[record.handle]) is None or self._answers(record, map(_told, state.acts))
        }
        held: dict[Handle, list[_No]] = {handle: list(said) for handle, said in known.items()}
        refusals = [
            record
            for history in (await tx.records.histories(may) if may else {}).values()
            for record in history
            if record.statement.action in self._vocabulary.refusals
        ]
        own = frozenset[UUID]()
        if refusals:
            own = await tx.imports.brought(import_id, {record.id: record.received_at for record in refusals})
        for record in refusals:
            if record.id not in own:
                held.setdefault(record.handle, []).append((record.statement.action, effective_at(record)))
        shut = set()
        for line, each in new.items():
            left = [record for record in each if not self._answers(record, held.get(record.handle, ()))]
            if len(left) < len(each):
                shut |= {record.id for record in each} - {record.id for record in left}
                new[line] = left
                refused[line] = _stands()
        return shut

    async def _known(
        self, tx: ImportTransaction, handles: Collection[Handle], *, signals: bool
    ) -> dict[Handle, Sequence[_No]]:
        """Return what is known of people beside their records that says no."""
        said: dict[Handle, Sequence[_No]] = {}
        for each in await tx.subjects.standing(handles) if handles else ():
            since = (each.flags.restricted_at, each.flags.suppressed_at, each.facts.signals.gpc_first_seen)
            said[each.handle] = [(_KNOWN, at) for at in (since if signals else since[:2]) if at is not None]
        return said

    def _answers(self, record: StoredRecord, held: Iterable[_No]) -> bool:
        """Return whether a record says that somebody agreed after one of these refusals."""
        action, at = record.statement.action, effective_at(record)
        if action in self._neither:
            return False
        agrees = action in self._vocabulary.permissions
        return any(
            since < at and (agrees or no in _ERASING) and (no == _KNOWN or no in self._vocabulary.refusals)
            for no, since in held
        )

    async def _store(
        self,
        tx: ImportTransaction,
        states: Mapping[Handle, State | None],
        new: list[StoredRecord],
        import_id: UUID,
        now: datetime,
        by: Caller,
    ) -> None:
        if not new:
            return
        if len(await tx.records.append(new)) < len(new):
            raise Contended("somebody stored a record of the same id at the same moment")
        await tx.states.write(await grown(tx, states, new, self._vocabulary))
        secrets = await tx.audit.secrets({record.handle for record in new})
        chunk = Chunk.of(self._new_id(), import_id, now, new, secrets)
        await tx.imports.add(chunk)
        event = AuditEvent.RECORD_IMPORTED
        await tx.audit.append(event=event, object_id=str(chunk.id), by=by, commitment=chunk.root)
        await tx.outbox.add([Event(type=event.value, object_id=str(chunk.id), at=now)])


def _told(act: Act) -> _No:
    return act.signature.action, act.at


def _stands() -> RefusalStands:
    return RefusalStands("they have refused, and only their own act answers that")
