from service.audit.domain import Page, Position, Query
from service.audit.ports import Begin, SubjectResolver
from service.kernel import Caller


class ReadEntries:
    """Show what was done, oldest first, a page at a time.

    Pages go by (time, id), so that entries added meanwhile shift nothing. An
    entry whose transaction was still open when its place was read, a moment
    earlier than the newest, can be missed: proof of completeness is the tree's task.
    """

    def __init__(self, begin: Begin, resolve: SubjectResolver) -> None:
        self._begin = begin
        self._resolve = resolve

    async def __call__(self, query: Query, *, after: Position | None, limit: int, by: Caller) -> Page:
        subject = None
        if query.subject is not None:
            subject = await self._resolve(by.tenant, query.subject)
            if subject is None:
                return Page(entries=[], next=None)
        async with self._begin(by.tenant) as tx:
            found = await tx.audit.find(query, subject=subject, after=after, limit=limit + 1)
        entries = found[:limit]
        last = Position(entries[-1].at, entries[-1].id) if len(found) > limit else None
        return Page(entries=entries, next=last)
