"""Composition root of `volens serve`: every part is made here, and handed to the parts that need it."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import uuid_utils
from litestar import Litestar
from psycopg_pool import AsyncConnectionPool
from sqlalchemy.ext.asyncio import AsyncEngine

from service import db, given
from service.ahead import in_turn, one_ahead
from service.audit import ReadEntries, proof_api
from service.audit.holding import LiftHold, PlaceHold, ReadHolds
from service.audit.proving import (
    ProveConsistency,
    ProveEntries,
    ProveEntry,
    ReadCheckpoint,
    ReadLogKeys,
    ReadTiles,
    ReadTimestamp,
)
from service.audit.store import statement as audit_statement
from service.bridges import known_tenant, resolver, sought
from service.bulk import bulk
from service.candidates import Bench, ReadPeople
from service.connecting import connected
from service.consent import (
    AppendRecords,
    PutNotice,
    PutPurpose,
    ReadNotice,
    ReadPurposes,
    ReadRecords,
    ReadSubject,
    SettleMerge,
    StoreRecords,
)
from service.consent import api as consent_api
from service.consent.issuing import ExportReceipt, IssueReceipt, ReadRecord
from service.consent.profiles import ProfileReader
from service.decision_parts import decision_parts
from service.decisions import (
    InForce,
    Laws,
    PolicyEngine,
)
from service.decisions import api as decisions_api
from service.decisions.artefacts import read_policy, read_schema
from service.desk import Safe, couriers, desk, statutes
from service.erasing import Known, planner, shown
from service.export_parts import parts as export_parts
from service.given import new_id, utc_now
from service.grouped import Grouped
from service.kernel import Clock, TenantId
from service.laws import activated_laws, policy_engine
from service.package_parts import parts as package_parts
from service.permit_parts import permit_parts
from service.policies import CheckOverlay, PutOverlay, ReadOverlay, ReadOverlayVersions
from service.policies.governing import Governing
from service.porch import doors, unhurried
from service.postgres import DatabaseUrls
from service.readiness import TOLERATED, active_law, checks
from service.receipt_keys import ReceiptKeys, receipt_keys_file
from service.refused_tokens import telling
from service.requests.identity_ports import Post
from service.reveals import (
    GiveApproval,
    IssueToken,
    ReadApprovals,
    RequestApproval,
    Reveal,
    RevealBatch,
    RevokeToken,
)
from service.reveals import api as reveals_api
from service.reveals.domain import NONCE_BYTES
from service.reveals.log import SqlRevealLog
from service.root_keys import guarded_root_keys, root_uses, vault_keys
from service.routes import CONTROLLERS, STATUSES
from service.settings import Settings
from service.subjects import PutSubject
from service.telemetry import Telemetry
from service.timeline import ReadTimeline
from service.transaction import hot_opener, opener, trip_opener
from service.trials import ReadChanges, ReadTrial, ReadTrials, RunTrial, StartTrial
from service.trials.runner import Runner
from service.trials.shapes import JsonSchemas
from service.vault import FieldsOf, LookupMany, MoveValues, Opening, OpenTogether, OpenValues, Wanted
from service.vault import api as vault_api
from service.vault.envelope import seal, unseal
from service.vault.importing import ImportValues
from service.vault.keys import Keys
from service.vault.lookup import FindHolders, Lookup
from service.vault.normal import normalised
from service.vault.pace import LookupPace
from service.vault.usecases import DeleteValue, Fields, PutField, PutValue, ReadValues
from service.vault.writing import WriteValues
from service.web.auth import Authenticator
from service.web.failures import Failed, FailureCounts
from service.web.health import health
from service.web.keys import KeyRing
from service.web.local_issuer import LocalIssuer
from service.web.site import site
from service.web.tenancy import TenantGate


@asynccontextmanager
async def running(
    settings: Settings,
    urls: DatabaseUrls,
    telemetry: Telemetry,
    *,
    clock: Clock = utc_now,
    shipped: PolicyEngine | None = None,
) -> AsyncIterator[Litestar]:
    """Lend the application with its connections open, and close them behind it.

    `shipped` is an engine of the shipped policy that somebody has already; to make one takes half a second.
    """
    policy = read_policy(given.BUILD)
    async with AsyncExitStack() as stack:
        engine = db.engine(urls.app, size=settings.pool_size)
        stack.push_async_callback(engine.dispose)
        pool = db.pool(urls.app, size=settings.pool_size)
        stack.push_async_callback(pool.close)
        await pool.open()
        ring = await stack.enter_async_context(key_ring(settings, telemetry, clock))
        if shipped is None:
            shipped = await stack.enter_async_context(policy_engine(settings, policy))
        telemetry.policy(policy.revision)
        laws = activated_laws(shipped, stack, settings, engine, telemetry)
        runner = trial_runner(settings, engine, pool, telemetry, clock)
        stack.push_async_callback(runner.stop)
        uses = root_uses(opener(engine, clock, new_id))
        root = await stack.enter_async_context(guarded_root_keys(settings, uses, telemetry.ring_lost))
        keys = vault_keys(settings, root, engine, clock)
        failures = FailureCounts(clock, telemetry.authentication_failed)
        begin = opener(engine, clock, new_id)
        await stack.enter_async_context(telling(failures, begin, known_tenant(begin), new_id))
        post = couriers(settings, clock, telemetry)
        stack.push_async_callback(post.stop)
        yield assemble(settings, engine, pool, ring, laws, runner, keys, telemetry, post, clock, failures)


def assemble(
    settings: Settings,
    engine: AsyncEngine,
    pool: AsyncConnectionPool,
    ring: KeyRing,
    laws: Laws,
    runner: Runner,
    vault_keys: Keys,
    telemetry: Telemetry,
    post: Post,
    clock: Clock = utc_now,
    failed: Failed = lambda *_: None,
) -> Litestar:
    """Return the application over these parts. Opens nothing."""
    begin = opener(engine, clock, new_id)
    policy = laws.shipped.policy
    governing = Governing(lambda revision: telemetry.policy(revision or policy.revision))
    profiles = ProfileReader(pool, governing)
    parts = decision_parts(begin, pool, profiles, governing, laws, read_schema(given.FACTS), telemetry, clock, new_id)
    decide = parts["decide"]
    store_records = StoreRecords(hot_opener(pool, clock, new_id), clock, policy.vocabulary)
    append_records = AppendRecords(Grouped(store_records, weigh=lambda sent: len(sent.submissions)))
    fields = Fields(begin)
    pace = LookupPace(settings.lookups_per_minute, clock)
    find = FindHolders(trip_opener(pool, clock, new_id), vault_keys)
    finder = Grouped(find)
    find_many = LookupMany(fields, normalised, find)
    put_subject = PutSubject(begin, clock, policy.gazetteer)
    lookup = Lookup(fields, normalised, finder, pace)
    write_values = WriteValues(hot_opener(pool, clock, new_id), vault_keys, seal, clock)
    write = Grouped(write_values)
    put_value = PutValue(fields, normalised, write, pace)
    open_values = OpenValues(trip_opener(pool, clock, new_id), vault_keys, unseal, clock)
    reveals = SqlRevealLog(pool, audit_statement, new_id)
    nonce = partial(os.urandom, NONCE_BYTES)
    safe = Safe(keys=vault_keys, fields=fields, open_values=open_values, reveals=reveals, nonce=nonce)
    open_one: Grouped[Wanted, Opening] = Grouped(OpenTogether(open_values))
    prove, read_record = ProveEntry(begin, sought(begin)), ReadRecord(begin)
    receipt_keys = ReceiptKeys(receipt_keys_file(settings), begin, telemetry.receipt_keys_lost)
    permits = permit_parts(settings, begin, decide, receipt_keys, clock, new_id)
    law, systems = statutes(given.BUILD, policy), Known()
    plan = planner(given.BUILD, policy, law, systems)
    counter = desk(begin, clock, new_id, law, store_records, safe, post)
    alone = settings.officer_people_per_hour
    reveal = Reveal(decide, profiles, begin, open_values, open_one, reveals, clock, new_id, nonce, most_alone=alone)
    return site(
        [
            *CONTROLLERS,
            proof_api.WELL_KNOWN,
            health(
                checks(engine, active_law(profiles, governing, laws)),
                telemetry.expose,
                lambda: governing.revision or policy.revision,
                tolerated=TOLERATED,
            ),
        ],
        statuses=STATUSES,
        dependencies={
            "put_subject": put_subject,
            "find_many": find_many,
            **bulk(begin, vault_keys, policy, find_many, put_subject, clock, new_id),
            "read_subject": ReadSubject(begin, policy.vocabulary),
            "append_records": append_records,
            **counter,
            **doors(settings, begin, vault_keys, counter, Lookup(fields, normalised, finder, unhurried), clock, new_id),
            **shown(begin, plan, systems, prove, receipt_keys, settings.log_name, clock),
            **connected(settings, begin, vault_keys, clock, new_id),
            **package_parts(settings, begin, law, vault_keys, clock, new_id),
            "read_records": ReadRecords(begin),
            "settle_merge": SettleMerge(begin, MoveValues(vault_keys, seal, unseal), clock, policy.vocabulary),
            "put_notice": PutNotice(begin, clock),
            "read_notice": ReadNotice(begin),
            "put_purpose": PutPurpose(begin, clock),
            "read_purposes": ReadPurposes(begin),
            **parts,
            **permits,
            "put_overlay": PutOverlay(begin, CheckOverlay(begin, profiles, laws, clock), clock),
            "read_overlay": ReadOverlay(begin),
            "read_overlay_versions": ReadOverlayVersions(begin),
            "start_trial": start_trial(settings, engine, profiles, laws, runner.wake, clock),
            "read_trial": ReadTrial(begin, clock, runner.wake),
            "read_trials": ReadTrials(begin, clock, runner.wake),
            "read_changes": ReadChanges(begin),
            "reveal": reveal,
            "reveal_batch": RevealBatch(decide, profiles, begin, open_values, reveals, clock, new_id, nonce, together),
            "issue_token": IssueToken(profiles, FieldsOf(begin), begin, vault_keys, clock, nonce),
            "revoke_token": RevokeToken(begin, clock),
            "request_approval": RequestApproval(begin, clock, new_id),
            "give_approval": GiveApproval(begin, clock),
            "read_approvals": ReadApprovals(begin, clock),
            "read_entries": ReadEntries(begin, resolver(begin)),
            "read_timeline": ReadTimeline(begin, ProveEntries(begin)),
            "place_hold": PlaceHold(begin, resolver(begin), clock),
            "lift_hold": LiftHold(begin, clock),
            "read_holds": ReadHolds(begin),
            "read_checkpoint": ReadCheckpoint(begin),
            "read_timestamp": ReadTimestamp(begin),
            "prove_entry": prove,
            "issue_receipt": IssueReceipt(begin, read_record, prove, receipt_keys, settings.log_name, clock),
            "export_receipt": ExportReceipt(read_record),
            "prove_consistency": ProveConsistency(begin),
            "read_tiles": ReadTiles(begin),
            "read_log_keys": ReadLogKeys(begin, settings.log_name),
            **export_parts(settings, begin, clock, new_id),
            "put_field": PutField(begin, clock),
            "fields_of": FieldsOf(begin),
            "put_value": put_value,
            "import_values": ImportValues(begin, vault_keys, fields, normalised, write_values, one_ahead, in_turn),
            "lookup": lookup,
            "delete_value": DeleteValue(fields, write),
            "read_values": ReadValues(begin, vault_keys, unseal),
        },
        authenticator=TenantGate(
            Authenticator(ring, clock, audience=settings.audience, failed=failed), known_tenant(begin), failed
        ),
        hot={
            "appendRecords": partial(consent_api.received, append_records),
            "decide": partial(decisions_api.decided, decide, permits["decide_for_permit"]),
            "lookUp": partial(vault_api.found, lookup),
            "putValue": partial(vault_api.stored, put_value),
            "reveal": partial(reveals_api.revealed, reveal),
        },
        observer=telemetry,
        new_id=uuid_utils.uuid7,  # only its text counts, which costs a sixth of that of `new_id`
        body_limit=settings.body_limit,
        at_once=settings.requests_at_once,
        hsts=settings.hsts,
        otlp_endpoint=settings.otlp_endpoint,
    )


def bench(settings: Settings, engine: AsyncEngine) -> Bench:
    """Return where candidates are built."""
    return Bench(given.POLICIES, None if settings.opa_binary is None else Path(settings.opa_binary), engine)


def start_trial(
    settings: Settings,
    engine: AsyncEngine,
    profiles: ProfileReader[InForce],
    laws: Laws,
    wake: Callable[[TenantId], None],
    clock: Clock,
) -> StartTrial:
    """Return what takes trials on."""
    begin = opener(engine, clock, new_id)
    check = CheckOverlay(begin, profiles, laws, clock)
    return StartTrial(
        begin,
        profiles,
        laws,
        check,
        bench(settings, engine),
        JsonSchemas(given.POLICIES / "schemas"),
        clock,
        new_id,
        wake,
    )


def run_trial(settings: Settings, engine: AsyncEngine, pool: AsyncConnectionPool, clock: Clock) -> RunTrial:
    """Return what goes on with trials. It reads people by itself, so that checks don't wait for them."""
    people = ReadPeople(ProfileReader(pool, Governing()))
    return RunTrial(opener(engine, clock, new_id), bench(settings, engine), people, clock, new_id)


def trial_runner(
    settings: Settings, engine: AsyncEngine, pool: AsyncConnectionPool, telemetry: Telemetry, clock: Clock = utc_now
) -> Runner:
    """Return what runs trials beside the requests."""
    return Runner(run_trial(settings, engine, pool, clock), telemetry.bug)


def key_ring(settings: Settings, telemetry: Telemetry, clock: Clock) -> KeyRing:
    """Return the keys of the trusted issuers, the local one included if it is trusted."""
    issuers = list(settings.issuers)
    if settings.local_issuer:
        issuers.append(LocalIssuer.open(settings.data, settings.audience).settings)
    return KeyRing(issuers, clock, failed=telemetry.issuer_failed)


async def together(work: Iterable[Awaitable[Any]]) -> Sequence[Any]:
    """Await all at once; what one raises stands in its place."""
    return await asyncio.gather(*work, return_exceptions=True)
