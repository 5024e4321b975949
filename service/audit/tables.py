from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)

from service.db import Id, UtcDateTime, metadata, tenant_column

audit_entry = Table(
    "audit_entry",
    metadata,
    tenant_column(),
    Column("id", Uuid, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("event", Id, nullable=False),
    Column("object_id", Id, nullable=False),
    Column("subject", Uuid),
    Column("actor", Id, nullable=False),
    Column("request", Id, nullable=False),
    Column("commitment", LargeBinary),
    Column("canonical", LargeBinary, nullable=False),
    Index(None, "tenant", "at", "id"),
    Index(None, "tenant", "subject", "at", "id"),
    Index(None, "tenant", "event", "at", "id"),
    Index(None, "tenant", "actor", "at", "id"),
)
"""The log. Nobody may change a row; a trigger holds off even those whom the rights don't."""

audit_pending = Table(
    "audit_pending",
    metadata,
    tenant_column(),
    Column("id", Uuid, primary_key=True),
    Column("leaf", LargeBinary, nullable=False),
)
"""Leaves that wait for their place in the tree. The application adds and can't look; the worker takes them away."""

audit_head = Table(
    "audit_head",
    metadata,
    tenant_column(),
    Column("size", BigInteger, nullable=False),
    Column("halted", Text),
    CheckConstraint("size >= 0", name="size"),
)
"""The size of each tenant's tree, and why nothing more is signed if so. Who adds to a tree locks its row."""

audit_leaf = Table(
    "audit_leaf",
    metadata,
    tenant_column(),
    Column("index", BigInteger, primary_key=True, autoincrement=False),
    Column("entry", Uuid, nullable=False),
    UniqueConstraint("tenant", "entry"),
)
"""The place of each entry in the tree. Its hash is in a tile of level 0."""

audit_tile = Table(
    "audit_tile",
    metadata,
    tenant_column(),
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
)
"""The tree, as `service.audit.tiles` describes it. A tile gains hashes until it has 256."""

audit_checkpoint = Table(
    "audit_checkpoint",
    metadata,
    tenant_column(),
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("note", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)
"""What was signed: a note for every size that the tree had after a batch."""

commitment_secret = Table(
    "commitment_secret",
    metadata,
    tenant_column(),
    Column("handle", Uuid, primary_key=True),
    Column("secret", LargeBinary, nullable=False),
)
"""From which the salts of commitments follow, one for each subject, and one for each tenant under the handle 0.

The database makes them, with the subject and with the tenant. The application may read and delete them.
"""

audit_cosignature = Table(
    "audit_cosignature",
    metadata,
    tenant_column(),
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("key", Id, primary_key=True),
    Column("line", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index(None, "tenant", "key", "size"),
)
"""Which witness saw a checkpoint: its key as name+id, its line of the note, and when by its own clock."""

audit_timestamp = Table(
    "audit_timestamp",
    metadata,
    tenant_column(),
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("token", LargeBinary, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)
"""What a time-stamp authority said of a checkpoint (`service.audit.timestamps`), and when by its clock."""

log_key = Table(
    "log_key",
    metadata,
    Column("public", LargeBinary, primary_key=True),
    Column("purpose", Id, nullable=False),
    Column("since", UtcDateTime, nullable=False),
)
"""The public half of every key that ever signed: `log` or `receipts`. Served for ever."""

audit_hold = Table(
    "audit_hold",
    metadata,
    tenant_column(),
    Column("name", Id, primary_key=True),
    Column("handle", Uuid),
    Column("since", UtcDateTime),
    Column("until", UtcDateTime),
    Column("reason", Id, nullable=False),
    Column("reference", Id),
    Column("placed_at", UtcDateTime, nullable=False),
    Column("placed_by", Id, nullable=False),
    Column("lifted_at", UtcDateTime),
)
"""What officers hold: of one person or of all, of a period or of any time."""

expired = Table(
    "expired",
    metadata,
    tenant_column(),
    Column("kind", Id, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("handle", Uuid),
    Column("at", UtcDateTime, nullable=False),
    Column("expired_at", UtcDateTime, nullable=False),
)
"""A row for each decision, record and version of facts that is gone, with when it was stored. Only grows; the
application looks. A version has no id: its row has one that names nothing."""
