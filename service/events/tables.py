from sqlalchemy import Column, Index, Table, Uuid

from service.db import Id, UtcDateTime, metadata, tenant_column

outbox = Table(
    "outbox",
    metadata,
    tenant_column(),
    Column("id", Uuid, primary_key=True),
    Column("type", Id, nullable=False),
    Column("object_id", Id, nullable=False),
    Column("subject", Uuid),
    Column("at", UtcDateTime, nullable=False),
    Index(None, "id"),
)
"""Events not yet told. The application adds, the relay takes away."""
