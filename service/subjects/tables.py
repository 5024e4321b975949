from sqlalchemy import Column, Index, Integer, LargeBinary, Table, Uuid

from service.db import Id, UtcDateTime, metadata, tenant_column

subject = Table(
    "subject",
    metadata,
    tenant_column(),
    Column("subject", Id, primary_key=True),
    Column("handle", Uuid, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("version", Integer, nullable=False),
    Column("facts", LargeBinary, nullable=False),
    Index("subject_tenant_handle_key", "tenant", "handle", unique=True),
)
"""The one row that joins a person's id to the handle; an erasure will destroy it.

`version` and `facts` copy the latest row of `subject_facts`, so that a check reads one row. They are
the only columns the application may change.
"""

subject_facts = Table(
    "subject_facts",
    metadata,
    tenant_column(),
    Column("handle", Uuid, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("facts", LargeBinary, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)
"""Every version of what was known, in JSON. Only grows."""
