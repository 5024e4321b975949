"""Questions about the law itself: what it says, what one rule says, and what it holds about a place."""

from service.consent import Channel, Profiles, UnknownPurpose, is_tenant_purpose
from service.decisions.asking import answer
from service.decisions.domain import DecisionUnavailable, RuleUnknown, governed_by
from service.decisions.explaining import Coverage, considered, outcomes, weakest
from service.decisions.facts import template
from service.decisions.overlay import InForce
from service.decisions.policy import Policy, RuleNote
from service.decisions.ports import Law, Laws
from service.decisions.simulation import Case, described
from service.kernel import Caller, Clock, TenantId, Unavailable
from service.subjects import SubjectFacts, UnknownJurisdiction


class ReadPolicy:
    """Show the policy that a tenant's decisions are made under."""

    def __init__(self, profiles: Profiles[InForce], laws: Laws) -> None:
        self._profiles = profiles
        self._laws = laws

    async def __call__(self, *, by: Caller) -> Policy:
        law, _ = await _governing(self._profiles, self._laws, by.tenant)
        return law.policy


class ReadRule:
    """Show one rule of that policy."""

    def __init__(self, profiles: Profiles[InForce], laws: Laws) -> None:
        self._profiles = profiles
        self._laws = laws

    async def __call__(self, rule: str, *, by: Caller) -> tuple[RuleNote, Policy]:
        """Return the rule, and the policy it stands in.

        Raises:
            RuleUnknown: there is none with this id.
        """
        law, _ = await _governing(self._profiles, self._laws, by.tenant)
        note = law.policy.rules.get(rule)
        if note is None:
            raise RuleUnknown("the policy in force has no rule with this id")
        return note, law.policy


class ReadCoverage:
    """Say which law applies to a place, a channel and a purpose, and what a stranger of age would get."""

    def __init__(self, profiles: Profiles[InForce], laws: Laws, clock: Clock) -> None:
        self._profiles = profiles
        self._laws = laws
        self._clock = clock

    async def __call__(self, *, residence: str, channel: Channel, purpose: str, by: Caller) -> Coverage:
        """Return what is held about it now.

        Raises:
            UnknownJurisdiction, UnknownPurpose: there is no such place or purpose.
            DecisionUnavailable: nobody can say.
        """
        law, in_force = await _governing(self._profiles, self._laws, by.tenant)
        policy = law.policy
        if residence not in policy.gazetteer.places:
            raise UnknownJurisdiction("no such place; use ZZ when it is unknown", parameters=["residence"])
        mapped = await self._profiles.maps_to(by.tenant, purpose) if is_tenant_purpose(purpose) else None
        now = self._clock()
        stranger = Case(
            channel=channel,
            purpose=purpose,
            jurisdiction=residence,
            subject=SubjectFacts(age=policy.data.bands.ages[-1]),
        )
        try:
            situation = described(stranger, policy, mapped, now, in_force.overlay).situation
        except UnknownPurpose as error:
            raise UnknownPurpose(str(error), parameters=["purpose"]) from None
        answered = await answer(template(situation, policy.data, policy.is_holiday), now, law.memo.judge)
        asked = await considered(law.engine, answered.filled.facts)
        verdict = answered.judged.verdict
        rules = tuple(outcomes(asked, verdict, policy, {}))
        held = all(each.held for each in asked.laws)
        return Coverage(
            laws=asked.laws,
            rules=rules,
            confidence=weakest(each.rule.confidence for each in rules if each.named) if held else None,
            permit=verdict.allow,
            basis=verdict.basis,
            revision=governed_by(policy.revision, in_force.version),
        )


async def _governing(profiles: Profiles[InForce], laws: Laws, tenant: TenantId) -> tuple[Law, InForce]:
    try:
        in_force = await profiles.governing(tenant)
    except Unavailable as error:
        raise DecisionUnavailable(str(error)) from error
    return await laws.of(in_force.revision), in_force
