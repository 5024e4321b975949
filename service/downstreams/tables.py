from sqlalchemy import Column, Index, Integer, LargeBinary, Table, Text, UniqueConstraint, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from service.db import Id, UtcDateTime, metadata, tenant_column

downstream = Table(
    "downstream",
    metadata,
    tenant_column(),
    Column("name", Id, primary_key=True),
    Column("kind", Id, nullable=False),
    Column("takes", JSONB, nullable=False),
    Column("url", Id),
    Column("client", Id),
    Column("domain", Id),
    Column("certificate", Text),
    Column("identities", JSONB, nullable=False, server_default="[]"),
    Column("stored_at", UtcDateTime, nullable=False),
    Column("actor", Id, nullable=False),
)
"""The connected systems of a tenant."""

downstream_secret = Table(
    "downstream_secret",
    metadata,
    tenant_column(),
    Column("id", Uuid, primary_key=True),
    Column("downstream", Id, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("public_key", Id, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime),
    Index(None, "tenant", "downstream"),
)
"""What messages to and from a system are signed with, sealed."""

downstream_task = Table(
    "downstream_task",
    metadata,
    tenant_column(),
    Column("id", Uuid, primary_key=True),
    Column("system", Id, nullable=False),
    Column("request", Uuid, nullable=False),
    Column("handle", Uuid, nullable=False),
    Column("kind", Id, nullable=False),
    Column("state", Id, nullable=False),
    Column("assigned_at", UtcDateTime, nullable=False),
    Column("silent_at", UtcDateTime, nullable=False),
    Column("round", Integer, nullable=False, server_default="1"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_at", UtcDateTime),
    Column("told_at", UtcDateTime),
    Column("settled_at", UtcDateTime),
    Column("ground", Id),
    Column("fault", Id),
    Column("sealed", LargeBinary),
    UniqueConstraint("tenant", "request", "system", "kind"),
    Index("downstream_task_tenant_state_id_idx", "tenant", "state", "id"),
    Index(None, "tenant", "handle"),
    Index("downstream_task_tenant_next_at_idx", "tenant", "next_at", postgresql_where=text("next_at IS NOT NULL")),
    Index("downstream_task_tenant_silent_at_idx", "tenant", "silent_at", postgresql_where=text("state = 'open'")),
)
"""What each system was told to do. Whom it is about is sealed, and is gone once there is an answer."""

downstream_file = Table(
    "downstream_file",
    metadata,
    tenant_column(),
    Column("id", Uuid, primary_key=True),
    Column("task", Uuid, nullable=False),
    Column("request", Uuid, nullable=False),
    Column("system", Id, nullable=False),
    Column("handle", Uuid, nullable=False),
    Column("size", Integer, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("about", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Index(None, "tenant", "request"),
)
"""What systems brought when they were asked for a copy, sealed under the person's key until the package is over."""

downstream_message = Table(
    "downstream_message",
    metadata,
    tenant_column(),
    Column("downstream", Id, primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
)
"""Hashes of the ids of messages that came, for as long as a message is taken: none is taken twice."""
