"""What the commands do that play cases: against the policy, and against the periods of requests."""

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from service import given
from service.cases import UnusableCases, cases_in
from service.consent import UnknownPurpose
from service.decisions import (
    SHIPPED,
    CheckResult,
    InstantOutOfRange,
    Law,
    Memo,
    PolicyEngine,
    Simulated,
    check_cases,
    simulated,
)
from service.decisions.artefacts import read_policy, read_schema
from service.decisions.cases import ABOUT
from service.decisions.schemas import SimulationCreate
from service.laws import policy_engine
from service.opa_process import opa_server
from service.requests import check_deadlines
from service.requests.artefacts import read_periods
from service.requests.calendar_of import public_holidays
from service.settings import Settings


def shown_policy() -> tuple[str, list[dict[str, object]]]:
    """Return the revision and the rules of the policy that this version ships."""
    rules = msgspec.json.decode((given.BUILD / "rules.json").read_bytes())
    return (given.BUILD / "revision").read_text().strip(), rules


async def play(
    settings: Settings,
    files: Sequence[Path],
    engine: str,
    places: Collection[str] | None = None,
    names: Collection[str] = (),
) -> CheckResult:
    """Play the cases in `files` against an engine; where `places` or `names` are given, only theirs.

    Raises:
        UnusableCases: a file is empty, or no JSON lines, or no case is of any of the places, or
            of one of the names.
        Unavailable: the engine does not answer, or has another policy.
    """
    cases = [case for file in files for case in cases_in(file)]
    if missing := set(names) - {str(case["id"]) for case in cases}:
        raise UnusableCases(f"no case has the id {' or '.join(sorted(missing))}")
    cases = [case for case in cases if not names or str(case["id"]) in names]
    cases = [case for case in cases if places is None or case.get("jurisdiction") in places]
    if not cases:
        raise UnusableCases(f"no case has the jurisdiction {' or '.join(sorted(places or ()))}")
    lines = [msgspec.json.encode(case).decode() for case in cases]
    async with _engine(settings, engine) as asked:
        await asked.check()
        return await check_cases(lines, asked)


async def explain(settings: Settings, file: Path, engine: str) -> list[tuple[str, Simulated]]:
    """Answer the cases in `file` with their explanations, under the policy that this version ships.

    Raises:
        UnusableCases: the file is empty or no JSON, or a case is none that can be asked about.
        Unavailable: the engine does not answer, or has another policy.
    """
    cases, schema = cases_in(file), read_schema(given.FACTS)
    answers: list[tuple[str, Simulated]] = []
    async with _engine(settings, engine) as asked:
        await asked.check()
        law = Law(engine=asked, memo=Memo(asked))
        for case in cases:
            name = str(case["id"])
            question = {member: value for member, value in case.items() if member not in ABOUT}
            try:
                told = msgspec.convert(question, SimulationCreate)
                answer = await simulated(told, law, SHIPPED, mapped=None, now=given.utc_now(), schema=schema)
            except (msgspec.ValidationError, UnknownPurpose, InstantOutOfRange) as error:
                raise UnusableCases(f"{name}: {error}") from error
            answers.append((name, answer))
    return answers


def play_deadlines(files: Iterable[Path]) -> CheckResult:
    """Play the vectors in `files` against the periods that this version ships.

    Raises:
        UnusableCases: a file is empty, or no JSON lines.
    """
    lines = [msgspec.json.encode(vector).decode() for file in files for vector in cases_in(file)]
    return check_deadlines(lines, read_periods(given.BUILD), public_holidays)


@asynccontextmanager
async def _engine(settings: Settings, engine: str) -> AsyncIterator[PolicyEngine]:
    policy = read_policy(given.BUILD)
    if engine == "embedded" or settings.opa_url:
        chosen = settings if engine == "opa" else msgspec.structs.replace(settings, opa_url=None)
        async with policy_engine(chosen, policy) as asked:
            yield asked
        return
    with opa_server(given.BUILD / "bundle.tar.gz") as url:
        async with policy_engine(msgspec.structs.replace(settings, opa_url=url), policy) as asked:
            yield asked
