import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Final, TypeVar

import msgspec

from service.audit import AuditEvent
from service.consent import Profiles, UnknownPurpose, is_tenant_purpose
from service.decisions import (
    NO_OVERLAY,
    DecisionUnavailable,
    InForce,
    Law,
    Laws,
    Memo,
    Overlay,
    Policy,
    overlay_facts,
)
from service.events import Event
from service.kernel import Caller, Clock, TenantId
from service.policies.domain import (
    Activation,
    Artefacts,
    Asked,
    Coming,
    Judgement,
    OverlayLoosens,
    OverlayMoved,
    OverlayUnusable,
    OverlayVersionUnknown,
    Refused,
    Rehearsal,
    Stored,
    Tried,
    faults,
    never_early,
    unmeasured,
)
from service.policies.ports import Begin

REFUSALS: Final = "volens/overlay/refusals"
"""The entrypoint that says what an overlay may not say."""

BATCH: Final = 500
"""Facts that are read, or verdicts that are kept, by one statement."""

T = TypeVar("T")


class CheckOverlay:
    """Refuse what an overlay can't say."""

    def __init__(self, begin: Begin, profiles: Profiles[InForce], laws: Laws, clock: Clock) -> None:
        self._begin = begin
        self._profiles = profiles
        self._laws = laws
        self._clock = clock

    async def __call__(self, overlay: Overlay, *, since: datetime | None = None, by: Caller) -> None:
        """Hold `overlay` against the law that governs, as it is `since` then or, without, now.

        Raises:
            OverlayLoosens, OverlayUnusable, UnknownPurpose: with pointers to what is wrong.
            DecisionUnavailable: the policy can't be asked what it forbids.
        """
        in_force = await self._profiles.governing(by.tenant)
        law = await self._laws.of(in_force.revision)
        on = (since or self._clock()).astimezone(UTC).date()
        for fault, pointers in (
            *faults(overlay, law.policy.data.bands.months),
            *never_early(overlay, _coming(law.policy), on, in_force.overlay.early),
        ):
            raise OverlayUnusable(fault, pointers=pointers)
        await self._refuse_unknown_purposes(overlay, by.tenant)
        if refused := await _refusals(law, overlay):
            rules = sorted({each.rule for each in refused})
            raise OverlayLoosens(
                f"an overlay can't loosen what these rules ask: {', '.join(rules)}",
                pointers=[each.pointer for each in refused],
                rules=rules,
            )

    async def _refuse_unknown_purposes(self, overlay: Overlay, tenant: TenantId) -> None:
        """A purpose that is misspelt would be refused nowhere, and somebody would believe that it is."""
        unknown = [
            f"/denied/{place}/purpose"
            for place, denied in enumerate(overlay.denied)
            if denied.purpose is not None
            and is_tenant_purpose(denied.purpose)
            and await self._profiles.maps_to(tenant, denied.purpose) is None
        ]
        if unknown:
            raise UnknownPurpose("no purpose of this name is registered", pointers=unknown)


class PutOverlay:
    """Replace a tenant's overlay as a whole, or say whether it could be."""

    def __init__(self, begin: Begin, check: CheckOverlay, clock: Clock) -> None:
        self._begin = begin
        self._check = check
        self._clock = clock

    async def __call__(self, overlay: Overlay, *, based_on: int | None, dry_run: bool, by: Caller) -> Stored | Tried:
        """Store `overlay` as a new version; the same again stays the version it is.

        Raises:
            OverlayLoosens, OverlayUnusable, UnknownPurpose: with pointers to what is wrong.
            OverlayMoved: there is a later version than `based_on`.
            DecisionUnavailable: the policy can't be asked what it forbids.
        """
        await self._check(overlay, by=by)
        now = self._clock()
        async with self._begin(by.tenant) as tx:
            current = await tx.overlays.current()
            if based_on is not None and based_on != current.version:
                raise OverlayMoved(f"the overlay is at version {current.version} by now", version=current.version)
            if dry_run:
                return Tried(overlay=overlay)
            if overlay == current.overlay:
                return current
            stored = Stored(version=current.version + 1, overlay=overlay, at=now, actor=by.actor)
            if not await tx.overlays.add(stored.version, overlay, now, by.actor):
                raise OverlayMoved("somebody else stored a version at the same moment", version=stored.version)
            name = f"overlay.{stored.version}"
            await tx.audit.append(
                event=AuditEvent.OVERLAY_STORED,
                object_id=name,
                commitment=hashlib.sha256(msgspec.json.encode(overlay, order="sorted")).digest(),
                by=by,
            )
            await tx.outbox.add([Event(type=AuditEvent.OVERLAY_STORED.value, object_id=name, at=now)])
        return stored


