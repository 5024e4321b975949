from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY

from service.db import Id, UtcDateTime, metadata, tenant_column

policy_trial = Table(
    "policy_trial",
    metadata,
    tenant_column(),
    Column("id", Uuid, primary_key=True),
    Column("plan", LargeBinary, nullable=False),
    Column("candidate", Id, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("actor", Id, nullable=False),
    Column("state", Id, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("done", BigInteger, nullable=False, server_default="0"),
    Column("total", BigInteger),
    Column("standing", LargeBinary),
    Column("fault", Text),
    Column("runner", Uuid),
    Column("beat_at", UtcDateTime),
)
"""One row a trial. The application may change what moves, from `state` on, and nothing of what was asked."""

policy_trial_change = Table(
    "policy_trial_change",
    metadata,
    tenant_column(),
    Column("trial", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("channel", Id, nullable=False),
    Column("purpose", Id, nullable=False),
    Column("permit_then", Boolean, nullable=False),
    Column("permit_now", Boolean, nullable=False),
    Column("rules", ARRAY(Text), nullable=False),
)
"""What a candidate would answer otherwise: decisions by id, or people by handle. Only grows."""
