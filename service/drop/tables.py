from sqlalchemy import Boolean, Column, Date, Index, LargeBinary, SmallInteger, Table, Uuid, text

from service.db import Id, UtcDateTime, metadata, tenant_column

drop_broker = Table(
    "drop_broker",
    metadata,
    tenant_column(),
    Column("broker", Id, nullable=False),
    Column("registered_at", UtcDateTime, nullable=False),
    Column("accessed_at", UtcDateTime),
)
"""The tenants that are registered data brokers. Of others nothing here is kept."""

drop_item = Table(
    "drop_item",
    metadata,
    tenant_column(),
    Column("id", Id, primary_key=True),
    Column("list", Id, nullable=False),
    Column("listed_on", Date, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("added_at", UtcDateTime, nullable=False),
    Column("removed_at", UtcDateTime),
    Column("status", SmallInteger),
    Column("told_at", UtcDateTime),
    Index(None, "tenant", "list", "digest"),
    Index("drop_item_unanswered_idx", "tenant", "list", "id", postgresql_where=text("status IS NULL")),
)
"""Work items, each with a keyed hash of the hash that the list has. What was taken back keeps its id alone, so that
an old list doesn't bring it back."""

drop_mark = Table(
    "drop_mark",
    metadata,
    tenant_column(),
    Column("list", Id, primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    Column("handle", Uuid, primary_key=True),
    Index(None, "tenant", "handle"),
)
"""The same keyed hashes of what the lists could have of people. They go with the person's key."""

drop_due = Table(
    "drop_due",
    metadata,
    tenant_column(),
    Column("handle", Uuid, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
)
"""Who is still to be compared with the lists: every write of a value puts its person here."""

drop_match = Table(
    "drop_match",
    metadata,
    tenant_column(),
    Column("item", Id, primary_key=True),
    Column("handle", Uuid, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("shared", Boolean),
    Column("request", Uuid),
    Column("followed_at", UtcDateTime),
    Index(None, "tenant", "handle"),
    Index("drop_match_unfollowed_idx", "tenant", "handle", postgresql_where=text("followed_at IS NULL")),
)
"""Who was found by which work item, and what follows from it."""
