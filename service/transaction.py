"""One unit of work, seen as the stores that share it. The only place that commits."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from service.audit.store import SqlAuditTrail, SqlLogKeys, SqlTree
from service.consent.store import SqlNoticeStore, SqlPurposeStore, SqlRecordStore, SqlStateStore
from service.db import TENANT_SETTING, answering
from service.decisions.store import SqlDecisionStore
from service.events.store import SqlOutbox
from service.kernel import Clock, NewId, TenantId
from service.policies.recent import SqlRecentFacts
from service.policies.store import SqlOverlayStore, SqlRevisionStore
from service.requests.store import SqlRequestStore
from service.reveals.store import SqlApprovalStore, SqlTokenStore
from service.subjects.store import SqlSubjectStore
from service.tenants import SqlTenants
from service.trials.store import SqlTrialStore
from service.trips import Trips
from service.vault.key_store import SqlKeyStore
from service.vault.moving_store import SqlMovingStore
from service.vault.retention_store import SqlRetentionStore
from service.vault.rotation_store import SqlRotationStore
from service.vault.store import SqlValueStore

_ENTER: Final = f"SELECT set_config('{TENANT_SETTING}', %(tenant)s, true)"


class Transaction:
    """Everything one tenant's use case may touch. It is stored together or not at all."""

    def __init__(self, connection: AsyncConnection, tenant: TenantId, clock: Clock, new_id: NewId) -> None:
        self.trips = trips = Trips(connection)
        self.together = trips.together
        self.tenants = SqlTenants(connection, tenant, clock)
        self.outbox = SqlOutbox(trips, tenant, new_id)
        self.audit = SqlAuditTrail(connection, trips, tenant, clock, new_id)
        self.tree = SqlTree(connection, tenant)
        self.log_keys = SqlLogKeys(connection)
        self.keys = SqlKeyStore(connection, trips, tenant)
        self.rotation = SqlRotationStore(connection, tenant)
        self.retention = SqlRetentionStore(connection, tenant)
        self.values = SqlValueStore(connection, trips, tenant)
        self.moving = SqlMovingStore(connection, tenant)
        self.subjects = SqlSubjectStore(connection, trips, tenant, new_id)
        self.records = SqlRecordStore(connection, tenant)
        self.states = SqlStateStore(connection, tenant, clock)
        self.notices = SqlNoticeStore(connection, tenant, clock)
        self.purposes = SqlPurposeStore(connection, tenant, clock)
        self.decisions = SqlDecisionStore(connection, tenant)
        self.overlays = SqlOverlayStore(connection, tenant)
        self.revisions = SqlRevisionStore(connection)
        self.recent = SqlRecentFacts(connection)
        self.trials = SqlTrialStore(connection, tenant)
        self.approvals = SqlApprovalStore(connection, tenant)
        self.tokens = SqlTokenStore(connection, tenant)
        self.requests = SqlRequestStore(connection, tenant)


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
