import hashlib
from typing import Final

import msgspec

from service.audit import AuditEvent
from service.consent import Profiles, UnknownPurpose, is_tenant_purpose
from service.decisions import NO_OVERLAY, DecisionUnavailable, InForce, Law, Laws, Overlay, overlay_facts
from service.events import Event
from service.kernel import Caller, Clock, TenantId
from service.policies.domain import OverlayLoosens, OverlayMoved, OverlayUnusable, Refused, Stored, faults
from service.policies.ports import Begin

REFUSALS: Final = "volens/overlay/refusals"
"""The entrypoint that says what an overlay may not say."""


class PutOverlay:
    """Replace a tenant's overlay as a whole, or say what would come of it."""

    def __init__(self, begin: Begin, profiles: Profiles[InForce], laws: Laws, clock: Clock) -> None:
        self._begin = begin
        self._profiles = profiles
        self._laws = laws
        self._clock = clock

    async def __call__(self, overlay: Overlay, *, based_on: int | None, dry_run: bool, by: Caller) -> Stored:
        """Store `overlay` as a new version; the same again stays the version it is.

        Raises:
            OverlayLoosens, OverlayUnusable, UnknownPurpose: with pointers to what is wrong.
            OverlayMoved: there is a later version than `based_on`.
            DecisionUnavailable: the policy can't be asked what it forbids.
        """
        law = await self._laws.of((await self._profiles.governing(by.tenant)).revision)
        for fault, pointers in faults(overlay, law.policy.data.bands.months):
            raise OverlayUnusable(fault, pointers=pointers)
        await self._refuse_unknown_purposes(overlay, by.tenant)
        if refused := await _refusals(law, overlay):
            rules = sorted({each.rule for each in refused})
            raise OverlayLoosens(
                f"an overlay can't loosen what these rules ask: {', '.join(rules)}",
                pointers=[each.pointer for each in refused],
                rules=rules,
            )
        now = self._clock()
        async with self._begin(by.tenant) as tx:
            current = await tx.overlays.current()
            if based_on is not None and based_on != current.version:
                raise OverlayMoved(f"the overlay is at version {current.version} by now", version=current.version)
            if overlay == current.overlay:
                return current
            stored = Stored(version=current.version + 1, overlay=overlay, at=now, actor=by.actor)
            if dry_run:
                return stored
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


class ReadOverlay:
    """Show the tenant's overlay."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    async def __call__(self, *, by: Caller) -> Stored:
        async with self._begin(by.tenant) as tx:
            return await tx.overlays.current()


async def _refusals(law: Law, overlay: Overlay) -> tuple[Refused, ...]:
    """Ask the policy what the overlay may not say. An empty one says nothing."""
    if overlay == NO_OVERLAY:
        return ()
    told = await law.engine.ask(REFUSALS, msgspec.json.encode({"overlay": overlay_facts(overlay, None)}))
    try:
        return msgspec.convert(told, tuple[Refused, ...])
    except msgspec.ValidationError as error:
        raise DecisionUnavailable("policy engine gave no answer about the overlay") from error
