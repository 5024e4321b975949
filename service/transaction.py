"""One unit of work, seen as the stores that share it. The only place that commits."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

from psycopg_pool import AsyncConnectionPool
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from service.audit.keeping_store import SqlContentStore, SqlHoldStore, SqlTraces
from service.audit.store import SqlAuditAppender, SqlAuditTrail, SqlLogKeys, SqlSubjectLog, SqlTree
from service.consent.chunk_store import SqlImportStore
from service.consent.keeping_store import SqlOldRecordStore
from service.consent.store import SqlNoticeStore, SqlPurposeStore, SqlRecordStore, SqlStateStore
from service.db import TENANT_SETTING, answering, lease
from service.decisions.permit_store import SqlPermitStore
from service.decisions.store import SqlDecisionStore
from service.doors.store import SqlDoorStore
from service.downstreams.brought_store import SqlBroughtStore
from service.downstreams.store import SqlDownstreamStore
from service.drop.store import SqlDropStore
from service.erasures.store import SqlErasureStore
from service.events.store import SqlOutbox
from service.exports.store import SqlExportStore
from service.kernel import Clock, NewId, TenantId
from service.packages.parcel_store import SqlParcelStore
from service.policies.recent import SqlRecentFacts
from service.policies.store import SqlOverlayStore, SqlRevisionStore
from service.requests.identity_store import SqlChallengeStore, SqlLetterStore
from service.requests.store import SqlRequestStore
from service.requests.telling_store import SqlTellingStore
from service.reveals.store import SqlAloneStore, SqlApprovalStore, SqlRevealStore, SqlTokenStore
from service.subjects.directory import SqlDirectory
from service.subjects.store import SqlSubjectStore
from service.tenants import SqlTenants
from service.trials.store import SqlTrialStore
from service.trips import Trips
from service.vault.key_store import SqlKeyStore, SqlSubjectKeys
from service.vault.letter_store import SqlProofs
from service.vault.moving_store import SqlMovingStore
from service.vault.retention_store import SqlRetentionStore
from service.vault.rotation_store import SqlRotationStore
from service.vault.store import SqlHotValues, SqlValueStore
from service.wire import Statement

_BEGIN: Final[Statement] = ("BEGIN", {})
_ENTER: Final = f"SELECT set_config('{TENANT_SETTING}', %(tenant)s, true)"


class Transaction:
    """Everything one tenant's use case may touch. It is stored together or not at all."""

    def __init__(self, connection: AsyncConnection, tenant: TenantId, clock: Clock, new_id: NewId) -> None:
        self.trips = trips = Trips(connection)
        self.together = trips.together
        self.tenants = SqlTenants(connection, tenant, clock)
        self.outbox = SqlOutbox(trips, tenant, new_id)
        self.audit = SqlAuditTrail(connection, trips, tenant, clock, new_id)
        self.subject_log = SqlSubjectLog(connection, tenant)
        self.content = SqlContentStore(connection, tenant)
        self.traces = SqlTraces(trips, tenant)
        self.holds = SqlHoldStore(connection, tenant)
        self.tree = SqlTree(connection, tenant)
        self.log_keys = SqlLogKeys(connection)
        self.keys = SqlKeyStore(connection, trips, tenant)
        self.rotation = SqlRotationStore(connection, tenant)
        self.retention = SqlRetentionStore(connection, tenant)
        self.values = SqlValueStore(connection, trips, tenant)
        self.moving = SqlMovingStore(connection, tenant)
        self.subjects = SqlSubjectStore(connection, trips, tenant, new_id)
        self.records = SqlRecordStore(trips, tenant)
        self.imports = SqlImportStore(connection, tenant)
        self.old_records = SqlOldRecordStore(connection, tenant)
        self.states = SqlStateStore(trips, tenant, clock)
        self.notices = SqlNoticeStore(connection, tenant, clock)
        self.purposes = SqlPurposeStore(trips, tenant, clock)
        self.decisions = SqlDecisionStore(connection, tenant)
        self.permits = SqlPermitStore(connection, tenant)
        self.overlays = SqlOverlayStore(connection, tenant)
        self.revisions = SqlRevisionStore(connection)
        self.recent = SqlRecentFacts(connection)
        self.trials = SqlTrialStore(connection, tenant)
        self.reveals = SqlRevealStore(connection, tenant)
        self.approvals = SqlApprovalStore(connection, tenant)
        self.alone = SqlAloneStore(connection, tenant)
        self.tokens = SqlTokenStore(connection, tenant)
        self.exports = SqlExportStore(connection, tenant)
        self.downstreams = SqlDownstreamStore(connection, tenant)
        self.brought = SqlBroughtStore(connection, tenant)
        self.requests = SqlRequestStore(connection, tenant)
        self.challenges = SqlChallengeStore(connection, tenant)
        self.tellings = SqlTellingStore(connection, tenant)
        self.letters = SqlLetterStore(connection, tenant)
        self.proofs = SqlProofs(connection)
        self.erasures = SqlErasureStore(connection, tenant)
        self.doors = SqlDoorStore(connection, tenant)
        self.drop = SqlDropStore(connection, tenant)
        self.parcels = SqlParcelStore(connection, tenant)


