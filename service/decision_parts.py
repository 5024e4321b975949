"""What answers whether somebody may be contacted, one question at a time or about many, and what shows the law."""

import asyncio
from collections.abc import Mapping
from functools import partial
from importlib.util import find_spec
from typing import Any

from psycopg_pool import AsyncConnectionPool

from service.ahead import in_turn
from service.audit.store import statement as audit_statement
from service.consent.profiles import ProfileReader
from service.decisions import (
    Decide,
    DecideAudience,
    DecideBatch,
    InForce,
    Laws,
    ReadCoverage,
    ReadDecision,
    ReadPolicy,
    ReadRule,
    SimulateDecision,
)
from service.decisions.audience_api import Form, Forms
from service.decisions.log import SqlDecisionLog
from service.decisions.narrow_rows import SqlNarrowRows
from service.decisions.packed_log import SqlPackedLog
from service.decisions.walking import SqlPopulations
from service.decisions.watched import WatchedLog, WatchedPackedLog
from service.kernel import Clock, NewId
from service.policies.governing import Governing
from service.telemetry import Telemetry
from service.transaction import Begin


def decision_parts(
    begin: Begin,
    pool: AsyncConnectionPool,
    profiles: ProfileReader[InForce],
    governing: Governing,
    laws: Laws,
    schema: Mapping[str, Any],
    telemetry: Telemetry,
    clock: Clock,
    new_id: NewId,
) -> dict[str, Any]:
    """Return the use cases by name. `schema` is that of the facts."""
    log = WatchedLog(SqlDecisionLog(pool, audit_statement, new_id), telemetry)
    decide_batch = DecideBatch(
        SqlNarrowRows(pool, governing),
        WatchedPackedLog(SqlPackedLog(pool, audit_statement, new_id), telemetry),
        profiles,
        begin,
        laws,
        clock,
        new_id,
        partial(asyncio.sleep, 0),
        in_turn,
    )
    return {
        "decide": Decide(profiles, begin, log, laws, clock, new_id),
        "decide_batch": decide_batch,
        "decide_audience": DecideAudience(SqlPopulations(pool), decide_batch),
        "audience_forms": Forms(_arrow if find_spec("pyarrow") else None),
        "simulate_decision": SimulateDecision(profiles, laws, clock, schema, asyncio.Semaphore(1)),
        "read_decision": ReadDecision(begin, profiles, laws),
        "read_policy": ReadPolicy(profiles, laws),
        "read_rule": ReadRule(profiles, laws),
        "read_coverage": ReadCoverage(profiles, laws, clock),
    }


def _arrow() -> Form:
    from service.decisions.arrow import Arrow  # the extra may be missing, and takes 32 MB

    return Arrow()
