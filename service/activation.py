"""`volens policy activate`: another policy governs, once it has shown that it can."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec
from msgspec import Struct
from rich.console import Console

from service import given, laws, opa_process, operations
from service.cases import lines_in
from service.databases import OwnerNeeded, migrated, need_owner
from service.decisions import CheckResult, DecisionUnavailable, Memo, Policy, PolicyEngine, check_cases
from service.decisions.artefacts import read_policy
from service.decisions.policy import policy_data
from service.kernel import DomainError, TenantId, Unavailable
from service.policies import ActivateRevision, Activation, Artefacts, Kept, Rehearsal, RehearseRevision, RevisionDamaged
from service.policies.archive import Built, NoPolicy, read_archive, read_folder
from service.policies.usecases import REFUSALS
from service.postgres import DatabaseUrls
from service.progress import bar
from service.settings import Settings
from service.tenants import NOBODY
from service.transaction import Begin
from service.trials.edges import unseen, untold

SHIPPED: Final = "shipped"
"""Names the policy that this version brings along."""
CASES: Final = given.BUILD.parents[1] / "tests" / "policy" / "cases"
"""The cases that every policy has to pass unless others are named: those of the suite."""


class RevisionUnknown(DomainError):
    """No such policy revision was ever added."""

    code = "revision_unknown"


class RevisionUnusable(DomainError):
    """A policy that can't take traffic: it doesn't load, is damaged, or needs another release."""

    code = "revision_unusable"


class Candidate(Struct, frozen=True, kw_only=True):
    """A policy that is to govern."""

    artefacts: Artefacts
    bundle: bytes | None
    """For OPA servers. The table of revisions doesn't keep it."""


class Failed(Struct, frozen=True, kw_only=True):
    """A case that came out otherwise than it says."""

    case: str
    engines: tuple[str, ...]
    """Those on which it came out like this."""
    differences: tuple[str, ...]


class Outcome(Struct, frozen=True, kw_only=True):
    """What came of an activation, or would have come."""

    revision: str
    activated: bool = False
    governs: bool = False
    """It did before: then nothing is checked, and nothing stored."""
    engines: tuple[str, ...] = ()
    """Those on which the cases were played."""
    cases: int = 0
    failures: tuple[Failed, ...] = ()
    """Where there are any, nothing is activated."""
    facts: int = 0
    """How many different facts the decisions of recent days were made on."""
    to_deny: int = 0
    to_permit: int = 0
    comparable: bool = True
    """False where ages and spans are told by other edges than before: the same people will make other facts."""


class Revisions(Struct, frozen=True, kw_only=True):
    shipped: str
    activations: tuple[Activation, ...]
    """What has governed, the latest first. As long as there is none, the shipped one does."""
    kept: tuple[Kept, ...]
    """What earlier versions shipped, or `make policy` built, and nobody ever activated."""


def keep_shipped(urls: DatabaseUrls) -> None:
    """Store the policy that this version ships, if it isn't yet: `make policy` and the next version replace it.

    Raises:
        RevisionUnusable: it is damaged.
    """
    with suppress(OwnerNeeded):  # then nobody migrated either: there is a schema already, and its owner sees to it
        need_owner(urls)
        asyncio.run(_keep(urls.owner, _shipped().artefacts))


async def _keep(owner: str, shipped: Artefacts) -> None:
    async with operations.transactions(owner) as begin:
        if await _whole(begin, shipped.revision) is None:
            async with begin(NOBODY) as tx:
                await tx.revisions.add(shipped, given.utc_now())


async def revisions(settings: Settings) -> Revisions:
    """Return what governed since when, and by whose hand."""
    with migrated(settings) as urls:
        async with operations.transactions(urls.app) as begin, begin(NOBODY) as tx:
            activations = await tx.revisions.activations()
            never = await tx.revisions.never_activated()
    shipped = read_policy(given.BUILD).revision
    kept = tuple(each for each in never if each.revision != shipped)
    return Revisions(shipped=shipped, activations=tuple(activations), kept=kept)


async def activate(
    settings: Settings, name: str, files: Sequence[Path], days: int, *, dry_run: bool, progress_on: Console
) -> Outcome:
    """Let the policy in a file, a revision of before, or the shipped one govern from the next decision on.

    Raises:
        RevisionUnknown, RevisionUnusable: it can't. Nothing was stored.
        UnusableCases: a file of them is none, or there is none to try it by.
    """
    # What is kept has governed, or came with a version. Cases of today may say what it is to be left for.
    earlier = name.startswith("sha256:") and not files
    lines = [] if earlier else lines_in(files or sorted(CASES.glob("*.jsonl")))
    with migrated(settings) as urls:
        need_owner(urls)
        tenants = [TenantId(each) for each in operations.tenants_of(urls)]
        async with operations.transactions(urls.owner) as begin:
            candidate = await _candidate(begin, name)
            artefacts = candidate.artefacts
            stored = await _whole(begin, artefacts.revision)
            governing = await _governing(begin)
            if governing == artefacts.revision and stored == artefacts:
                return Outcome(revision=artefacts.revision, governs=True)
            replaced = (await _whole(begin, governing) if governing else None) or _shipped().artefacts
            policy, judge = await _loaded(artefacts)
            if (stored or artefacts) != artefacts:
                raise RevisionUnusable(
                    "another module, or other explanations, are stored under this revision; "
                    f"`volens policy activate {artefacts.revision}` takes these"
                )
            played = await _played(candidate, policy, judge, lines)
            outcome = Outcome(
                revision=artefacts.revision,
                engines=tuple(played),
                cases=len(lines),
                failures=_failures(played),
                comparable=_same_edges(replaced, policy),
            )
            if outcome.failures:
                return outcome
            rehearsed = await _rehearsed(begin, judge, tenants, days, progress_on)
            if not dry_run:
                by = [operations.as_operator(tenant) for tenant in tenants]
                await ActivateRevision(begin, given.utc_now)(
                    artefacts, rehearsed, replaced=replaced, actor=operations.OPERATOR, by=by
                )
    return msgspec.structs.replace(
        outcome,
        activated=not dry_run,
        facts=sum(len(each.judgements) for each in rehearsed.values()),
        to_deny=sum(each.to_deny for each in rehearsed.values()),
        to_permit=sum(each.to_permit for each in rehearsed.values()),
    )


