from sqlalchemy import Column, Index, Integer, LargeBinary, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from service.db import Id, UtcDateTime, metadata, tenant_column

reveal = Table(
    "reveal",
    metadata,
    tenant_column(),
    Column("id", Uuid, primary_key=True),
    Column("handle", Uuid),
    Column("fields", JSONB, nullable=False),
    Column("masked", JSONB, nullable=False),
    Column("purpose", Id, nullable=False),
    Column("channel", Id),
    Column("decision", Uuid),
    Column("approval", Uuid),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", Id, nullable=False),
    Column("nonce", LargeBinary, nullable=False),
    Index(None, "tenant", "handle", "at", "id"),
)
"""One row per reveal: names and versions of what was given, and why. Only grows; holds no value and no hash of one."""

reveal_approval = Table(
    "reveal_approval",
    metadata,
    tenant_column(),
    Column("id", Uuid, primary_key=True),
    Column("purpose", Id, nullable=False),
    Column("fields", ARRAY(Text), nullable=False),
    Column("subjects", Integer, nullable=False),
    Column("reference", Id, nullable=False),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("requested_by", Id, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("approved_at", UtcDateTime),
    Column("approved_by", Id),
    Column("used_at", UtcDateTime),
)
"""What one officer asked to read of many people at once, and a second one allowed, once."""

reveal_alone = Table(
    "reveal_alone",
    metadata,
    tenant_column(),
    Column("actor", Id, primary_key=True),
    Column("handle", Uuid, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
)
"""Whom an officer's client read without an approval, and when first, for as long as it counts."""
