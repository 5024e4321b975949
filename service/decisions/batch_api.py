import re
from collections import Counter, deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec
from litestar import Controller, Request, Response, post
from litestar.di import NamedDependency
from msgspec import UNSET

from service.decisions.batch_schemas import (
    AnswerText,
    BrokenOff,
    DecisionBatchAnswer,
    DecisionBatchCounts,
    DecisionBatchCreate,
    DecisionBatchFailure,
    DecisionBatchLine,
    DecisionBatchOutcome,
    DecisionBatchSummary,
    Untils,
    answer_text,
)
from service.decisions.batches import DecideBatch, Part
from service.decisions.context import Context
from service.decisions.domain import DecisionUnavailable
from service.decisions.packed import stem_of
from service.kernel import Caller, DomainError, SubjectId, Unavailable
from service.vault import LookupMany
from service.web.auth import needs
from service.web.bodies import strictly
from service.web.faults import Fault
from service.web.lines import LineResponse, Lines, lined
from service.web.problems import ON_FAILURE, Refusal, documented

TOGETHER: Final = 10_000
"""Lines of a chunk, at most. Two are under way at once, and the lines of one may have to wait for the other's."""
_WRITTEN: Final = 1_000
"""Lines that are sent together."""
_SOUGHT: Final = 1_000
"""Values that are looked up together."""
LOOKUP: Final = "vault:lookup"
_encode: Final = msgspec.json.Encoder().encode
_PLAIN: Final = re.compile(rb'(?:\{"subject": ?(?=.*\}$)|(?=.*"$))"([A-Za-z0-9._:-]{1,128})"\}?')
"""Nearly every line. What another says is found out slowly."""
NO: Final[dict[str, Any]] = {ON_FAILURE: {"decision": "deny"}}


class BatchController(Controller):
    """Ask about many people at once."""

    path = "/v1/decisions"
    tags = ("Decisions",)

    @post(
        "/batch",
        operation_id="decideBatch",
        opt=needs("decide")
        | NO
        | lined(DecisionBatchCreate, DecisionBatchLine, DecisionBatchAnswer, DecisionBatchSummary),
        responses=documented(404, 409, 413, 415),
        status_code=HTTPStatus.OK,
    )
    async def batch(
        self,
        request: Request[Caller, Any, Any],
        decide_batch: NamedDependency[DecideBatch],
        find_many: NamedDependency[LookupMany],
    ) -> Response[bytes]:
        """Ask whether many subjects may be contacted or profiled, as a stream of lines.

        The first line is the question, each further one a person: `{"subject": "…"}`, or the id
        as a JSON string; with the scope `vault:lookup` also `{"field": "email", "value": "…"}`, which
        is looked up and audited as a lookup. Each is answered by a line, in the same order, by the law
        of the moment at which its state was read; a line that is no person gets `invalid`, a value of
        nobody or of several people `unidentified`, and neither harms any other.
        Every answer is logged before its line is sent. The last line is the summary: without it
        the answer is not whole, and whoever has no line is denied. Read while you send, since
        what you don't read holds up what you send.
        """
        lines = Lines.of(request)
        question = strictly(await lines.first(), DecisionBatchCreate)
        asked = _Asked(lines, find_many, request.user)
        parts = await decide_batch(
            asked.chunks(),
            channel=question.channel,
            purpose=question.purpose,
            context=question.context or Context(),
            by=request.user,
        )
        return LineResponse(_told(parts, asked))


class _Piece:
    """The lines of a chunk as they came: whom they name, and what is wrong with those that name nobody."""

    def __init__(self) -> None:
        self.subjects: list[SubjectId | None] = []
        self.faults: dict[int, tuple[dict[str, str], ...]] = {}
        self.wanted: dict[int, tuple[str, str]] = {}
        self.unidentified: frozenset[int] = frozenset()


