"""What the commands do, one function each: tenants, tokens, checks."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from rich.console import Console
from rich.progress import Progress

from service import app, db
from service.audit import AuditEvent
from service.bridges import known_tenant
from service.consent import RebuildState, UnknownPurpose
from service.databases import connect, migrated, need_owner
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
from service.desk import statutes
from service.kernel import SCOPES, Caller, DomainError, SubjectRef, TenantId, TenantName
from service.opa_process import opa_server
from service.postgres import DatabaseUrls
from service.requests import check_deadlines
from service.requests.artefacts import read_periods
from service.requests.calendar_of import public_holidays
from service.reveals.token import Recipient
from service.settings import InvalidSettings, Settings
from service.transaction import Begin, opener
from service.web.local_issuer import CLIENT, LocalIssuer
from service.web.tokens import SELF

T = TypeVar("T")

STANDARD_INPUT: Final = Path("-")
OPERATOR = "operator"
"""The actor of what is done from the command line."""


class UnknownTenant(DomainError):
    """The installation serves no such tenant."""

    code = "unknown_tenant"


class UnusableName(DomainError):
    """A tenant, subject or scope is not written as it must be."""

    code = "unusable_name"


class UnusableCases(DomainError):
    """A file of cases is empty or can't be read."""

    code = "unusable_cases"


def as_operator(tenant: TenantId) -> Caller:
    return Caller(tenant=tenant, actor=OPERATOR, request=str(app.new_id()))


def add_tenant(settings: Settings, name: str) -> bool:
    """Add a tenant and return whether it was new."""
    tenant = tenant_named(name)
    with migrated(settings) as urls:
        return store_tenant(urls, tenant)


def store_tenant(urls: DatabaseUrls, tenant: TenantId) -> bool:
    async def store(begin: Begin) -> bool:
        async with begin(tenant) as tx:
            if added := await tx.tenants.add():
                await tx.audit.append(event=AuditEvent.TENANT_ADDED, object_id=tenant, by=as_operator(tenant))
            return added

    need_owner(urls)
    return asyncio.run(_within(urls.owner, store))


def place_tenant(settings: Settings, name: str, place: str, time_zone: str) -> bool:
    """Say where a tenant is, by whose days requests are counted; return whether that is news.

    What was received before keeps the place and the zone it was received with.

    Raises:
        UnknownTenant, UnknownPlace, UnknownZone
    """
    tenant = tenant_named(name)
    with migrated(settings) as urls:
        return store_seat(urls, tenant, place, time_zone)


def store_seat(urls: DatabaseUrls, tenant: TenantId, place: str, time_zone: str) -> bool:
    async def store(begin: Begin) -> bool:
        async with begin(tenant) as tx:
            if not await tx.tenants.known():
                raise UnknownTenant(f"there is no tenant {tenant}; `volens tenant list` shows them")
            if moved := await tx.tenants.put_seat(place, time_zone):
                await tx.audit.append(event=AuditEvent.TENANT_PLACED, object_id=tenant, by=as_operator(tenant))
            return moved

    statutes(app.BUILD, read_policy(app.BUILD)).check_seat(place, time_zone)
    need_owner(urls)
    return asyncio.run(_within(urls.owner, store))


def set_erasing(settings: Settings, name: str, *, hides: bool) -> bool:
    """Say whether ids of erased people are hidden from now on; return whether that is news.

    Raises:
        UnknownTenant
    """
    tenant = tenant_named(name)

    async def store(begin: Begin) -> bool:
        async with begin(tenant) as tx:
            if not await tx.tenants.known():
                raise UnknownTenant(f"there is no tenant {name}; `volens tenant list` shows them")
            if moved := await tx.tenants.put_hiding(hides):
                await tx.audit.append(event=AuditEvent.TENANT_ERASING_SET, object_id=tenant, by=as_operator(tenant))
            return moved

    with migrated(settings) as urls:
        need_owner(urls)
        return asyncio.run(_within(urls.owner, store))