Begin = Callable[[TenantId], AbstractAsyncContextManager[Transaction]]


def opener(engine: AsyncEngine, clock: Clock, new_id: NewId) -> Begin:
    """Return what opens transactions: they commit when their block ends and roll back when it raises.

    Inside the block the database shows the rows of this tenant and no others,
    whatever a query forgets to ask.

    Raises:
        Unavailable: the database doesn't answer, or two transactions stood in
            each other's way. Asking again is safe.
    """

    @asynccontextmanager
    async def begin(tenant: TenantId) -> AsyncIterator[Transaction]:
        with answering():
            async with engine.begin() as connection:
                await Trips(connection)(_ENTER, {"tenant": tenant})
                yield Transaction(connection, tenant, clock, new_id)

    return begin


class Hot:
    """What the hot paths touch: all of it goes straight to PostgreSQL."""

    def __init__(self, trips: Trips, tenant: TenantId, clock: Clock, new_id: NewId) -> None:
        self.together = trips.together
        self.keys = SqlSubjectKeys(trips, tenant)
        self.values = SqlHotValues(trips, tenant)
        self.subjects = SqlDirectory(trips, tenant, new_id)
        self.records = SqlRecordStore(trips, tenant)
        self.states = SqlStateStore(trips, tenant, clock)
        self.purposes = SqlPurposeStore(trips, tenant, clock)
        self.traces = SqlTraces(trips, tenant)
        self.audit = SqlAuditAppender(trips, tenant, clock, new_id)
        self.outbox = SqlOutbox(trips, tenant, new_id)


BeginHot = Callable[[TenantId], AbstractAsyncContextManager[Hot]]


def trip_opener(pool: AsyncConnectionPool, clock: Clock, new_id: NewId) -> BeginHot:
    """Return what lends connections on which each trip is a transaction of its own, durable when it returns.

    Raises:
        Unavailable: the database doesn't answer.
    """

    @asynccontextmanager
    async def begin(tenant: TenantId) -> AsyncIterator[Hot]:
        async with lease(pool) as connection:
            yield Hot(Trips(connection, every=[(_ENTER, {"tenant": tenant})]), tenant, clock, new_id)

    return begin


def hot_opener(pool: AsyncConnectionPool, clock: Clock, new_id: NewId) -> BeginHot:
    """Return what opens transactions as `opener` does, past SQLAlchemy: they begin with their first trip.

    Raises:
        Unavailable: as there.
    """

    @asynccontextmanager
    async def begin(tenant: TenantId) -> AsyncIterator[Hot]:
        async with lease(pool) as connection:
            trips = Trips(connection, first=[_BEGIN, (_ENTER, {"tenant": tenant})])
            try:
                yield Hot(trips, tenant, clock, new_id)
            except BaseException:
                await trips.roll_back()
                raise
            await trips.commit()

    return begin