class _Asked:
    """The lines of a batch as they come, chunk by chunk."""

    def __init__(self, lines: Lines, find: LookupMany, by: Caller) -> None:
        self._lines = lines
        self._find = find
        self._by = by
        self.pieces: deque[_Piece] = deque()
        """Those that are being answered."""

    async def chunks(self) -> AsyncIterator[Sequence[SubjectId | None]]:
        async for chunk in self._lines.chunks(TOGETHER):
            piece = _Piece()
            piece.subjects = [self._subject(piece, place, text) for place, text in enumerate(chunk)]
            if piece.wanted:
                await self._identify(piece)
            self.pieces.append(piece)
            yield piece.subjects

    def _subject(self, piece: _Piece, place: int, text: bytes | None) -> SubjectId | None:
        if text is None:
            piece.faults[place] = ({"pointer": "", "detail": "The line is too long"},)
            return None
        if plain := _PLAIN.fullmatch(text):
            return SubjectId(plain[1].decode())
        try:
            line = strictly(text, DecisionBatchLine)
        except Refusal as refusal:
            piece.faults[place] = tuple(map(_fault, refusal.faults))
            return None
        match line.subject, line.field, line.value:
            case str(subject), msgspec.UNSET, msgspec.UNSET:
                return SubjectId(subject)
            case msgspec.UNSET, str(field), str(value):
                if LOOKUP in self._by.scopes:
                    piece.wanted[place] = field, value
                else:
                    piece.faults[place] = ({"pointer": "/field", "detail": f"This needs the scope {LOOKUP} besides"},)
            case _:
                piece.faults[place] = ({"pointer": "", "detail": "A subject is required, or a field and a value"},)
        return None

    async def _identify(self, piece: _Piece) -> None:
        """Put ids in the place of values, which go no further."""
        places, wanted = list(piece.wanted), list(piece.wanted.values())
        nobody = set()
        for start in range(0, len(wanted), _SOUGHT):
            try:
                answers = await self._find(wanted[start : start + _SOUGHT], by=self._by)
            except Unavailable as error:
                raise DecisionUnavailable(str(error)) from error
            for place, answer in zip(places[start:], answers, strict=False):
                if isinstance(answer, DomainError):
                    piece.faults[place] = ({"pointer": "", "detail": str(answer)},)
                elif len(answer) == 1:
                    piece.subjects[place] = answer[0]
                else:
                    nobody.add(place)
                    detail = "Several people have this value" if answer else "Nobody has this value"
                    piece.faults[place] = ({"pointer": "/value", "detail": detail},)
        piece.wanted, piece.unidentified = {}, frozenset(nobody)


def _fault(fault: Fault) -> dict[str, str]:
    return {"pointer": fault.pointer or "", "detail": fault.detail}


class _Written:
    """The answers to one chunk, as lines."""

    def __init__(self, part: Part, piece: _Piece, before: int) -> None:
        self._part = part
        self._piece = piece
        self._number = before
        texts: dict[tuple[bytes, str | None], AnswerText] = {}
        self.texts: list[AnswerText] = []
        for given in part.answers:
            said = given.judged.body_hash, given.opening
            if (text := texts.get(said)) is None:
                text = texts[said] = answer_text(given, part.heading.at)
            self.texts.append(text)
        self.outcomes: Counter[str] = Counter()
        self.answers: Counter[int] = Counter()

    def lines(self) -> Iterator[bytes]:
        """Yield the lines, many at a time."""
        stem, untils, position = stem_of(self._part.heading.id), Untils(), 0
        told, written = iter(self._part.told), list[bytes]()
        for place, subject in enumerate(self._piece.subjects):
            self._number += 1
            each = None if subject is None else next(told)
            if subject is None or each is None:
                written.append(self._without(place, subject))
            else:
                self.answers[each.answer] += 1
                told_to_all = self.texts[each.answer].told
                written.append(
                    b'{"line":%d,%b,"subject":"%b","id":"%b%06x","valid_until":%b}\n'
                    % (self._number, told_to_all, subject.encode(), stem, position, untils[each.until])
                )
                position += 1
            if len(written) == _WRITTEN:
                yield b"".join(written)
                written.clear()
        for answer, times in self.answers.items():
            self.outcomes[self.texts[answer].outcome] += times
        yield b"".join(written)

    def _without(self, place: int, subject: SubjectId | None) -> bytes:
        """Return the line of somebody about whom there is no decision."""
        outcome = DecisionBatchOutcome.UNAVAILABLE
        if subject is None:
            nobody = place in self._piece.unidentified
            outcome = DecisionBatchOutcome.UNIDENTIFIED if nobody else DecisionBatchOutcome.INVALID
        self.outcomes[outcome] += 1
        answer = DecisionBatchAnswer(
            line=self._number, outcome=outcome, subject=subject or UNSET, errors=self._piece.faults.get(place, UNSET)
        )
        return _encode(answer) + b"\n"


async def _told(parts: AsyncIterator[Part], asked: _Asked) -> AsyncGenerator[bytes]:
    """Write each chunk as lines, and the summary."""
    counted: Counter[str] = Counter()
    ruled: dict[str, Counter[str]] = {}
    at_length = 0
    try:
        async for part in parts:
            written = _Written(part, asked.pieces.popleft(), counted.total())
            for lines in written.lines():
                yield lines
            at_length += part.at_length
            counted.update(written.outcomes)
            for answer, times in written.answers.items():
                text = written.texts[answer]
                ruled.setdefault(text.outcome, Counter()).update(dict.fromkeys(text.rules, times))
    except DecisionUnavailable as error:
        failure = DecisionBatchFailure(code=error.code, detail=str(error))
        yield _encode(BrokenOff(error=failure)) + b"\n"
        return
    counts = DecisionBatchCounts(
        lines=counted.total(),
        outcomes=dict(sorted(counted.items())),
        rules={outcome: dict(sorted(ruled[outcome].items())) for outcome in sorted(ruled)},
        read_at_length=at_length,
    )
    yield _encode(DecisionBatchSummary(summary=counts)) + b"\n"
