from collections.abc import Sequence

from service.audit import AuditEvent
from service.exports.domain import Filter, FilterUnknown, Wanted
from service.exports.ports import Begin
from service.kernel import Caller, Clock


class PutFilter:
    """Keep under a name which entries are wanted."""

    def __init__(self, begin: Begin, clock: Clock) -> None:
        self._begin = begin
        self._clock = clock

    async def __call__(self, name: str, wanted: Wanted, *, by: Caller) -> tuple[Filter, bool]:
        """Return the filter, and whether its name was new. The one before is gone. The same again changes nothing."""
        kept = Filter(name=name, wanted=wanted, stored_at=self._clock(), actor=by.actor)
        async with self._begin(by.tenant) as tx:
            before = await tx.exports.filters(name=name)
            if before and before[0].wanted == wanted:
                return before[0], False
            new = await tx.exports.put_filter(kept)
            await tx.audit.append(event=AuditEvent.AUDIT_FILTER_STORED, object_id=name, by=by)
        return kept, new


class ReadFilter:
    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    async def __call__(self, name: str, *, by: Caller) -> Filter:
        """Raises: FilterUnknown"""
        async with self._begin(by.tenant) as tx:
            kept = await tx.exports.filters(name=name)
        if not kept:
            raise FilterUnknown("there is no filter of this name")
        return kept[0]


class ReadFilters:
    """Show the saved filters by their names."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    async def __call__(self, *, after: str | None, limit: int, by: Caller) -> tuple[Sequence[Filter], str | None]:
        """Return filters, and after which one to go on if more are there."""
        async with self._begin(by.tenant) as tx:
            page = await tx.exports.filters(after=after, limit=limit + 1)
        shown = page[:limit]
        return shown, shown[-1].name if len(page) > limit else None


class DropFilter:
    """Forget a filter. Exports that were asked for by it stay as they were asked."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    async def __call__(self, name: str, *, by: Caller) -> None:
        """Raises: FilterUnknown"""
        async with self._begin(by.tenant) as tx:
            if not await tx.exports.drop_filter(name):
                raise FilterUnknown("there is no filter of this name")
            await tx.audit.append(event=AuditEvent.AUDIT_FILTER_DELETED, object_id=name, by=by)
