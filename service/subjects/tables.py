from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, Table, Uuid, text

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
    Column("flags", LargeBinary),
    Column("merged_at", UtcDateTime),
    Index("subject_tenant_handle_key", "tenant", "handle", unique=True, postgresql_where=text("merged_at IS NULL")),
    Index(None, "tenant", "handle"),
)
"""The row that joins a person's id to the handle; after an erasure the id names another, or is gone.

Who was merged has several rows with one handle, and they say the same. `merged_at` is null in one of them: the others
are aliases.

`version` and `facts` copy the latest row of `subject_facts`, so that a check reads one row. `flags` is what the
service itself knows, in JSON; null when that is nothing. The application may change these three, and, to merge, the
handle and `merged_at`.
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

subject_pair = Table(
    "subject_pair",
    metadata,
    tenant_column(),
    Column("one", Uuid, primary_key=True),
    Column("other", Uuid, primary_key=True),
    Column("about", LargeBinary, primary_key=True),
    Column("found_at", UtcDateTime, nullable=False),
    Column("settled_at", UtcDateTime),
    Column("same", Boolean),
    Index(None, "tenant", "other"),
)
"""Two handles, the smaller first, who may be one person or were found to be; `about` is a hash of what they share."""

subject_tombstone = Table(
    "subject_tombstone",
    metadata,
    tenant_column(),
    Column("digest", LargeBinary, primary_key=True),
    Column("handle", Uuid, nullable=False),
    Column("flags", LargeBinary),
    Column("at", UtcDateTime, nullable=False),
)
"""Ids that were erased and hidden, by keyed hash, and what each names should it come back. Only the database reads."""
