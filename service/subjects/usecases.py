from service.audit import AuditEvent, Draft
from service.events import Event
from service.kernel import Caller, Clock, SubjectId
from service.subjects.domain import Gazetteer, Stored, Subject, SubjectFacts, check_consistency, dated, stored
from service.subjects.ports import Begin
from service.vault import SubjectErased


class PutSubject:
    """Replace what is known about a subject, as a whole, or change nothing."""

    def __init__(self, begin: Begin, clock: Clock, gazetteer: Gazetteer) -> None:
        self._begin = begin
        self._clock = clock
        self._gazetteer = gazetteer

    async def __call__(self, subject: SubjectId, facts: SubjectFacts, *, by: Caller) -> Stored:
        """Store `facts` as a new version; the same facts again stay the version they are.

        Raises:
            UnknownJurisdiction, UnknownZone, ContradictoryFacts: nothing was stored.
            SubjectErased: nor about an id that was erased. Whoever comes back does so under another.
        """
        now = self._clock()
        self._gazetteer.check(facts)
        check_consistency(facts, now)

        async with self._begin(by.tenant) as tx:
            ensured = await tx.subjects.ensure([subject], now)
            before = await tx.subjects.lock(ensured.handles[subject])
            if before.flags.previously_erased:
                raise SubjectErased("who had this id was erased")
            facts = dated(facts, before.facts, now)
            if before.version and facts == before.facts:
                return Stored(subject=before, first=False)

            after = Subject(handle=before.handle, version=before.version + 1, facts=facts)
            await tx.subjects.add_version(after.handle, after.version, facts, now)
            handle = str(after.handle)
            drafts = [stored(after.handle, after.version, facts)]
            if ensured.created:
                drafts.insert(0, Draft(event=AuditEvent.SUBJECT_CREATED, object_id=handle, subject=after.handle))
            await tx.audit.append_many(drafts, by=by)
            await tx.outbox.add(
                [Event(type=each.event.value, object_id=handle, subject=after.handle, at=now) for each in drafts]
            )
        return Stored(subject=after, first=before.version == 0)