def list_tenants(settings: Settings) -> list[str]:
    with migrated(settings) as urls:
        return tenants_of(urls)


def sign_token(
    settings: Settings, name: str, scope: str, subject: str | None, ttl: timedelta, client: str = CLIENT
) -> str:
    """Return a token of the local issuer, and leave an audit entry that it was issued."""
    if not settings.local_issuer:
        raise InvalidSettings("VOLENS_LOCAL_ISSUER is off: the service would not accept a token of the local key")
    tenant, scopes = tenant_named(name), scope.split()
    if not scopes or not set(scopes) <= {*SCOPES, SELF}:
        raise UnusableName(f"scopes are {', '.join(SCOPES)} and {SELF}")
    if (subject is not None) != (SELF in scopes):
        raise UnusableName("--subject and the scope `self` go together")
    if subject is not None:
        written(subject, SubjectRef, "a subject is 1 to 128 of A-Z a-z 0-9 . _ : -")
    written(client, Recipient, "a client is 1 to 128 of A-Z a-z 0-9 . _ : / | -")
    with migrated(settings) as urls:
        return issue_token(settings, urls, tenant, " ".join(scopes), subject, ttl, client)


def issue_token(
    settings: Settings,
    urls: DatabaseUrls,
    tenant: TenantId,
    scope: str,
    subject: str | None,
    ttl: timedelta,
    client: str = CLIENT,
) -> str:
    """Sign what `sign_token` has checked. The entry comes first: no token exists of which the log knows nothing."""
    issuer = LocalIssuer.open(settings.data, settings.audience)
    token_id = app.new_id()

    async def note(begin: Begin) -> None:
        async with begin(tenant) as tx:
            if not await tx.tenants.known():
                raise UnknownTenant(f"there is no tenant {tenant}; `volens tenant add {tenant}` makes it")
            await tx.audit.append(event=AuditEvent.TOKEN_ISSUED, object_id=str(token_id), by=as_operator(tenant))

    asyncio.run(_within(urls.app, note))
    return issuer.sign(
        tenant=tenant,
        scope=scope,
        subject=subject or OPERATOR,
        ttl=ttl,
        now=app.utc_now(),
        new_id=lambda: token_id,
        client=client,
    )


async def rebuild_states(settings: Settings, name: str | None, check: bool, progress_on: Console) -> tuple[int, int]:
    """Fold every history again; return how many subjects were seen and how many states differed."""
    with migrated(settings) as urls:
        tenants = [tenant_named(name)] if name else [TenantId(known) for known in tenants_of(urls)]
        seen = differing = 0
        async with transactions(urls.app) as begin:
            if name and not await known_tenant(begin)(tenants[0]):
                raise UnknownTenant(f"there is no tenant {name}; `volens tenant list` shows them")
            rebuild = RebuildState(begin, read_policy(app.BUILD).vocabulary)
            with Progress(console=progress_on, transient=True, disable=not progress_on.is_terminal) as progress:
                for tenant in progress.track(tenants, description="tenants"):
                    rebuilt = await rebuild(check=check, by=as_operator(tenant))
                    seen += rebuilt.subjects
                    differing += rebuilt.differing
    return seen, differing


def tenants_of(urls: DatabaseUrls) -> list[str]:
    need_owner(urls)
    with connect(urls.owner) as connection:
        return [name for (name,) in connection.execute("SELECT id FROM tenant ORDER BY id")]


def tenants_named(urls: DatabaseUrls, name: str | None) -> list[TenantId]:
    """Return every tenant, or the one of this name.

    Raises:
        UnknownTenant, OwnerNeeded
    """
    known = [TenantId(each) for each in tenants_of(urls)]
    wanted = known if name is None else [tenant_named(name)]
    if not set(wanted) <= set(known):
        raise UnknownTenant(f"there is no tenant {name}; `volens tenant list` shows them")
    return wanted


