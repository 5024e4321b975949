from collections.abc import Mapping
from typing import Annotated, Any, Final

from litestar import Controller, Request, Response, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from service.audit.domain import AuditEvent, Position, Query
from service.audit.schemas import EntryPage
from service.audit.usecases import ReadEntries
from service.kernel import Caller, DomainError, Instant, SubjectId, SubjectRef, exactly
from service.web import pages
from service.web.auth import needs
from service.web.problems import documented

STATUS: Final[Mapping[type[DomainError], int]] = {}

ActorName = Annotated[str, exactly("[A-Za-z0-9._:@/|-]{1,128}")]
Since = Annotated[Instant | None, QueryParameter(name="from", description="Entries of this instant and later.")]
Until = Annotated[Instant | None, QueryParameter(name="to", description="Entries before this instant.")]
Subject = Annotated[SubjectRef | None, QueryParameter(description="Entries about this subject.")]
Event = Annotated[AuditEvent | None, QueryParameter(description="Entries of this kind.")]
Actor = Annotated[ActorName | None, QueryParameter(description="Entries of what this client did.")]


class AuditController(Controller):
    """Show what was done in the tenant's name."""

    path = "/v1/audit"
    tags = ("Audit",)

    @get(
        "/entries",
        operation_id="readAuditEntries",
        opt=needs("audit:read"),
        responses=documented(),
    )
    async def entries(
        self,
        request: Request[Caller, Any, Any],
        read_entries: NamedDependency[ReadEntries],
        since: Since = None,
        until: Until = None,
        subject: Subject = None,
        event: Event = None,
        actor: Actor = None,
        cursor: pages.Cursor = None,
        limit: pages.Limit = pages.DEFAULT,
    ) -> Response[EntryPage]:
        """Read the log, oldest first.

        Conditions narrow it down; each must hold. A subject nobody knows has
        no entries. Follow `Link` until there is none.
        """
        page = await read_entries(
            Query(
                since=since,
                until=until,
                subject=None if subject is None else SubjectId(subject),
                event=event,
                actor=actor,
            ),
            after=pages.position_in(cursor, Position),
            limit=limit,
            by=request.user,
        )
        return pages.page(request, EntryPage.of(page), page.next)
