"""Erasures for tests: people with something of everything, and what carries erasures out beside the service."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from service import app
from service.consent import Action, AppendRecords, RecordChannel, Statement, Submission
from service.decisions.artefacts import read_policy
from service.desk import desk, statutes
from service.erasing import Nobody, carried_out, planner
from service.erasures import Connected, ErasureTransaction, Outcome, RunErasure
from service.kernel import Caller, Clock, Handle, NewId, SubjectId
from service.requests.case import Said, Via, Wish
from service.requests.lifecycle import Move
from service.requests.rights import Right
from service.transaction import Begin
from service.vault.keys import Keys
from service.vault.ring_file import FileRing

POLICY = read_policy(app.BUILD)
LAW = statutes(app.BUILD, POLICY)
OLD = datetime(2026, 1, 5, 9, tzinfo=UTC)


class Answering(Nobody):
    """Connected systems that answer what a test says."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = list(outcomes)
        self.told: list[tuple[UUID, tuple[str, ...]]] = []

    async def systems(self, tx: ErasureTransaction) -> Sequence[str]:
        return [outcome.system for outcome in self.outcomes]

    async def assign(
        self, tx: ErasureTransaction, request: UUID, handle: Handle, subjects: Sequence[SubjectId], *, by: Caller
    ) -> Sequence[UUID]:
        self.told.append((request, tuple(subjects)))
        return [uuid4() for _ in self.outcomes]

    async def settled(self, tx: ErasureTransaction, request: UUID) -> Sequence[Outcome]:
        return self.outcomes if self.told else []


def running(
    begin: Begin,
    begin_removing: Begin,
    ring: Path,
    clock: Clock,
    new_id: NewId,
    connected: Connected | None = None,
) -> RunErasure:
    """Return what goes on with erasures, as the worker has it."""
    known = connected or Nobody()
    keys = Keys(FileRing.open(ring), begin, clock, keep=timedelta(minutes=5))
    append = AppendRecords(begin, clock, POLICY.vocabulary)
    plan = planner(app.BUILD, POLICY, LAW, known)
    return carried_out(begin, begin_removing, plan, known, keys, append, clock, new_id)


def record(subject: str, action: Action = Action.OPT_IN, *, ts: datetime = OLD, **said: object) -> Submission:
    members = {"channel": RecordChannel.EMAIL, "purpose": "marketing", "method": "double_opt_in", "evidence": "form"}
    statement = Statement(**{"ts": ts, "action": action, **members, **said})  # type: ignore[arg-type]
    return Submission(id=uuid4(), subject=SubjectId(subject), statement=statement)


async def executing(
    begin: Begin, clock: Clock, new_id: NewId, by: Caller, subject: str, law: str | None = None
) -> UUID:
    """Ask for an erasure, have it accepted, and have it carried out."""
    front = desk(begin, clock, new_id, LAW, AppendRecords(begin, clock, POLICY.vocabulary))
    said = Said(via=Via.PORTAL, law=law, place="DE", time_zone="Europe/Berlin")
    wish = Wish(id=uuid4(), subject=SubjectId(subject), right=Right.ERASURE, said=said)
    seen, _ = await front["open_request"](wish, by=by)
    for move, reason in ((Move.VERIFY, "staff_decision"), (Move.EXECUTE, None)):
        seen = await front["move_request"](
            wish.id, move, version=seen.standing.version, reason=reason, authority=None, by=by
        )
    return wish.id
