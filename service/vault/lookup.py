"""Find people by a value, through its blind index: equality only, ids only."""

from collections.abc import Sequence
from typing import Any

from service.audit import AuditEvent, Draft
from service.kernel import Caller, DomainError, SubjectId, TenantId, Unavailable
from service.vault.blind import form, index_digest
from service.vault.ports import KeyAccess
from service.vault.usecases import Fields
from service.vault.value_ports import BeginSearch, Finder, Normalise, Pace
from service.vault.values import FieldNotIndexed, Search, TooManyLookups


class FindHolders:
    """Answer searches together, with one audit entry for each person found, durable before anybody is told."""

    def __init__(self, begin: BeginSearch, keys: KeyAccess) -> None:
        self._begin = begin
        self._keys = keys

    async def __call__(
        self, tenant: TenantId, searches: Sequence[Search]
    ) -> Sequence[Sequence[SubjectId] | DomainError]:
        """Return whom each search found, in the order of their ids.

        Raises:
            RingUnavailable, Unreadable: an index key can't be had.
        """
        index = {name: await self._keys.index_keys(tenant, name) for name in {each.field.name for each in searches}}
        digests = [
            [index_digest(key, each.field.name, form(each.field.type, each.value)) for key in index[each.field.name]]
            for each in searches
        ]
        async with self._begin(tenant) as tx:
            held = await tx.values.holders({digest for each in digests for digest in each})
            found = [{handle for digest in each for handle in held[digest]} for each in digests]
            told = tx.audit.append_each(
                [
                    (search.by, Draft(event=AuditEvent.VAULT_LOOKED_UP, object_id=search.field.name, subject=handle))
                    for search, handles in zip(searches, found, strict=True)
                    for handle in (sorted(handles) if handles else [None])
                ]
            )
            everybody = {handle for each in found for handle in each}
            names, *_ = await tx.together(tx.subjects.names(everybody), told)
        return [sorted(names[handle] for handle in handles if handle in names) for handles in found]


class Lookup:
    """Return the ids of everybody who has a value."""

    def __init__(self, fields: Fields, normalise: Normalise, find: Finder, pace: Pace) -> None:
        self._fields = fields
        self._normalise = normalise
        self._find = find
        self._pace = pace

    async def __call__(self, field: str, value: Any, *, by: Caller) -> Sequence[SubjectId]:
        """Whoever was erased is not found. Every lookup is audited, with whom it found.

        Raises:
            FieldUnknown, FieldNotIndexed, ValueRefused, RingUnavailable
            TooManyLookups: tells after how many seconds to ask again.
        """
        if seconds := await self._pace(by):
            raise TooManyLookups("the client looked up too often", after=seconds)
        known = await self._fields.of(by.tenant, field)
        if not known.indexed:
            raise FieldNotIndexed("nobody can be found by this field", pointers=["/field"])
        return await self._find(Search(field=known, value=self._normalise(known.type, value), by=by))


class LookupMany:
    """Return the ids of everybody who has one of many values: for whoever brings a file of them.

    Nobody's pace holds it up. Each lookup is audited, as any.
    """

    def __init__(self, fields: Fields, normalise: Normalise, find: FindHolders) -> None:
        self._fields = fields
        self._normalise = normalise
        self._find = find

    async def __call__(
        self, wanted: Sequence[tuple[str, Any]], *, by: Caller
    ) -> Sequence[Sequence[SubjectId] | DomainError]:
        """Return whom each field and value found, or what stands against looking for it.

        Raises:
            RingUnavailable, Unreadable, Unavailable
        """
        found: list[Sequence[SubjectId] | DomainError] = []
        searches: dict[int, Search] = {}
        for number, (field, value) in enumerate(wanted):
            found.append([])
            try:
                known = await self._fields.of(by.tenant, field)
                if not known.indexed:
                    raise FieldNotIndexed("nobody can be found by this field")
                searches[number] = Search(field=known, value=self._normalise(known.type, value), by=by)
            except Unavailable:
                raise
            except DomainError as error:
                found[number] = error
        if searches:
            answers = await self._find(by.tenant, list(searches.values()))
            for number, answer in zip(searches, answers, strict=True):
                found[number] = answer
        return found