class ReadOverlay:
    """Show the tenant's overlay, or a version of before."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    async def __call__(self, *, version: int | None, by: Caller) -> Stored:
        """Raises: OverlayVersionUnknown"""
        async with self._begin(by.tenant) as tx:
            found = await tx.overlays.current() if version is None else await tx.overlays.version(version)
        if found is None:
            raise OverlayVersionUnknown("there is no such version of the overlay")
        return found


class ReadOverlayVersions:
    """Show every version of the tenant's overlay, the latest first."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    async def __call__(self, *, before: int | None, limit: int, by: Caller) -> tuple[Sequence[Stored], int | None]:
        """Return versions, and before which one to go on if more are there."""
        async with self._begin(by.tenant) as tx:
            found = await tx.overlays.versions(before=before, limit=limit + 1)
        shown = found[:limit]
        return shown, shown[-1].version if len(found) > limit else None


class RehearseRevision:
    """Ask a policy what tenants were lately asked. Stores nothing."""

    def __init__(self, begin: Begin, memo: Memo) -> None:
        self._begin = begin
        self._memo = memo

    async def __call__(
        self, tenants: Iterable[TenantId], *, since: datetime, advanced: Callable[[int, int], None]
    ) -> Mapping[TenantId, Rehearsal]:
        """Return what the policy says for each tenant; `advanced` is told how many facts of how many are judged.

        Raises:
            DecisionUnavailable: it has no verdict on some of the facts.
        """
        asked: dict[TenantId, Sequence[Asked]] = {}
        for tenant in tenants:
            async with self._begin(tenant) as tx:
                asked[tenant] = await tx.recent.asked(tenant, since)
        total, done = sum(map(len, asked.values())), 0
        rehearsed = {}
        for tenant, then in asked.items():
            now: list[Judgement] = []
            for batch in _batches(then):
                now += await self._judge(tenant, [each.facts_hash for each in batch])
                done += len(batch)
                advanced(done, total)
            rehearsed[tenant] = await self._rehearsal(tenant, then, now)
        return rehearsed

    async def _judge(self, tenant: TenantId, hashes: Sequence[bytes]) -> list[Judgement]:
        async with self._begin(tenant) as tx:
            facts = await tx.recent.facts(tenant, hashes)
        judged = [(each, await self._memo.judge(facts[each])) for each in hashes]
        return [Judgement(facts_hash=each, body=now.body, permit=now.verdict.allow) for each, now in judged]

    async def _rehearsal(self, tenant: TenantId, then: Sequence[Asked], now: Sequence[Judgement]) -> Rehearsal:
        async with self._begin(tenant) as tx:
            overlay = (await tx.overlays.current()).overlay
        permits = [(before.permit, after.permit) for before, after in zip(then, now, strict=True)]
        return Rehearsal(
            judgements=tuple(now),
            to_deny=permits.count((True, False)),
            to_permit=permits.count((False, True)),
            unmeasured=unmeasured(overlay, self._memo.policy.data.bands.months),
        )


class ActivateRevision:
    """Let a policy govern all tenants: stored, its verdicts kept, and in each one's audit log, or nothing of it."""

    def __init__(self, begin: Begin, clock: Clock) -> None:
        self._begin = begin
        self._clock = clock

    async def __call__(
        self,
        artefacts: Artefacts,
        rehearsed: Mapping[TenantId, Rehearsal],
        *,
        replaced: Artefacts,
        actor: str,
        by: Sequence[Caller],
    ) -> Activation:
        """Return since when it governs. `by` is who does it, as each tenant's log names them.

        What is `replaced` is kept as well: the one that a version ships is stored nowhere else once
        another version, or `make policy`, has taken its place.
        """
        activation = Activation(revision=artefacts.revision, at=self._clock(), actor=actor)
        # The owner's role sees every tenant, so one transaction reaches all of them.
        async with self._begin(by[0].tenant if by else TenantId("")) as tx:
            await tx.revisions.add(replaced, activation.at)
            await tx.revisions.add(artefacts, activation.at)
            for tenant, rehearsal in rehearsed.items():
                for batch in _batches(rehearsal.judgements):
                    await tx.recent.keep(tenant, artefacts.revision, batch)
            await tx.revisions.activate(activation.revision, activation.at, actor)
            for caller in by:
                await tx.audit.append(event=AuditEvent.POLICY_ACTIVATED, object_id=activation.revision, by=caller)
        return activation


def _batches(all_: Sequence[T]) -> Iterator[Sequence[T]]:
    return (all_[start : start + BATCH] for start in range(0, len(all_), BATCH))


def _coming(policy: Policy) -> Coming:
    return Coming(
        days={name: date.fromisoformat(day) for name, day in policy.data.in_force.items()},
        stricter=frozenset(policy.tables.get("stricter", {}).get("rules", ())),
        rules=frozenset(policy.rules),
    )


async def _refusals(law: Law, overlay: Overlay) -> tuple[Refused, ...]:
    """Ask the policy what the overlay may not say. An empty one says nothing."""
    if overlay == NO_OVERLAY:
        return ()
    facts = overlay_facts(overlay, None)
    if overlay.early:
        facts["early"] = overlay.early  # in the order of the body, into which refusals point
    told = await law.engine.ask(REFUSALS, msgspec.json.encode({"overlay": facts}))
    try:
        return msgspec.convert(told, tuple[Refused, ...])
    except msgspec.ValidationError as error:
        raise DecisionUnavailable("policy engine gave no answer about the overlay") from error
