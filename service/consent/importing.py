"""Import records: a stream of lines, stored in pieces, each piece with how far the import has got by then.

Whoever was cut off sends the same lines again under the same id: those that were dealt with are skipped. Where a file
gives its records no ids, they follow from what the records say, so the same file under another id adds nothing.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, Final
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from service.consent.chunking import AppendChunk, Became
from service.consent.domain import Submission
from service.consent.imported import AddressShared, AddressUnknown, Claim, ImportSummary, LineOutcome, Understood
from service.consent.importing_ports import BeginImport, Find
from service.kernel import Ahead, Caller, Clock, Contended, DomainError, InTurn, SubjectId, Turn, Unavailable
from service.subjects import PutSubject, SubjectFacts
from service.vault import ImportMoved, KeyAccess, LineRefused, Sameness, content_id, pieces

LINES: Final = 2_000
"""Of a piece, at most: its subjects are locked while it is stored."""
ATTEMPTS: Final = 20
"""So often a piece begins again because others wrote the same at the same time."""

Read = Callable[[bytes], Understood]
"""Reads a line literally, or raises what stands against it."""


class _NotKept(Exception):
    """Ends the transaction of a dry run."""

    def __init__(self, became: Became) -> None:
        super().__init__()
        self.became = became


class _Piece(Struct, kw_only=True):
    """Lines that were read, and what stands against some of them; each by its place."""

    before: int
    """Lines before it, with those that an earlier attempt had dealt with."""
    done: int
    """Lines by its end."""
    seen: bytes
    """What hashes all of those."""
    blank: frozenset[int]
    refused: dict[int, DomainError]
    claims: dict[int, Sequence[Claim]]
    facts: dict[int, tuple[SubjectId, SubjectFacts]]


class ImportRecords:
    """Store a stream of records, and tell what became of each line.

    While a piece is stored, the next is stored too, up to what must come after the first, and the one after is read.
    """

    def __init__(
        self,
        begin: BeginImport,
        keys: KeyAccess,
        append: AppendChunk,
        put_subject: PutSubject,
        find: Find,
        clock: Clock,
        ahead: Ahead,
        in_turn: InTurn,
    ) -> None:
        self._begin = begin
        self._keys = keys
        self._append = append
        self._put_subject = put_subject
        self._find = find
        self._clock = clock
        self._ahead = ahead
        self._in_turn = in_turn

    async def __call__(
        self,
        lines: AsyncIterator[Sequence[bytes | None]],
        read: Read,
        *,
        import_id: UUID,
        how: bytes,
        facts: bool,
        dry: bool,
        by: Caller,
    ) -> AsyncIterator[list[LineOutcome] | ImportSummary]:
        """Yield the outcomes piece by piece, in the order of the lines, each when it is durable; then the summary.

        `how` is what `read` goes by, and `facts` whether lines say what is known of people as well. With `dry` each
        piece is tried and taken back, so nothing is kept; what a piece would have changed for the next doesn't show.

        Raises:
            ImportDiffers: these are not the lines that were dealt with; before anything was yielded.
            ImportMoved: another connection goes on with it.
            RingUnavailable, Unavailable: what was yielded is stored; go on from there.
        """
        skipped, seen = 0, b""
        if not dry:
            async with self._begin(by.tenant) as tx:
                skipped, seen = await tx.imports.progress(import_id)
        sameness = Sameness(await self._keys.suppression_key(by.tenant), import_id, skipped, seen, how)
        told = _Told()
        store = partial(self._stored, import_id=import_id, facts=facts, dry=dry, by=by)
        async with (
            aclosing(self._ahead(self._read(lines, read, sameness))) as coming,
            aclosing(self._in_turn(partial(store, piece) async for piece in coming)) as stored,
        ):
            async for piece, became in stored:
                told.lines = piece.done
                if became is not None:
                    yield told.of(piece, became)
        yield told.summary(import_id, skipped=min(skipped, told.lines), dry=dry)

    async def _read(
        self, lines: AsyncIterator[Sequence[bytes | None]], read: Read, sameness: Sameness
    ) -> AsyncIterator[_Piece]:
        """Yield the pieces read, without the lines that were dealt with."""
        done = 0
        async for each in pieces(lines, LINES):
            fresh = sameness.after(each)
            done += len(each)
            piece = _Piece(
                before=done - len(fresh),
                done=done,
                seen=sameness.seen(),
                blank=frozenset(number for number, line in enumerate(fresh) if line == b""),
                refused={},
                claims={},
                facts={},
            )
            for number, line in enumerate(fresh):
                if line == b"":
                    continue
                try:
                    if line is None:
                        raise LineRefused("the line is too long")
                    said = read(line)
                except DomainError as error:
                    piece.refused[number] = error
                    continue
                piece.claims[number] = said.claims
                if said.facts is not None:
                    piece.facts[number] = said.facts
            yield piece
        sameness.check()

    async def _stored(
        self, piece: _Piece, turn: Turn, *, import_id: UUID, facts: bool, dry: bool, by: Caller
    ) -> tuple[_Piece, Became | None]:
        if piece.before == piece.done:
            return piece, None
        if piece.facts:  # of one person the last ones stay
            await turn.mine(holding=False)
        await self._know(piece, dry=dry, by=by)
        await self._found(piece, by)
        submissions, derived = await self._submissions(piece, by)
        for attempt in range(ATTEMPTS):
            if attempt:
                await turn.mine(holding=False)
            try:
                async with self._begin(by.tenant) as tx:
                    now = self._clock()
                    became = await self._append(
                        tx,
                        submissions,
                        import_id=import_id,
                        derived=derived,
                        signals=not facts,
                        now=now,
                        by=by,
                        held=turn.ready,
                    )
                    if dry:
                        raise _NotKept(became)
                    await turn.mine(holding=True)
                    if not await tx.imports.advance(import_id, piece.before, piece.done, piece.seen, now):
                        raise ImportMoved("another connection goes on with this import")
                    return piece, became
            except _NotKept as tried:
                return piece, tried.became
            except Unavailable as error:
                # The first time it may have waited for the one before, longer than PostgreSQL lets anybody wait.
                if attempt and not isinstance(error, Contended):
                    raise
        raise Unavailable("too many write the same records at once; asking again is safe")

    async def _know(self, piece: _Piece, *, dry: bool, by: Caller) -> None:
        """Store what is known about people: before their records, and safe to repeat."""
        for number, (subject, facts) in ({} if dry else piece.facts).items():
            try:
                await self._put_subject(subject, facts, by=by)
            except Unavailable:
                raise
            except DomainError as error:
                piece.refused[number] = error

    async def _found(self, piece: _Piece, by: Caller) -> None:
        """Put the ids of people in the place of their addresses, which go no further."""
        wanted: list[tuple[str, Any]] = []
        lines: list[int] = []
        for number, claims in piece.claims.items():
            if claims and (find := claims[0].find) is not None:
                wanted.append(find)
                lines.append(number)
        if not wanted:
            return
        for number, answer in zip(lines, await self._find(wanted, by=by), strict=True):
            claims = piece.claims.pop(number)
            if isinstance(answer, DomainError):
                piece.refused[number] = answer
            elif not answer:
                piece.refused[number] = AddressUnknown("nobody has this address")
            elif len(answer) > 1:
                piece.refused[number] = AddressShared("several people have this address")
            else:
                piece.claims[number] = [replace(claim, subject=answer[0], find=None) for claim in claims]

    async def _submissions(self, piece: _Piece, by: Caller) -> tuple[dict[int, Sequence[Submission]], frozenset[UUID]]:
        key = await self._keys.suppression_key(by.tenant)
        derived = set()
        submissions: dict[int, Sequence[Submission]] = {}
        for number, claims in piece.claims.items():
            line = []
            for claim in claims:
                if claim.subject is None:
                    raise ValueError("a claim is about somebody")
                record_id = claim.id
                if record_id is None:
                    record_id = content_id(key, claim.content(claim.subject))
                    derived.add(record_id)
                line.append(Submission(id=record_id, subject=claim.subject, statement=claim.statement))
            if line and number not in piece.refused:
                submissions[number] = line
        return submissions, frozenset(derived)


class _Told:
    """Counts what became of the lines."""

    def __init__(self) -> None:
        self.lines = 0
        self._counts = dict.fromkeys(("stored", "known", "refused", "nothing", "blank"), 0)
        self._records = self._shut = 0

    def of(self, piece: _Piece, became: Became) -> list[LineOutcome]:
        told = []
        for number in range(piece.done - piece.before):
            done = self._done(piece, became, number)
            self._counts[done.outcome] += 1
            self._records += done.records or 0
            self._shut += done.code == "refusal_stands"
            told.append(done)
        return told

    @staticmethod
    def _done(piece: _Piece, became: Became, number: int) -> LineOutcome:
        line = piece.before + number + 1
        error = piece.refused.get(number) or became.refused.get(number)
        new = became.new.get(number)
        code, detail = (None, None) if error is None else (error.code, str(error))
        if new:
            return LineOutcome(line=line, outcome="stored", records=new, code=code, detail=detail)
        if error is not None:
            return LineOutcome(line=line, outcome="refused", code=code, detail=detail)
        if number in piece.facts:
            return LineOutcome(line=line, outcome="stored")
        if new is not None:
            return LineOutcome(line=line, outcome="known")
        return LineOutcome(line=line, outcome="blank" if number in piece.blank else "nothing")

    def summary(self, import_id: UUID, *, skipped: int, dry: bool) -> ImportSummary:
        counts = {name: self._counts[name] for name in ("stored", "known", "refused", "nothing")}
        return ImportSummary(
            import_=import_id,
            dry_run=dry,
            lines=self.lines,
            skipped=skipped,
            records=self._records,
            shut=self._shut,
            **counts,
        )
