"""Erasures for tests: people with something of everything, and what carries erasures out beside the service."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from psycopg_pool import AsyncConnectionPool

from service import given
from service.connecting import assigning
from service.consent import Action, RecordChannel, SettleMerge, Statement, StoreRecords, Submission
from service.decisions.artefacts import read_policy
from service.desk import Safe, desk, statutes
from service.downstreams import Introduced
from service.erasing import Systems, carried_out, planner
from service.erasures import Connected, ErasureTransaction, Outcome, RunErasure, Stage
from service.kernel import Caller, Clock, Handle, NewId, SubjectId, TenantId
from service.requests.case import Said, Via, Wish
from service.requests.lifecycle import Move
from service.requests.rights import Right
from service.settings import Settings
from service.subjects import PutSubject, SubjectFacts
from service.subjects.domain import Gazetteer
from service.teller import introducing
from service.transaction import Begin
from service.vault import BoxKey, MoveValues
from service.vault.domain import Secret
from service.vault.envelope import seal, unseal
from service.vault.fields import BUILT_IN, Name
from service.vault.keys import Keys
from service.vault.ring_file import FileRing
from service.vault.values import Write, Written
from service.vault.writing import WriteValues
from tests.builders import appending

POLICY = read_policy(given.BUILD)
LAW = statutes(given.BUILD, POLICY)
OLD = datetime(2026, 1, 5, 9, tzinfo=UTC)
FACTS = SubjectFacts(residence="DE", birth_date=date(1986, 5, 14))
UNUSED: Any = None
SAFE = Safe(keys=UNUSED, fields=UNUSED, open_values=UNUSED, reveals=UNUSED, nonce=UNUSED)
"""Nobody shows who they are here."""
EVERYWHERE = Gazetteer(places=frozenset({"DE"}), zones=frozenset())


class Answering:
    """Connected systems that answer what a test says."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = list(outcomes)
        self.told: list[tuple[UUID, tuple[str, ...]]] = []

    async def introduce(self, tenant: TenantId, handles: Sequence[Handle], *, by: Caller) -> Introduced:
        return Introduced(key=BoxKey(tenant=tenant, secret=Secret(bytes(32))))

    async def owed(self, tx: ErasureTransaction, handles: Sequence[Handle]) -> bool:
        return False

    async def forget(self, tx: ErasureTransaction, handles: Sequence[Handle], *, by: Caller) -> None:
        return

    async def systems(self, tx: ErasureTransaction) -> Sequence[str]:
        return [outcome.system for outcome in self.outcomes]

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
    """Return what goes on with erasures, as the worker has it, but that systems are told nothing from the vault."""
    keys = Keys(FileRing.open(ring), begin, clock, keep=timedelta(minutes=5))
    introduce = introducing(begin, keys, AsyncConnectionPool(open=False), clock, new_id)
    known = connected or Systems(introduce, assigning(Settings(), clock, new_id), LAW, clock)
    append = StoreRecords(begin, clock, POLICY.vocabulary)
    plan = planner(given.BUILD, POLICY, LAW, known)
    return carried_out(begin, begin_removing, plan, known, keys, append, clock, new_id)


def record(subject: str, action: Action = Action.OPT_IN, *, ts: datetime = OLD, **said: object) -> Submission:
    members = {"channel": RecordChannel.EMAIL, "purpose": "marketing", "method": "double_opt_in", "evidence": "form"}
    statement = Statement(**{"ts": ts, "action": action, **members, **said})  # type: ignore[arg-type]
    return Submission(id=uuid4(), subject=SubjectId(subject), statement=statement)


class People:
    """Makes people, lets things happen to them, and erases them: as clients, officers and the worker do."""

    def __init__(
        self, begin: Begin, begin_removing: Begin, ring: Path, clock: Clock, new_id: NewId, caller: Caller
    ) -> None:
        self.begin = begin
        self.ring = ring
        self.keys = Keys(FileRing.open(ring), begin, clock, keep=timedelta(minutes=5))
        self.begin_removing = begin_removing
        self._clock = clock
        self._new_id = new_id
        self._by = caller
        self._append = appending(begin, clock, POLICY.vocabulary)
        store_records = StoreRecords(begin, clock, POLICY.vocabulary)
        self._front = desk(begin, clock, new_id, LAW, store_records, SAFE, UNUSED)

    async def write(self, subject: str, name: str, value: object, *, reenrol: bool = False) -> object:
        """Put a value into the vault; return what became of that."""
        field = BUILT_IN[Name.of(name).field]
        one = Write(
            subject=SubjectId(subject), name=Name.of(name), field=field, value=value, by=self._by, reenrol=reenrol
        )
        [outcome] = await WriteValues(self.begin, self.keys, seal, self._clock)(self._by.tenant, [one])
        return outcome

    async def say(self, *submissions: Submission) -> None:
        await self._append(submissions, by=self._by)

    async def know(self, subject: str) -> None:
        await PutSubject(self.begin, self._clock, EVERYWHERE)(SubjectId(subject), FACTS, by=self._by)

    async def merge(self, one: str, other: str) -> None:
        settle = SettleMerge(self.begin, MoveValues(self.keys, seal, unseal), self._clock, POLICY.vocabulary)
        await settle(SubjectId(one), SubjectId(other), same=True, facts=None, by=self._by)

    async def whole(self, subject: str) -> Handle:
        """Make somebody with two versions of an address, a name, facts, and three records; return the handle."""
        for name, value in (("email", f"{subject}@old.example"), ("email", f"{subject}@new.example"), ("name", "Ann")):
            assert isinstance(await self.write(subject, name, value), Written)
        await self.know(subject)
        await self.say(
            record(subject), record(subject, channel=RecordChannel.PHONE), record(subject, Action.OBJECT, evidence=None)
        )
        handle = await self.handle(subject)
        assert handle is not None
        return handle

    async def handle(self, subject: str) -> Handle | None:
        async with self.begin(self._by.tenant) as tx:
            return await tx.subjects.handle_of(SubjectId(subject))

    async def acts(self, subject: str) -> set[Action]:
        """Return what the records of somebody amount to."""
        handle = await self.handle(subject)
        if handle is None:
            return set()
        async with self.begin(self._by.tenant) as tx:
            return {act.signature.action for act in (await tx.states.read(handle)).acts}

    async def ask(self, subject: str, law: str | None = None) -> UUID:
        """Ask for an erasure, have it accepted, and have it carried out; return the request."""
        said = Said(via=Via.PORTAL, law=law, place="DE", time_zone="Europe/Berlin")
        wish = Wish(id=self._new_id(), subject=SubjectId(subject), right=Right.ERASURE, said=said)
        seen, _ = await self._front["open_request"](wish, by=self._by)
        for move, reason in ((Move.VERIFY, "staff_decision"), (Move.EXECUTE, None)):
            seen = await self._front["move_request"](
                wish.id, move, version=seen.standing.version, reason=reason, authority=None, by=self._by
            )
        return wish.id

    async def move(self, request: UUID, move: Move, *, version: int, reason: str | None = None) -> None:
        """Move a request on, as staff does."""
        await self._front["move_request"](request, move, version=version, reason=reason, authority=None, by=self._by)

    async def run(self, request: UUID, connected: Connected | None = None) -> Stage:
        """Go on with an erasure, as the worker does."""
        go_on = running(self.begin, self.begin_removing, self.ring, self._clock, self._new_id, connected)
        return await go_on(self._by.tenant, request)

    async def erase(self, subject: str) -> UUID:
        request = await self.ask(subject)
        assert await self.run(request) is Stage.ENDED
        return request
