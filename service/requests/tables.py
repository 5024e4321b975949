from sqlalchemy import Boolean, Column, Date, Index, Integer, SmallInteger, Table, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from service.db import Id, UtcDateTime, metadata, tenant_column

request = Table(
    "request",
    metadata,
    tenant_column(),
    Column("id", Uuid, primary_key=True),
    Column("handle", Uuid, nullable=False),
    Column("right_name", Id, nullable=False),
    Column("law", Id, nullable=False),
    Column("assumed", Boolean, nullable=False),
    Column("via", Id, nullable=False),
    Column("asked", JSONB, nullable=False),
    Column("joins", Uuid),
    Column("place", Id, nullable=False),
    Column("time_zone", Id, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("entered_at", UtcDateTime, nullable=False),
    Column("state", Id, nullable=False),
    Column("version", Integer, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("mark", Id),
    Column("due_on", Date),
    Column("due_at", UtcDateTime, nullable=False),
    Column("told", SmallInteger, nullable=False, server_default="0"),
    Index(None, "tenant", "handle"),
    Index(None, "tenant", "due_at", "id", postgresql_where=text("open")),
    Index(None, "tenant", "state", "due_at", "id"),
    Index(
        "request_tenant_id_erasing_idx",
        *("tenant", "id"),
        postgresql_where=text("right_name = 'erasure' AND state = 'executing'"),
    ),
)
"""What was asked, and where it stands. Only `state` and what follows it may change, and only by a move beside it.

`asked` is what the sender said, so that the same can be told from other content. `told` is the share of the period,
in percent, that the worker has announced.
"""

request_event = Table(
    "request_event",
    metadata,
    tenant_column(),
    Column("request", Uuid, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("move", Id, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", Id, nullable=False),
    Column("reason", Id),
    Column("authority", Id),
    Column("proves", Id, nullable=False),
)
"""What happened to a request. Only grows."""
