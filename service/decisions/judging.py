"""What the policy says about one person of whom everything was read: the ordinary way."""

from zoneinfo import ZoneInfo

from service.consent import Profile, State, state_at
from service.decisions.asking import Answer, answer
from service.decisions.clocks import Zones
from service.decisions.context import Context
from service.decisions.domain import Question
from service.decisions.facts import Situation, template
from service.decisions.overlay import Overlay
from service.decisions.policy import Policy
from service.decisions.ports import Begin, Law
from service.kernel import SubjectId, TenantId
from service.subjects import NO_FACTS, NO_FLAGS, UnknownZone


class Judge:
    """Makes a situation of what is known, and asks about it."""

    def __init__(self, begin: Begin, shipped: Policy) -> None:
        self._begin = begin
        self._shipped = shipped

    async def situation(
        self,
        question: Question,
        subject: SubjectId,
        profile: Profile | None,
        plausible: tuple[ZoneInfo, ...],
        overlay: Overlay,
        tenant: TenantId,
    ) -> Situation:
        facts = NO_FACTS if profile is None else profile.facts
        return Situation(
            question=question,
            subject=subject,
            facts=facts,
            flags=NO_FLAGS if profile is None else profile.flags,
            state=State() if profile is None else await self._state(question, subject, profile, tenant),
            zones=Zones(known=self.zone(facts.time_zone), plausible=plausible),
            overlay=overlay,
        )

    async def _state(self, question: Question, subject: SubjectId, profile: Profile, tenant: TenantId) -> State:
        """Return the state that answers about `question.at`.

        The stored one forgets a permission that a newer one outshines. A question about
        an instant before the newest is answered from the history.
        """
        newest = profile.state.newest
        if newest is None or question.at >= newest:
            return profile.state
        async with self._begin(tenant) as tx:
            history = await tx.records.history(profile.handle)
        return state_at([stored.of(subject) for stored in history], self._shipped.vocabulary, question.at)

    async def __call__(self, law: Law, situation: Situation, tenant: TenantId) -> Answer:
        """Raises: DecisionUnavailable: nobody can say."""

        async def recall(revision: str, facts_hash: bytes) -> bytes | None:
            async with self._begin(tenant) as tx:
                return await tx.decisions.verdict(revision, facts_hash)

        asked = template(situation, law.policy.data, law.policy.is_holiday)
        return await answer(asked, situation.question.at, lambda facts: law.memo.judge(facts, recall))

    def zone(self, name: str | None) -> ZoneInfo | None:
        """Return a person's zone. One that has left the database since it was stored is unknown."""
        return ZoneInfo(name) if name is not None and name in self._shipped.gazetteer.zones else None


def plausible_in(context: Context, policy: Policy) -> tuple[ZoneInfo, ...]:
    zones = context.plausible_time_zones or []
    for number, name in enumerate(zones):
        if name not in policy.gazetteer.zones:
            raise UnknownZone("no such time zone", pointers=[f"/context/plausible_time_zones/{number}"])
    return tuple(ZoneInfo(name) for name in zones)
