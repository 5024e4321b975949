from sqlalchemy import (
    Boolean,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Table,
    UniqueConstraint,
    Uuid,
    text,
)

from service.db import Id, UtcDateTime, metadata, tenant_column

door_request = Table(
    "door_request",
    metadata,
    tenant_column(),
    Column("id", Uuid, primary_key=True),
    Column("door", Id, nullable=False),
    Column("sender", Id, nullable=False),
    Column("reference", LargeBinary, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("expected_at", UtcDateTime, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("revoked_by", LargeBinary),
    UniqueConstraint("tenant", "door", "sender", "reference"),
    ForeignKeyConstraint(
        ["tenant", "id"], ["request.tenant", "request.id"], name="door_request_request_fkey", ondelete="CASCADE"
    ),
    Index(
        "door_request_tenant_sender_revoked_by_idx",
        *("tenant", "sender", "revoked_by"),
        postgresql_where=text("revoked_by IS NOT NULL"),
    ),
)
"""What came through a door, by the id of its case: a hash of what its sender calls it, and the same sealed."""

door_callback = Table(
    "door_callback",
    metadata,
    tenant_column(),
    Column("id", Uuid, primary_key=True),
    Column("request", Uuid, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("told", Integer, nullable=False),
    Column("said", Id, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_at", UtcDateTime),
    Column("fault", Id),
    Column("ended", Boolean, nullable=False, server_default="false"),
    ForeignKeyConstraint(
        ["tenant", "request"],
        ["door_request.tenant", "door_request.id"],
        name="door_callback_request_fkey",
        ondelete="CASCADE",
    ),
    Index(None, "tenant", "request"),
    Index("door_callback_open_idx", "tenant", "id", postgresql_where=text("NOT ended")),
)
"""Who is told how far a request is: as of which version of the case, and what, with the address sealed."""

door_agent = Table(
    "door_agent",
    metadata,
    tenant_column(),
    Column("agent", Id, primary_key=True),
    Column("token", LargeBinary, nullable=False),
    Column("issued_at", UtcDateTime, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
)
"""The agents that a tenant takes requests from, each with a hash of the one token that is good."""
