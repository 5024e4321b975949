from sqlalchemy import BigInteger, CheckConstraint, Column, Integer, LargeBinary, Table, Text, Uuid

from service.db import Id, UtcDateTime, metadata, tenant_column

audit_export = Table(
    "audit_export",
    metadata,
    tenant_column(),
    Column("id", Uuid, primary_key=True),
    Column("plan", LargeBinary, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("actor", Id, nullable=False),
    Column("request", Id, nullable=False),
    Column("state", Id, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("done", BigInteger, nullable=False, server_default="0"),
    Column("total", BigInteger),
    Column("made", LargeBinary),
    Column("fault", Text),
    Column("runner", Uuid),
    Column("beat_at", UtcDateTime),
    Column("approved_at", UtcDateTime),
    Column("approved_by", Id),
    Column("expires_at", UtcDateTime),
    Column("link_hash", LargeBinary),
    Column("link_by", Id),
    Column("link_expires_at", UtcDateTime),
    CheckConstraint("approved_by <> actor", name="second_person"),
)
"""One row an export. The application may change what moves, from `state` on, and nothing of what was asked."""

audit_filter = Table(
    "audit_filter",
    metadata,
    tenant_column(),
    Column("name", Id, primary_key=True),
    Column("wanted", LargeBinary, nullable=False),
    Column("stored_at", UtcDateTime, nullable=False),
    Column("actor", Id, nullable=False),
)
"""Which entries somebody wants again and again."""
