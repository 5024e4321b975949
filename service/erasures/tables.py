from sqlalchemy import CheckConstraint, Column, Index, LargeBinary, Table, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY

from service.db import Id, UtcDateTime, metadata, tenant_column

erasure = Table(
    "erasure",
    metadata,
    tenant_column(),
    Column("request", Uuid, primary_key=True),
    Column("handle", Uuid, nullable=False),
    Column("handles", ARRAY(Uuid), nullable=False),
    Column("plan", LargeBinary, nullable=False),
    Column("begun_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("kept_until", UtcDateTime),
    Column("certificate", LargeBinary),
    CheckConstraint("(ended_at IS NULL) = (certificate IS NULL)", name="certificate"),
    Index("erasure_kept_until_idx", "kept_until", postgresql_where=text("kept_until IS NOT NULL")),
)
"""Erasures that were begun, each with its plan, in JSON, and in the end what is certified.

`kept_until` is when the first of the records that a law has kept may go. It is the database's to change.
"""

erasure_step = Table(
    "erasure_step",
    metadata,
    tenant_column(),
    Column("request", Uuid, primary_key=True),
    Column("step", Id, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("told", LargeBinary, nullable=False),
)
"""What was done of each, and how much of what went by it, in JSON. Only grows."""
