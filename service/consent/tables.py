from sqlalchemy import Column, Index, Integer, LargeBinary, SmallInteger, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY

from service.db import Id, UtcDateTime, metadata, tenant_column

record = Table(
    "record",
    metadata,
    tenant_column(),
    Column("id", Uuid, primary_key=True),
    Column("handle", Uuid, nullable=False),
    Column("ts", UtcDateTime, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("statement", LargeBinary, nullable=False),
    Index(None, "tenant", "handle", "ts", "id"),
)
"""Every record, its statement in JSON. Nobody may change a row; a trigger holds off whom the rights don't."""

consent_state = Table(
    "consent_state",
    metadata,
    tenant_column(),
    Column("handle", Uuid, primary_key=True),
    Column("version", SmallInteger, nullable=False),
    Column("state", LargeBinary, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)
"""What each history amounts to. `version` is the format of the bytes. Can be lost: the records say it all."""

notice = Table(
    "notice",
    metadata,
    tenant_column(),
    Column("notice", Id, primary_key=True),
    Column("version", Id, primary_key=True),
    Column("content", LargeBinary, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

purpose = Table(
    "purpose",
    metadata,
    tenant_column(),
    Column("purpose", Id, primary_key=True),
    Column("maps_to", Id, nullable=False),
    Column("title", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)
"""The tenant's own purposes. The application may add rows and change none."""

record_import = Table(
    "record_import",
    metadata,
    tenant_column(),
    Column("id", Uuid, primary_key=True),
    Column("began_at", UtcDateTime, nullable=False),
    Column("done", Integer, nullable=False),
    Column("seen", LargeBinary, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)
"""How many lines of an import have been dealt with, and a keyed hash of them: it can go on where it broke off."""

record_chunk = Table(
    "record_chunk",
    metadata,
    tenant_column(),
    Column("id", Uuid, primary_key=True),
    Column("import", Uuid, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("records", ARRAY(Uuid), nullable=False),
    Column("leaves", LargeBinary, nullable=False),
    Index(None, "tenant", "at"),
)
"""Records that were imported together, and the tree over them, whose root one audit entry commits to. Append-only."""
