from sqlalchemy import (
    Boolean,
    Column,
    Date,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Uuid,
    text,
)
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
    Column("acknowledge_at", UtcDateTime),
    Column("acknowledge_told", SmallInteger, nullable=False, server_default="0"),
    Index(None, "tenant", "handle"),
    Index(None, "tenant", "due_at", "id", postgresql_where=text("open")),
    Index(None, "tenant", "state", "due_at", "id"),
    Index(None, "tenant", "joins", postgresql_where=text("joins IS NOT NULL")),
    Index(
        "request_tenant_id_erasing_idx",
        *("tenant", "id"),
        postgresql_where=text("right_name = 'erasure' AND state = 'executing'"),
    ),
)
"""What was asked, and where it stands. Only `state` and what follows it may change, and only by a move beside it.

`asked` is what the sender said, so that the same can be told from other content. `told` is the share of the period,
in percent, that the worker has announced, and `acknowledge_told` that of the time in which it must be confirmed.
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

request_challenge = Table(
    "request_challenge",
    metadata,
    tenant_column(),
    Column("request", Uuid, primary_key=True),
    Column("handle", Uuid, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("codes", SmallInteger, nullable=False),
    Column("mistakes", Integer, nullable=False),
    Column("method", Id),
    Column("mark", LargeBinary),
    Column("expires_at", UtcDateTime),
    Column("tries", Integer, nullable=False),
    Index(None, "tenant", "handle"),
)
"""Who is about to show who they are: a keyed hash of the live code, and how often it was tried."""

request_letter = Table(
    "request_letter",
    metadata,
    tenant_column(),
    Column("id", Uuid, primary_key=True),
    Column("request", Uuid, nullable=False),
    Column("about", Id, nullable=False),
    Column("own", Boolean, nullable=False),
    Column("media_type", Id, nullable=False),
    Column("size", Integer, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", Id, nullable=False),
    Index(None, "tenant", "request", "at", "id"),
)
"""That something was written about a request. What it says lies sealed in the vault. Only grows."""

request_telling = Table(
    "request_telling",
    metadata,
    tenant_column(),
    Column("request", Uuid, primary_key=True),
    Column("kind", Id, primary_key=True),
    Column("move", Id, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("told_at", UtcDateTime),
    ForeignKeyConstraint(["tenant", "request"], ["request.tenant", "request.id"], ondelete="CASCADE"),
    Index("request_telling_tenant_waiting_idx", "tenant", "request", postgresql_where=text("told_at IS NULL")),
)
"""Of what others have to be told because a request moved. The worker does it, and `told_at` says that it has."""
