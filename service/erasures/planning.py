"""What an erasure of somebody would do, as they stand."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from service.consent import StoredRecord
from service.erasures.domain import Going, Plan, Proof, Staying
from service.erasures.grounds import Grounds
from service.erasures.ports import Answers, ErasureTransaction
from service.kernel import Handle
from service.requests import Request, Statutes, handles_of, standing_against

RECORDS = "records"


class Planner:
    """Makes plans. The same person as they stand, under the same policy, gets the same plan."""

    def __init__(self, statutes: Statutes, grounds: Grounds, revision: str, known: Answers) -> None:
        """`revision` is that of the policy whose tables these are."""
        self._statutes = statutes
        self._grounds = grounds
        self._revision = revision
        self._known = known

    async def __call__(self, tx: ErasureTransaction, request: Request, now: datetime) -> Plan:
        handles = await handles_of(tx, request.handle)
        counts = dict(await tx.erasures.counts(handles))
        proofs = self._grounds.proving(await _residence(tx, handles))
        kept = kept_by(proofs, await histories(tx, handles), now)
        counts[RECORDS] -= len(kept)
        stays = [
            *self._grounds.staying(request.law),
            *(_of_records(proof, kept, now) for proof in _used(proofs, kept, now)),
        ]
        return Plan(
            request=request.id,
            law=request.law,
            citation=self._statutes.entitlement(request).citation,
            policy_revision=self._revision,
            goes=tuple(Going(what=what, count=count) for what, count in counts.items()),
            stays=tuple(stays),
            proofs=proofs,
            against=tuple(self._grounds.against(one.ground, one.hold) for one in await standing_against(tx, handles)),
            systems=tuple(await self._known.systems(tx)),
        )

    async def replayed(self, tx: ErasureTransaction, request_id: UUID, handles: Sequence[Handle]) -> Plan:
        """Return by what somebody is erased again of whose request nothing is known any more."""
        proofs = self._grounds.proving(await _residence(tx, handles))
        return Plan(
            request=request_id,
            law="",
            citation="",
            policy_revision=self._revision,
            goes=(),
            stays=(),
            proofs=proofs,
            against=(),
            systems=(),
        )


async def histories(tx: ErasureTransaction, handles: Iterable[Handle]) -> Sequence[StoredRecord]:
    """Return the records under all handles of a person."""
    return [record for handle in handles for record in await tx.records.history(handle)]


def kept_by(proofs: Sequence[Proof], records: Iterable[StoredRecord], now: datetime) -> Sequence[StoredRecord]:
    """Return the records that a law has kept at an instant."""
    return [record for record in records if any(_covers(proof, record, now) for proof in proofs)]


def kept_until(proofs: Sequence[Proof], kept: Iterable[StoredRecord], now: datetime) -> datetime | None:
    """Return when the first of the records that stay may go."""
    ends = (max(proof.ends(record.received_at) for proof in proofs if _covers(proof, record, now)) for record in kept)
    return min(ends, default=None)


def _covers(proof: Proof, record: StoredRecord, now: datetime) -> bool:
    said = record.statement
    channels = said.channel if isinstance(said.channel, tuple) else (said.channel,)
    return proof.covers(said.action, channels, record.received_at, now)


def _used(proofs: Sequence[Proof], kept: Sequence[StoredRecord], now: datetime) -> Sequence[Proof]:
    return [proof for proof in proofs if any(_covers(proof, record, now) for record in kept)]


def _of_records(proof: Proof, kept: Sequence[StoredRecord], now: datetime) -> Staying:
    last = max(proof.ends(record.received_at) for record in kept if _covers(proof, record, now))
    return Staying(what=RECORDS, rule=proof.rule, citation=proof.citation, until=f"{last:%F}")


async def _residence(tx: ErasureTransaction, handles: Sequence[Handle]) -> str | None:
    for subject in (await tx.subjects.names(handles)).values():
        known = await tx.subjects.find(subject)
        return None if known is None else known.facts.residence
    return None
