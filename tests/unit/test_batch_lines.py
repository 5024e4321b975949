"""What the lines of a batch say, where answers differ in how they are told alone."""

import json
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

from service.decisions.asking import Judged
from service.decisions.batch_api import _Piece, _Written
from service.decisions.batches import Part
from service.decisions.domain import Basis, Verdict
from service.decisions.narrow import NEVER
from service.decisions.packed import Given, Heading, Told
from service.kernel import SubjectId

AT = datetime(2026, 12, 31, 3, tzinfo=UTC)
SHUT = Verdict(allow=False, basis=Basis.NONE, reasons=(), obligations=(), acts=(), closed_hours=True)
HEADING = Heading(
    id=UUID(int=0), channel="call", purpose="marketing", at=AT, revision="r", overlay_version=0, actor="shop"
)


def test_one_instant_is_told_to_each_in_the_offset_of_theirs():
    opening = AT + timedelta(hours=12)
    answers = tuple(
        Given(
            judged=Judged.of(SHUT, bytes([hours])),
            facts=b"",
            retry_after=opening.astimezone(timezone(timedelta(hours=-hours))),
        )
        for hours in (5, 6)
    )
    told = [Told(bytes(15) + bytes([number + 1]), None, number, NEVER) for number in range(2)]
    piece = _Piece()
    piece.subjects = [SubjectId("ann"), SubjectId("ben")]
    part = Part(heading=HEADING, answers=answers, told=told, at_length=0)

    lines = b"".join(_Written(part, piece, 0).lines()).splitlines()

    assert [json.loads(line)["retry_after"] for line in lines] == [
        "2026-12-31T10:00:00-05:00",
        "2026-12-31T09:00:00-06:00",
    ]
