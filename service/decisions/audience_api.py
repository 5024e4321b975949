from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Final, Protocol

import msgspec
from litestar import Controller, Request, Response, post
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from msgspec import UNSET

from service.audit import harmless
from service.decisions.audience_schemas import (
    AudienceCounts,
    AudienceCreate,
    AudienceCutOff,
    AudienceFailure,
    AudienceMember,
    AudienceSummary,
    Explained,
)
from service.decisions.audiences import DecideAudience
from service.decisions.batch_schemas import answer_text
from service.decisions.batches import Part
from service.decisions.context import Context
from service.decisions.domain import DecisionUnavailable
from service.decisions.narrow import NEVER, from_micros
from service.decisions.packed import stem_of
from service.kernel import Caller, SubjectId
from service.web.auth import needs
from service.web.bodies import StrictBody, strictly
from service.web.lines import ARROW, CSV, NDJSON, PartResponse, told
from service.web.problems import ON_FAILURE, Refusal, documented

SAMPLED: Final = 5
"""Of the people whom a rule excludes, so many are shown."""
WRITTEN: Final = 1_000
"""Lines that are sent together."""
_encode: Final = msgspec.json.Encoder().encode

Explain = Annotated[
    Explained | None, QueryParameter(description="Show some of those who are excluded, by rule, in the last line.")
]
People = AsyncIterator[tuple[Sequence[SubjectId], Part]]


class Form(Protocol):
    """How an audience is written: what `instant` and `obligations` return, `member` takes, and `written` the whole."""

    kind: str
    head: bytes

    def instant(self, at: datetime | None) -> Any: ...
    def obligations(self, names: Sequence[str]) -> Any: ...
    def member(self, subject: str, decision: bytes, at: Any, obligations: Any, until: Any) -> Any: ...
    def written(self, members: Sequence[Any]) -> bytes: ...
    def last(self, text: bytes) -> bytes: ...


class _Ndjson:
    kind = NDJSON
    head = b""

    def instant(self, at: datetime | None) -> bytes:
        return _encode(at)

    def obligations(self, names: Sequence[str]) -> bytes:
        return _encode(names)

    def member(self, subject: str, decision: bytes, at: bytes, obligations: bytes, until: bytes) -> bytes:
        parts = (subject.encode(), decision, at, obligations, until)
        return b'{"subject":"%b","id":"%b","at":%b,"obligations":%b,"valid_until":%b}\n' % parts

    def written(self, members: Sequence[bytes]) -> bytes:
        return b"".join(members)

    def last(self, text: bytes) -> bytes:
        return text + b"\n"


class _Csv:
    """Rows (RFC 4180). The last one has no subject, and in `summary` what the last line of JSON says."""

    kind = f"{CSV}; charset=utf-8"
    head = b"subject,id,at,obligations,valid_until,summary\r\n"

    def instant(self, at: datetime | None) -> bytes:
        return b"" if at is None else _encode(at).strip(b'"')

    def obligations(self, names: Sequence[str]) -> bytes:
        return " ".join(names).encode()

    def member(self, subject: str, decision: bytes, at: bytes, obligations: bytes, until: bytes) -> bytes:
        return b"%b,%b,%b,%b,%b,\r\n" % (harmless(subject).encode(), decision, at, obligations, until)

    def written(self, members: Sequence[bytes]) -> bytes:
        return b"".join(members)

    def last(self, text: bytes) -> bytes:
        return b',,,,,"%b"\r\n' % text.replace(b'"', b'""')


class Forms:
    """The forms in which an audience is told here."""

    def __init__(self, arrow: Callable[[], Form] | None) -> None:
        """`arrow` makes that of Arrow, where its extra is installed; it is asked when somebody wants it."""
        self._forms: dict[str, Callable[[], Form]] = {NDJSON: _Ndjson, CSV: _Csv}
        self._forms |= {} if arrow is None else {ARROW: arrow}

    def accepted(self, said: str) -> Form:
        """Return the first that an `Accept` names, or else one that will do.

        Raises:
            Refusal: 406; there is none.
        """
        wanted = [each.partition(";")[0].strip().lower() for each in said.split(",")]
        named = [form for kind in wanted if (form := self._forms.get(kind))]
        willing = [form for kind, form in self._forms.items() if {"*/*", f"{kind.partition('/')[0]}/*"} & set(wanted)]
        for make in (*named, *willing):
            return make()
        lacking = "" if ARROW in self._forms else f" For {ARROW} the server lacks the extra `arrow`."
        raise Refusal("not_acceptable", f"This operation answers in {' or '.join(self._forms)}.{lacking}")


