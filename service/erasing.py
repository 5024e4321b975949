"""Makes what erases people: the plan and the certificate for the routes, and what carries erasures out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from service.audit import ProveEntry, ReceiptSigner
from service.consent import AppendRecords
from service.decisions import Policy
from service.erasures import Connected, ErasureTransaction, Outcome, Planner, ReadCertificate, ReadPlan, RunErasure
from service.erasures.artefacts import read_grounds
from service.kernel import Caller, Clock, Handle, NewId, SubjectId, TenantId
from service.requests import Statutes
from service.transaction import Begin
from service.vault import Forget, KeyAccess, OpenValues
from service.vault.envelope import unseal


class Nobody:
    """No connected system: nobody is told, and nobody owes an answer."""

    async def ready(self, tenant: TenantId) -> None:
        return

    async def systems(self, tx: ErasureTransaction) -> Sequence[str]:
        return ()

    async def assign(
        self, tx: ErasureTransaction, request: UUID, handle: Handle, subjects: Sequence[SubjectId], *, by: Caller
    ) -> Sequence[UUID]:
        return ()

    async def settled(self, tx: ErasureTransaction, request: UUID) -> Sequence[Outcome]:
        return ()


def planner(build: Path, policy: Policy, law: Statutes, connected: Connected) -> Planner:
    """Return what plans erasures by the tables in the folder `build`."""
    return Planner(law, read_grounds(build), policy.revision, connected)


def shown(
    begin: Begin,
    plan: Planner,
    connected: Connected,
    prove: ProveEntry,
    sign: ReceiptSigner,
    log: str,
    clock: Clock,
) -> dict[str, Any]:
    """Return the dependencies of the routes about erasures."""
    return {
        "read_plan": ReadPlan(begin, plan, connected, clock),
        "read_certificate": ReadCertificate(begin, prove, sign, log, clock),
    }


def carried_out(
    begin: Begin,
    begin_removing: Begin,
    plan: Planner,
    connected: Connected,
    keys: KeyAccess,
    append: AppendRecords,
    clock: Clock,
    new_id: NewId,
) -> RunErasure:
    """Return what goes on with erasures. `begin_removing` has the rights of the worker."""
    forget, open_values = Forget(begin, keys, unseal, clock), OpenValues(begin, keys, unseal, clock)
    return RunErasure(begin, begin_removing, plan, connected, forget, open_values, append, clock, new_id)