def shown_policy() -> tuple[str, list[dict[str, object]]]:
    """Return the revision and the rules of the policy that this version ships."""
    rules = msgspec.json.decode((app.BUILD / "rules.json").read_bytes())
    return (app.BUILD / "revision").read_text().strip(), rules


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
    cases, schema = cases_in(file), read_schema(app.FACTS)
    answers: list[tuple[str, Simulated]] = []
    async with _engine(settings, engine) as asked:
        await asked.check()
        law = Law(engine=asked, memo=Memo(asked))
        for case in cases:
            name = str(case["id"])
            question = {member: value for member, value in case.items() if member not in ABOUT}
            try:
                told = msgspec.convert(question, SimulationCreate)
                answer = await simulated(told, law, SHIPPED, mapped=None, now=app.utc_now(), schema=schema)
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
    return check_deadlines(lines, read_periods(app.BUILD), public_holidays)


def lines_in(files: Sequence[Path]) -> list[str]:
    """Return the cases of all files, each as a line.

    Raises:
        UnusableCases: a file is empty or no JSON lines, or there is no file.
    """
    if not files:
        raise UnusableCases("there are no cases to try it by: name files of them with --cases")
    return [msgspec.json.encode(case).decode() for file in files for case in cases_in(file)]


def cases_in(file: Path) -> list[dict[str, object]]:
    """Return the cases in a file, JSON lines or a single object, each with an `id`: where it stands, if it has none.

    The file `-` is standard input.
    """
    cases: list[dict[str, object]] = []
    number, named = 0, "standard input" if file == STANDARD_INPUT else file
    try:
        text = (sys.stdin.buffer.read() if file == STANDARD_INPUT else file.read_bytes()).decode("utf-8")
        with suppress(msgspec.DecodeError):
            text = msgspec.json.encode(msgspec.json.decode(text, type=dict[str, object])).decode()
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                case = msgspec.json.decode(line, type=dict[str, object])
                cases.append({"id": f"{file.name}:{number}", **case})
    except msgspec.DecodeError as error:
        raise UnusableCases(f"{named}, line {number}: no case in JSON. {error}") from error
    except UnicodeDecodeError as error:
        raise UnusableCases(f"{named} is no text in UTF-8") from error
    if not cases:
        raise UnusableCases(f"{named} holds no cases: one a line, in JSON")
    return cases


@asynccontextmanager
async def _engine(settings: Settings, engine: str) -> AsyncIterator[PolicyEngine]:
    policy = read_policy(app.BUILD)
    if engine == "embedded" or settings.opa_url:
        chosen = settings if engine == "opa" else msgspec.structs.replace(settings, opa_url=None)
        async with app.policy_engine(chosen, policy) as asked:
            yield asked
        return
    with opa_server(app.BUILD / "bundle.tar.gz") as url:
        async with app.policy_engine(msgspec.structs.replace(settings, opa_url=url), policy) as asked:
            yield asked


@asynccontextmanager
async def transactions(url: str, *, snapshots: bool = False) -> AsyncIterator[Begin]:
    """Lend what opens transactions. With `snapshots` each sees one instant, whoever writes meanwhile."""
    engine = db.engine(url, size=2)
    seen = engine.execution_options(isolation_level="REPEATABLE READ") if snapshots else engine
    try:
        yield opener(seen, app.utc_now, app.new_id)
    finally:
        await engine.dispose()


async def _within(url: str, work: Callable[[Begin], Awaitable[T]]) -> T:
    async with transactions(url) as begin:
        return await work(begin)


def tenant_named(name: str) -> TenantId:
    written(name, TenantName, "a tenant's name is 1 to 63 lower-case letters, digits and hyphens")
    return TenantId(name)


def written(text: str, kind: object, rule: str) -> None:
    try:
        msgspec.convert(text, kind)
    except msgspec.ValidationError:
        raise UnusableName(rule) from None