async def _candidate(begin: Begin, name: str) -> Candidate:
    if name.startswith("sha256:"):
        try:
            stored = await _stored(begin, name)
        except RevisionDamaged as error:
            raise RevisionUnusable("what is stored under this revision is damaged; its file mends it") from error
        if stored is None:
            raise RevisionUnknown("no policy of this revision is kept; `volens policy revisions` lists them")
        return Candidate(artefacts=stored, bundle=None)
    try:
        built = _shipped() if name == SHIPPED else read_archive(Path(name))
    except NoPolicy as error:
        raise RevisionUnusable(str(error)) from error
    return Candidate(artefacts=built.artefacts, bundle=built.bundle)


def _shipped() -> Built:
    try:
        return read_folder(given.BUILD)
    except NoPolicy as error:
        raise RevisionUnusable(f"what this version ships can't be read: {error}") from error


async def _stored(begin: Begin, revision: str) -> Artefacts | None:
    async with begin(NOBODY) as tx:
        return await tx.revisions.find(revision)


async def _whole(begin: Begin, revision: str) -> Artefacts | None:
    """Return what is stored as a revision, if it isn't damaged."""
    with suppress(RevisionDamaged):
        return await _stored(begin, revision)
    return None


async def _governing(begin: Begin) -> str | None:
    async with begin(NOBODY) as tx:
        activations = await tx.revisions.activations()
        return activations[0].revision if activations else None


def _same_edges(before: Artefacts, policy: Policy) -> bool:
    try:
        then = policy_data(before.data)
    except msgspec.MsgspecError:  # what governs is damaged, which is no fault of what comes
        return False
    same = then.bands == policy.data.bands and then.measures == policy.data.measures
    return same and next(untold(policy.data, then), None) is None


async def _loaded(artefacts: Artefacts) -> tuple[Policy, PolicyEngine]:
    """Return the policy and its embedded engine, which answers at every entry point that decisions need."""
    try:
        policy = laws.policy_in(artefacts, read_policy(given.BUILD))
        if between := next(unseen(policy.tables, policy.data.bands), None):
            raise RevisionUnusable(
                f"facts don't tell {between.pointer} in data.json from its neighbours: `bands` know {between.known}"
            )
        judge = await laws.engine_of(artefacts, policy)
        await judge.ask(REFUSALS, b'{"overlay":{}}')
    except DecisionUnavailable as error:
        raise RevisionUnusable(str(error)) from error
    return policy, judge


async def _played(
    candidate: Candidate, policy: Policy, judge: PolicyEngine, lines: Sequence[str]
) -> Mapping[str, CheckResult]:
    """Play the cases on the embedded engine and, where there is an OPA program and a bundle for it, on a server."""
    played = {"embedded": await check_cases(lines, judge)}
    if candidate.bundle is not None and _has_opa():
        from service.decisions.opa import served  # as in `laws`: who has no server needs not wait for it

        with TemporaryDirectory() as folder:
            bundle = Path(folder) / "bundle.tar.gz"
            bundle.write_bytes(candidate.bundle)
            with opa_process.opa_server(bundle) as url:
                async with served(url, policy, limit=10.0) as remote:
                    await remote.check()
                    played["opa"] = await check_cases(lines, remote)
    return played


def _has_opa() -> bool:
    """Return whether there is an OPA program; one that is named and can't be run is an error."""
    try:
        opa_process.find()
    except Unavailable:
        if os.environ.get("OPA"):
            raise
        return False
    return True


def _failures(played: Mapping[str, CheckResult]) -> tuple[Failed, ...]:
    """Return each case that failed once, with the engines it failed on; twice only if they disagree about it."""
    engines: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for engine, result in played.items():
        for failure in result.failures:
            engines.setdefault((failure.case, failure.differences), []).append(engine)
    return tuple(
        Failed(case=case, engines=tuple(those), differences=differences)
        for (case, differences), those in engines.items()
    )


async def _rehearsed(
    begin: Begin, judge: PolicyEngine, tenants: Sequence[TenantId], days: int, progress_on: Console
) -> Mapping[TenantId, Rehearsal]:
    since = given.utc_now() - timedelta(days=days)
    try:
        with bar(progress_on, "facts of recent days") as advanced:
            rehearsed = await RehearseRevision(begin, Memo(judge))(tenants, since=since, advanced=advanced)
    except DecisionUnavailable as error:
        raise RevisionUnusable(f"it has no verdict on facts of recent days: {error}") from error
    if unmeasured := [tenant for tenant, rehearsal in rehearsed.items() if rehearsal.unmeasured]:
        raise RevisionUnusable(f"it can't measure by `stale_months` in the overlay of {', '.join(unmeasured)}")
    return rehearsed
