from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import and_, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.kernel import TenantId
from service.trials.domain import ATTEMPTS, LEASE, Base, Change, Claimed, Period, Plan, Population, State, Trial
from service.trials.tables import policy_trial, policy_trial_change

_UNFINISHED: Final = (State.WAITING.value, State.RUNNING.value)
_SHOWN: Final = [policy_trial.c[name] for name in Trial.__struct_fields__ if name not in {"over", "base"}]
_WORN_OUT: Final = "whoever ran this trial was ended by it"


class _Shown(msgspec.Struct):
    """As much of a plan as is shown."""

    over: Period | Population
    base: Base


_shown: Final = msgspec.json.Decoder(_Shown)
_plan: Final = msgspec.json.Decoder(Plan)


class SqlTrialStore:
    """Keeps trials and what they would change. Never commits: the transaction that built it does."""

    def __init__(self, connection: AsyncConnection, tenant: TenantId) -> None:
        self._connection = connection
        self._tenant = tenant

    async def add(self, trial: UUID, plan: Plan, *, at: datetime, actor: str) -> None:
        await self._connection.execute(
            insert(policy_trial).values(
                tenant=self._tenant,
                id=trial,
                plan=msgspec.json.encode(plan),
                candidate=plan.candidate.name(),
                created_at=at,
                actor=actor,
                state=State.WAITING.value,
            )
        )

    async def unfinished(self) -> int:
        row = policy_trial.c
        counted = await self._connection.scalar(
            select(func.count()).where(row.tenant == self._tenant, row.state.in_(_UNFINISHED))
        )
        return int(counted or 0)

    async def find(self, trial: UUID) -> Trial | None:
        row = policy_trial.c
        found = await self._connection.execute(
            select(*_SHOWN, row.plan).where(row.tenant == self._tenant, row.id == trial)
        )
        known = found.mappings().one_or_none()
        return None if known is None else _trial(known)

    async def latest(self, *, before: UUID | None, limit: int) -> Sequence[Trial]:
        row = policy_trial.c
        wanted = select(*_SHOWN, row.plan).where(row.tenant == self._tenant)
        if before is not None:
            wanted = wanted.where(row.id < before)
        # ids begin with the time
        found = await self._connection.execute(wanted.order_by(row.id.desc()).limit(limit))
        return [_trial(known) for known in found.mappings()]

    async def claim(self, runner: UUID, now: datetime) -> Claimed | None:
        row = policy_trial.c
        forgotten = and_(row.state == State.RUNNING.value, row.beat_at < now - LEASE)
        free = or_(row.state == State.WAITING.value, forgotten)
        while True:
            found = await self._connection.execute(
                select(row.id, row.plan, row.attempts, row.standing)
                .where(row.tenant == self._tenant, free)
                .order_by(row.created_at, row.id)
                .limit(1)
                .with_for_update(skip_locked=True)
            )
            known = found.one_or_none()
            if known is None:
                return None
            if known.attempts < ATTEMPTS:
                break
            await self._set(known.id, state=State.FAILED.value, fault=_WORN_OUT, runner=None, beat_at=now)
        attempts = known.attempts + 1
        await self._set(known.id, state=State.RUNNING.value, runner=runner, beat_at=now, attempts=attempts)
        return Claimed(id=known.id, plan=_plan.decode(known.plan), attempts=attempts, standing=known.standing)

    async def advance(
        self, trial: UUID, runner: UUID, *, standing: bytes, done: int, total: int, now: datetime
    ) -> bool:
        return await self._set(trial, runner, standing=standing, done=done, total=total, beat_at=now)

    async def end(self, trial: UUID, runner: UUID, state: State, fault: str | None, now: datetime) -> bool:
        return await self._set(trial, runner, state=state.value, fault=fault, beat_at=now)

    async def release(self, trial: UUID, runner: UUID) -> None:
        row = policy_trial.c
        await self._set(trial, runner, state=State.WAITING.value, runner=None, attempts=row.attempts - 1)

    async def add_changes(self, trial: UUID, changes: Sequence[Change]) -> None:
        if changes:
            rows = [
                {
                    "tenant": self._tenant,
                    "trial": trial,
                    **msgspec.structs.asdict(change),
                    "rules": list(change.rules),
                }
                for change in changes
            ]
            await self._connection.execute(insert(policy_trial_change), rows)

    async def changes(self, trial: UUID, *, after: UUID | None, limit: int) -> Sequence[Change]:
        row = policy_trial_change.c
        wanted = select(*[row[name] for name in Change.__struct_fields__])
        wanted = wanted.where(row.tenant == self._tenant, row.trial == trial)
        if after is not None:
            wanted = wanted.where(row.id > after)
        found = await self._connection.execute(wanted.order_by(row.id).limit(limit))
        return [Change(**{**known, "rules": tuple(known["rules"])}) for known in found.mappings()]

    async def _set(self, trial: UUID, holder: UUID | None = None, /, **values: Any) -> bool:
        """Change what moves, of a trial in the hands of `holder`; return whether it still is."""
        row = policy_trial.c
        changed = update(policy_trial).where(row.tenant == self._tenant, row.id == trial)
        if holder is not None:
            changed = changed.where(row.runner == holder, row.state == State.RUNNING.value)
        found = await self._connection.execute(changed.values(**values).returning(row.id))
        return found.first() is not None


def _trial(known: Mapping[Any, Any]) -> Trial:
    shown = _shown.decode(known["plan"])
    members = {name: value for name, value in known.items() if name != "plan"}
    return Trial(**{**members, "state": State(known["state"]), "over": shown.over, "base": shown.base})
