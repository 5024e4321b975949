"""`volens policy try`: what a change of policy would do, run in this process and told at its end."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec
from rich.console import Console

from service import app, db, given, operations
from service.bridges import known_tenant
from service.consent.profiles import ProfileReader
from service.databases import migrated
from service.decisions.artefacts import read_policy
from service.kernel import Caller, DomainError, TenantId
from service.laws import activated_laws, policy_engine
from service.policies.governing import Governing
from service.progress import bar
from service.settings import Settings
from service.telemetry import Telemetry
from service.transaction import opener
from service.trials import ReadChanges, ReadTrial, State
from service.trials.schemas import ChangeView, TrialCreate, TrialView

PAGE: Final = 500


class UnusableCandidate(DomainError):
    """A file is no part of a candidate, or the options don't say what to try."""

    code = "unusable_candidate"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """A trial that is over, and what it would change."""

    trial: TrialView
    changes: list[ChangeView]


def candidate(
    overlay: Path | None,
    tables: Sequence[tuple[str, Path]],
    modules: Sequence[tuple[str, Path]],
    over: Mapping[str, Any],
) -> TrialCreate:
    """Return what is to be tried, as the API takes it.

    Raises:
        UnusableCandidate: a file isn't what it should be.
    """
    body: dict[str, Any] = {"over": over}
    if overlay is not None:
        body["overlay"] = _json(overlay)
    if tables:
        body["tables"] = {name: _json(file) for name, file in tables}
    if modules:
        body["modules"] = {name: file.read_text() for name, file in modules}
    try:
        return msgspec.convert(body, TrialCreate)
    except msgspec.ValidationError as error:
        raise UnusableCandidate(str(error)) from None


async def try_policy(settings: Settings, name: str, wanted: TrialCreate, progress_on: Console) -> Outcome:
    """Run a trial to its end. Its result stays stored, like that of one which was asked for through the API.

    Raises:
        UnknownTenant, and whatever `StartTrial` refuses.
    """
    tenant = operations.tenant_named(name)
    by = operations.as_operator(tenant)
    with migrated(settings) as urls:
        async with AsyncExitStack() as stack:
            engine = db.engine(urls.app, size=2)
            stack.push_async_callback(engine.dispose)
            pool = await stack.enter_async_context(db.pool(urls.app, size=2))
            begin = opener(engine, given.utc_now, given.new_id)
            if not await known_tenant(begin)(tenant):
                raise operations.UnknownTenant(f"there is no tenant {name}; `volens tenant list` shows them")
            telemetry = Telemetry(given.utc_now, level="error", stream=sys.stderr.buffer)
            judge = await stack.enter_async_context(policy_engine(settings, read_policy(given.BUILD)))
            laws = activated_laws(judge, stack, settings, engine, telemetry)
            profiles = ProfileReader(pool, Governing())
            start = app.start_trial(settings, engine, profiles, laws, _nobody, given.utc_now)
            run = app.run_trial(settings, engine, pool, given.utc_now)
            read = ReadTrial(begin, given.utc_now, _nobody)
            trial = await start(wanted.candidate(), wanted.over, by=by)
            with bar(progress_on, "asked again") as told:
                while trial.state in {State.WAITING, State.RUNNING}:
                    if not await run(tenant, told):
                        await asyncio.sleep(1)  # another process goes on with it
                    trial = await read(trial.id, by=by)
            return Outcome(trial=TrialView.of(trial), changes=await _all(ReadChanges(begin), trial.id, by))


async def _all(read: ReadChanges, trial: UUID, by: Caller) -> list[ChangeView]:
    found: list[ChangeView] = []
    after: UUID | None = None
    while True:
        changes, people, after = await read(trial, after=after, limit=PAGE, by=by)
        found += [ChangeView.of(each, people=people) for each in changes]
        if after is None:
            return found


def _nobody(tenant: TenantId) -> None:
    """This process goes on with the trial itself."""


def _json(file: Path) -> Any:
    try:
        return msgspec.json.decode(file.read_bytes())
    except msgspec.DecodeError as error:
        raise UnusableCandidate(f"{file} is no JSON. {error}") from error
