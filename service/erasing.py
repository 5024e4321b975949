"""Makes what erases people: the plan and the certificate for the routes, and what carries erasures out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from service.audit import ProveEntry, ReceiptSigner
from service.consent import StoreRecords
from service.decisions import Policy
from service.downstreams import (
    AssignTasks,
    Introduce,
    Introduced,
    Person,
    TaskKind,
    call_off_copies,
    owed,
    settled,
    told,
)
from service.erasures import (
    Answers,
    Connected,
    ErasureTransaction,
    Outcome,
    Planner,
    ReadCertificate,
    ReadPlan,
    RunErasure,
)
from service.erasures.artefacts import read_grounds
from service.kernel import Caller, Clock, Handle, NewId, SubjectId, TenantId
from service.requests import Right, Statutes
from service.transaction import Begin
from service.vault import Forget, KeyAccess, OpenValues
from service.vault.envelope import unseal

_OF_CALIFORNIA: Final = frozenset({"CCPA", "DELETE_ACT"})
"""The laws that OpenDSR calls `ccpa`."""


class Known:
    """The connected systems of a tenant that take the task to erase, to be looked at."""

    async def systems(self, tx: ErasureTransaction) -> Sequence[str]:
        return await told(tx, TaskKind.ERASE)

    async def settled(self, tx: ErasureTransaction, request: UUID) -> Sequence[Outcome]:
        return [
            Outcome(system=each.system, state=each.state, ground=each.ground, at=each.at)
            for each in await settled(tx, request)
            if each.kind is TaskKind.ERASE
        ]


class Systems(Known):
    """The same, to be told as well."""

    def __init__(self, introduce: Introduce, assign: AssignTasks, law: Statutes, clock: Clock) -> None:
        self._introduce = introduce
        self._assign = assign
        self._law = law
        self._clock = clock

    async def owed(self, tx: ErasureTransaction, handles: Sequence[Handle]) -> bool:
        return await owed(tx, handles)

    async def forget(self, tx: ErasureTransaction, handles: Sequence[Handle], *, by: Caller) -> None:
        await call_off_copies(tx, handles, self._clock, by=by)

    async def introduce(self, tenant: TenantId, handles: Sequence[Handle], *, by: Caller) -> Introduced:
        return await self._introduce(tenant, [TaskKind.ERASE], handles, by=by)

    async def assign(
        self,
        tx: ErasureTransaction,
        request: UUID,
        handle: Handle,
        subjects: Sequence[SubjectId],
        introduced: Introduced,
        law: str,
        *,
        by: Caller,
    ) -> Sequence[UUID]:
        person = Person(
            subjects=tuple(subjects),
            identities=introduced.identities,
            regulation="ccpa" if law in _OF_CALIFORNIA else "gdpr",
        )
        tells = self._law.rights.tells(law, Right.ERASURE)
        return [
            task
            for kind in {each.kind for each in tells}
            for task in await self._assign(tx, introduced.key, request, handle, kind, person, by=by)
        ]


def planner(build: Path, policy: Policy, law: Statutes, known: Answers) -> Planner:
    """Return what plans erasures by the tables in the folder `build`."""
    return Planner(law, read_grounds(build), policy.revision, known)


def shown(
    begin: Begin,
    plan: Planner,
    known: Answers,
    prove: ProveEntry,
    sign: ReceiptSigner,
    log: str,
    clock: Clock,
) -> dict[str, Any]:
    """Return the dependencies of the routes about erasures."""
    return {
        "read_plan": ReadPlan(begin, plan, known, clock),
        "read_certificate": ReadCertificate(begin, prove, sign, log, clock),
    }


def carried_out(
    begin: Begin,
    begin_removing: Begin,
    plan: Planner,
    connected: Connected,
    keys: KeyAccess,
    append: StoreRecords,
    clock: Clock,
    new_id: NewId,
) -> RunErasure:
    """Return what goes on with erasures. `begin_removing` has the rights of the worker."""
    forget, open_values = Forget(begin, keys, unseal, clock), OpenValues(begin, keys, unseal, clock)
    return RunErasure(begin, begin_removing, plan, connected, forget, open_values, append, clock, new_id)