class AudienceController(Controller):
    """Ask who may be contacted."""

    path = "/v1/audiences"
    tags = ("Decisions",)

    @post(
        operation_id="decideAudience",
        opt=needs("audiences")
        | {ON_FAILURE: {"decision": "deny"}}
        | told(AudienceMember, AudienceSummary, AudienceCutOff, also=(CSV, ARROW)),
        responses=documented(404, 406, 409),
        status_code=HTTPStatus.OK,
    )
    async def audience(
        self,
        request: Request[Caller, Any, Any],
        data: StrictBody[AudienceCreate],
        decide_audience: NamedDependency[DecideAudience],
        audience_forms: NamedDependency[Forms],
        explain: Explain = None,
    ) -> Response[bytes]:
        """List who may be contacted or profiled now, out of everybody you know.

        A population is walked in the order of ids and each is decided about as by `POST /v1/decisions/batch`; those who
        may not are left out, and counted by rule in the last line. Every answer is logged before anything of it is
        told. With `Accept: text/csv` the lines are rows, with `application/vnd.apache.arrow.stream` those of record
        batches, where the server has the extra `arrow`. Without the last line the answer is not whole: ask again with
        the last id in `after`.
        """
        form = audience_forms.accepted(request.headers.get("accept", "*/*"))
        question = strictly(data, AudienceCreate)
        people = await decide_audience(
            question.population(),
            after=None if question.after is None else SubjectId(question.after),
            channel=question.channel,
            purpose=question.purpose,
            context=question.context or Context(),
            by=request.user,
        )
        listing = _Listing(form, sampled=explain is Explained.SAMPLE)
        return PartResponse(listing.told(people), {"content-type": form.kind}, was_read=True)


class _Instants(dict[int, Any]):
    """Instants until which answers hold, in a form."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self._form = form

    def __missing__(self, until: int) -> Any:
        told = self[until] = self._form.instant(None if until == NEVER else from_micros(until))
        return told


class _Listing:
    """Writes an audience, and counts who is not in it."""

    def __init__(self, form: Form, *, sampled: bool) -> None:
        self._form = form
        self._sampled = sampled
        self._sample: dict[str, list[str]] = {}
        self._rules: Counter[str] = Counter()
        self._subjects = self._listed = self._unavailable = self._at_length = 0
        self._last: SubjectId | None = None

    async def told(self, people: People) -> AsyncGenerator[bytes]:
        """Yield the lines, some at a time, and an empty part where a chunk has none."""
        yield self._form.head
        try:
            async for subjects, part in people:
                for lines in self._lines(subjects, part):
                    yield lines
        except DecisionUnavailable as error:
            failure = AudienceFailure(code=error.code, detail=str(error), after=self._last or UNSET)
            yield self._form.last(_encode(AudienceCutOff(error=failure)))
            return
        yield self._form.last(_encode(AudienceSummary(summary=self._counts())))

    def _lines(self, subjects: Sequence[SubjectId], part: Part) -> Iterator[bytes]:
        texts = [answer_text(given, part.heading.at) for given in part.answers]
        obligations = [self._form.obligations(given.judged.verdict.obligations) for given in part.answers]
        at, stem, untils = self._form.instant(part.heading.at), stem_of(part.heading.id), _Instants(self._form)
        counted: Counter[int] = Counter()
        members: list[Any] = []
        position = 0
        for subject, each in zip(subjects, part.told, strict=True):
            if each is None:
                self._unavailable += 1
                continue
            if part.answers[each.answer].permit:
                decision = b"%b%06x" % (stem, position)
                members.append(self._form.member(subject, decision, at, obligations[each.answer], untils[each.until]))
            elif self._sampled:
                self._show(subject, texts[each.answer].rules)
            counted[each.answer] += 1
            position += 1
            if len(members) == WRITTEN:
                yield self._form.written(members)
                members.clear()
        for answer, times in counted.items():
            if part.answers[answer].permit:
                self._listed += times
            else:
                self._rules.update(dict.fromkeys(texts[answer].rules, times))
        self._subjects += len(subjects)
        self._at_length += part.at_length
        self._last = subjects[-1]
        yield self._form.written(members)

    def _show(self, subject: SubjectId, rules: Sequence[str]) -> None:
        for rule in rules:
            shown = self._sample.setdefault(rule, [])
            if len(shown) < SAMPLED:
                shown.append(subject)

    def _counts(self) -> AudienceCounts:
        return AudienceCounts(
            subjects=self._subjects,
            listed=self._listed,
            excluded=self._subjects - self._listed - self._unavailable,
            unavailable=self._unavailable,
            rules=dict(sorted(self._rules.items())),
            read_at_length=self._at_length,
            sample={rule: tuple(self._sample[rule]) for rule in sorted(self._sample)} if self._sampled else UNSET,
        )
