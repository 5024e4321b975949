from sqlalchemy import Column, Index, LargeBinary, Table, Uuid

from service.db import Id, UtcDateTime, metadata, tenant_column

audit_entry = Table(
    "audit_entry",
    metadata,
    tenant_column(),
    Column("id", Uuid, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("event", Id, nullable=False),
    Column("object_id", Id, nullable=False),
    Column("subject", Uuid),
    Column("actor", Id, nullable=False),
    Column("request", Id, nullable=False),
    Column("commitment", LargeBinary),
    Column("canonical", LargeBinary, nullable=False),
    Index(None, "tenant", "at", "id"),
    Index(None, "tenant", "subject", "at", "id"),
    Index(None, "tenant", "event", "at", "id"),
    Index(None, "tenant", "actor", "at", "id"),
)
"""The log. Nobody may change a row; a trigger holds off even those whom the rights don't."""

audit_pending = Table(
    "audit_pending",
    metadata,
    tenant_column(),
    Column("id", Uuid, primary_key=True),
    Column("leaf", LargeBinary, nullable=False),
)
"""Leaves that wait for their place in the tree. The application adds and can't look; the worker takes them away."""
