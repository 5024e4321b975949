"""Import values: a line each, stored in pieces, each piece with how far the import has got by then.

Whoever was cut off sends the same lines again under the same id. Those that were dealt with are skipped, so nothing
is stored twice, and nothing is left out. That they are the same is seen by a keyed hash of them, kept with the count.
"""

import hashlib
import hmac
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, Final
from uuid import UUID

from msgspec import Struct, field

from service.kernel import Ahead, Caller, DomainError, InTurn, NewSubjectRef, SubjectId, Turn, Unavailable
from service.vault.blind import lines_mark
from service.vault.domain import HashKey
from service.vault.fields import Name, ValueName
from service.vault.ports import KeyAccess
from service.vault.usecases import Fields
from service.vault.value_ports import BeginValues, Normalise
from service.vault.values import Write, Written
from service.vault.writing import Outcome, Part, WriteValues

LINES: Final = 500
"""Of a piece, at most."""
BYTES: Final = 4 * 1024 * 1024
"""Of the lines of a piece, about."""


class Line(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A value of a person."""

    subject: NewSubjectRef
    field: ValueName
    value: Any

    def __repr__(self) -> str:
        return "Line(hidden)"


class LineRefused(DomainError):
    """A line is not what it should be."""

    code = "line_refused"


class ImportDiffers(DomainError):
    """Other lines were sent under the id of this import. None of them was skipped or stored."""

    code = "import_differs"


class Done(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a line."""

    line: int
    """Counted from 1, blank ones too."""
    outcome: str
    """`stored`, `refused`, or `blank`."""
    version: int | None = None
    code: str | None = None
    detail: str | None = None


class Summary(Struct, frozen=True, kw_only=True, tag_field="outcome", tag="done"):
    """The last line: the import has come to its end."""

    import_: UUID = field(name="import")
    lines: int
    skipped: int
    """Lines that an earlier attempt had dealt with."""
    stored: int
    refused: int


class CutOff(Struct, frozen=True, kw_only=True, tag_field="outcome", tag="cut_off"):
    """The last line where a part that is needed went away: what was told before is stored, and nothing after it."""

    code: str
    detail: str


Read = Callable[[bytes], Line]
"""Reads a line literally, or raises `LineRefused`."""


class Checked(Struct, frozen=True, kw_only=True):
    """A piece that was read: what is to be stored, and what stands against the other lines."""

    before: int
    """Lines before it, with those that an earlier attempt had dealt with."""
    done: int
    """Lines by its end."""
    seen: bytes
    """What hashes all of those."""
    outcomes: list[Outcome | None]
    writes: Mapping[int, Write]
    """By the place in the piece."""


class ImportValues:
    """Store a stream of values, and tell what became of each.

    While a piece is stored, the next is prepared, and the one after that is read.
    """

    def __init__(
        self,
        begin: BeginValues,
        keys: KeyAccess,
        fields: Fields,
        normalise: Normalise,
        write: WriteValues,
        ahead: Ahead,
        in_turn: InTurn,
    ) -> None:
        self._begin = begin
        self._keys = keys
        self._fields = fields
        self._normalise = normalise
        self._write = write
        self._ahead = ahead
        self._in_turn = in_turn

    async def __call__(
        self, lines: AsyncIterator[Sequence[bytes | None]], read: Read, *, import_id: UUID, by: Caller
    ) -> AsyncIterator[list[Done] | Summary]:
        """Yield the outcomes piece by piece, in the order of the lines, each when it is durable; then the summary.

        Raises:
            ImportDiffers: these are not the lines that were dealt with; before anything was yielded.
            ImportMoved: another connection goes on with it.
            RingUnavailable, Unavailable: what was yielded is stored; go on from there.
        """
        async with self._begin(by.tenant) as tx:
            skipped, seen = await tx.values.import_done(import_id)
        sameness = Sameness(await self._keys.suppression_key(by.tenant), import_id, skipped, seen)
        done, stored, refused = 0, 0, 0
        async with (
            aclosing(self._ahead(self._checked(lines, read, sameness, by))) as checked,
            aclosing(self._in_turn(partial(self._store, piece, import_id, by) async for piece in checked)) as answers,
        ):
            async for answer in answers:
                done, told = answer
                stored += sum(each.outcome == "stored" for each in told)
                refused += sum(each.outcome == "refused" for each in told)
                if told:
                    yield told
        yield Summary(import_=import_id, lines=done, skipped=min(skipped, done), stored=stored, refused=refused)

    async def _store(self, piece: Checked, import_id: UUID, by: Caller, turn: Turn) -> tuple[int, list[Done]]:
        if piece.before == piece.done:
            return piece.done, []
        part = Part(import_id=import_id, before=piece.before, done=piece.done, seen=piece.seen, by=by, turn=turn)
        written = await self._write(by.tenant, list(piece.writes.values()), part=part)
        outcomes = piece.outcomes
        for number, outcome in zip(piece.writes, written, strict=True):
            outcomes[number] = outcome
        return piece.done, [_told(piece.before + number, outcome) for number, outcome in enumerate(outcomes, start=1)]

    async def _checked(
        self, lines: AsyncIterator[Sequence[bytes | None]], read: Read, sameness: "Sameness", by: Caller
    ) -> AsyncIterator[Checked]:
        """Yield the pieces read, without the lines that were dealt with."""
        done = 0
        async for piece in pieces(lines, LINES):
            fresh = sameness.after(piece)
            done += len(piece)
            outcomes: list[Outcome | None] = [None] * len(fresh)
            writes: dict[int, Write] = {}
            for number, line in enumerate(fresh):
                if line == b"":
                    continue
                try:
                    writes[number] = await self._understood(line, read, by)
                except Unavailable:
                    raise
                except DomainError as error:
                    outcomes[number] = error
            yield Checked(before=done - len(fresh), done=done, seen=sameness.seen(), outcomes=outcomes, writes=writes)
        sameness.check()

    async def _understood(self, line: bytes | None, read: Read, by: Caller) -> Write:
        if line is None:
            raise LineRefused("the line is too long")
        said = read(line)
        name = Name.of(said.field)
        known = await self._fields.of(by.tenant, name.field)
        value = self._normalise(known.type, said.value)
        return Write(subject=SubjectId(said.subject), name=name, field=known, value=value, by=by)


class Sameness:
    """Whether the lines that were dealt with are those that come again."""

    def __init__(self, key: HashKey, import_id: UUID, skipped: int, seen: bytes, how: bytes | None = None) -> None:
        """`how` the lines are read belongs to them: read in another way they are others."""
        self._key = key
        self._import_id = import_id
        self._left = skipped
        self._expected = seen
        self._hash = hashlib.sha256()
        if how is not None:
            self._take(how)

    def after(self, piece: Sequence[bytes | None]) -> Sequence[bytes | None]:
        """Return the lines of the next piece that are new.

        Raises:
            ImportDiffers: those before them are others than the last time.
        """
        known, fresh = piece[: self._left], piece[self._left :]
        for line in known:
            self._take(line)
        self._left -= len(known)
        if fresh:
            self.check()
        for line in fresh:
            self._take(line)
        return fresh

    def check(self) -> None:
        """Raises: ImportDiffers: as above, or there are fewer lines than were dealt with."""
        if self._left or (self._expected and not hmac.compare_digest(self.seen(), self._expected)):
            raise ImportDiffers("other lines were sent under this id before", parameters=["import"])
        self._expected = b""

    def seen(self) -> bytes:
        return lines_mark(self._key, self._import_id, self._hash.digest())

    def _take(self, line: bytes | None) -> None:
        """Take a line behind its length, so that no two sequences of lines are the same bytes; -1 is one too long."""
        self._hash.update((-1 if line is None else len(line)).to_bytes(8, signed=True))
        self._hash.update(line or b"")


async def pieces(chunks: AsyncIterator[Sequence[bytes | None]], most: int) -> AsyncIterator[list[bytes | None]]:
    """Yield what is stored together: `most` lines, or fewer that are long. A chunk is what came at once."""
    piece: list[bytes | None] = []
    size = 0
    async for chunk in chunks:
        for line in chunk:
            piece.append(line)
            size += 0 if line is None else len(line)
            if len(piece) == most or size > BYTES:
                yield piece
                piece, size = [], 0
    if piece:
        yield piece


def _told(line: int, outcome: Outcome | None) -> Done:
    if outcome is None:
        return Done(line=line, outcome="blank")
    if isinstance(outcome, Written):
        return Done(line=line, outcome="stored", version=outcome.version)
    return Done(line=line, outcome="refused", code=outcome.code, detail=str(outcome))
