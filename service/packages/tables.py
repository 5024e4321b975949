from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text, Uuid, text

from service.db import Id, UtcDateTime, metadata, tenant_column

parcel = Table(
    "parcel",
    metadata,
    tenant_column(),
    Column("request", Uuid, primary_key=True),
    Column("id", Uuid, nullable=False),
    Column("handle", Uuid, nullable=False),
    Column("language", Id, nullable=False),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("actor", Id, nullable=False),
    Column("call", Id, nullable=False),
    Column("state", Id, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("holder", Uuid),
    Column("beat_at", UtcDateTime),
    Column("maker", Uuid),
    Column("size", BigInteger),
    Column("made_at", UtcDateTime),
    Column("expires_at", UtcDateTime),
    Column("by_owner", Boolean, nullable=False),
    Column("fault", Text),
    Index(
        None,
        *("tenant", "state", "asked_at"),
        postgresql_where=text("state IN ('waiting', 'running', 'ready')"),
    ),
)
"""The package of a request, as it stands; what became of it is in the audit log. `parcel_fate` says what may not lie
any longer."""
