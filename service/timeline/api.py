from collections.abc import Mapping
from typing import Annotated, Any, Final

from litestar import Controller, Request, Response, get
from litestar.di import NamedDependency
from litestar.params import PathParameter, QueryParameter

from service.audit import Position
from service.kernel import Caller, DomainError, Instant, SubjectId
from service.timeline.domain import Kind, Order, Question
from service.timeline.schemas import TimelinePage
from service.timeline.usecases import ReadTimeline
from service.web import pages
from service.web.auth import needs
from service.web.problems import documented

STATUS: Final[Mapping[type[DomainError], int]] = {}

SubjectPath = Annotated[
    str,
    PathParameter(pattern=r"^[A-Za-z0-9._:-]{1,128}$(?!\n)", description="The tenant's own opaque id of the person."),
]
OfKind = Annotated[Kind | None, QueryParameter(name="kind", description="Items of this kind.")]
Since = Annotated[Instant | None, QueryParameter(name="from", description="Items of this instant and later.")]
Until = Annotated[Instant | None, QueryParameter(name="to", description="Items before this instant.")]
Ordered = Annotated[Order, QueryParameter(name="order", description="Which comes first.")]
WithProofs = Annotated[bool, QueryParameter(description="With the proof that each entry is in the signed tree.")]


class TimelineController(Controller):
    """Show everything that happened to one person."""

    path = "/v1/subjects"
    tags = ("Subjects",)

    @get(
        "/{subject:str}/timeline",
        operation_id="readTimeline",
        opt=needs("audit:read", own=True),
        responses=documented(404),
    )
    async def timeline(
        self,
        request: Request[Caller, Any, Any],
        subject: SubjectPath,
        read_timeline: NamedDependency[ReadTimeline],
        kind: OfKind = None,
        since: Since = None,
        until: Until = None,
        order: Ordered = "newest",
        proofs: WithProofs = False,
        cursor: pages.Cursor = None,
        limit: pages.Limit = pages.DEFAULT,
    ) -> Response[TimelinePage]:
        """Read what was recorded, decided, revealed and changed about a person, in one order.

        What was stored under another id before a merge is in it. With their own token people see their own, without
        what is about others too. Follow `Link` until there is none.
        """
        question = Question(subject=SubjectId(subject), kind=kind, since=since, until=until, order=order, proofs=proofs)
        timeline = await read_timeline(
            question, after=pages.position_in(cursor, Position), limit=limit, by=request.user
        )
        return pages.page(request, TimelinePage.of(timeline), timeline.next)
