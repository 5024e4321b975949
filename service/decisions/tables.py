"""Tables that only grow: the application role may SELECT and INSERT, no more."""

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY

from service.db import Id, UtcDateTime, metadata, tenant_column

facts = Table(
    "facts",
    metadata,
    tenant_column(),
    Column("hash", LargeBinary, primary_key=True),
    Column("body", Text, nullable=False),
    comment="What the policy was asked, once per content.",
)

verdict = Table(
    "verdict",
    metadata,
    tenant_column(),
    Column("revision", Id, primary_key=True),
    Column("facts_hash", LargeBinary, primary_key=True),
    Column("body", Text, nullable=False),
    comment="What the policy of one revision answered to facts.",
)

decision = Table(
    "decision",
    metadata,
    tenant_column(),
    Column("id", Uuid, primary_key=True),
    Column("handle", Uuid),
    Column("channel", Id, nullable=False),
    Column("purpose", Id, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("decided_at", UtcDateTime, nullable=False),
    Column("permit", Boolean, nullable=False),
    Column("revision", Id, nullable=False),
    Column("facts_hash", LargeBinary, nullable=False),
    Column("verdict_hash", LargeBinary, nullable=False),
    Column("records", ARRAY(Uuid), nullable=False),
    Column("retry_after", Text),
    Column("valid_until", UtcDateTime),
    Column("actor", Id, nullable=False),
    Column("request", Id, nullable=False),
    Column("overlay_version", Integer, nullable=False, server_default="0"),
    Index(None, "tenant", "decided_at", "id"),
    Index(None, "tenant", "facts_hash"),
    postgresql_partition_by="RANGE (id)",
    comment="One row per decision, pointing to its facts and verdict by hash. The handle outlives the subject's link. "
    "A partition for each month, by the time in the id.",
)

permit = Table(
    "permit",
    metadata,
    tenant_column(),
    Column("jti", Uuid, primary_key=True),
    Column("handle", Uuid, nullable=False),
    Column("decision", Uuid, nullable=False),
    Column("stamp", LargeBinary, nullable=False),
    Column("kid", Id, nullable=False),
    Column("issued_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("burned_at", UtcDateTime),
    Index(None, "tenant", "expires_at"),
    Index(None, "expires_at"),
    comment="Permits until they are over. `stamp` is a hash of all that was known when each was asked for.",
)

batch = Table(
    "batch",
    metadata,
    tenant_column(),
    Column("id", Uuid, primary_key=True),
    Column("channel", Id, nullable=False),
    Column("purpose", Id, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("revision", Id, nullable=False),
    Column("overlay_version", Integer, nullable=False),
    Column("actor", Id, nullable=False),
    Column("request", Id, nullable=False),
    Column("decisions", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("leaves", LargeBinary),
    comment="A chunk of the decisions of a batch, laid out as `packed.py` says.",
)

batch_answer = Table(
    "batch_answer",
    metadata,
    tenant_column(),
    Column("batch", Uuid, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("permit", Boolean, nullable=False),
    Column("facts_hash", LargeBinary, nullable=False),
    Column("verdict_hash", LargeBinary, nullable=False),
    Column("shown", Id, nullable=False),
    Column("retry_after", Text),
    Index(None, "tenant", "facts_hash"),
    comment="What people of a chunk were answered, each once.",
)

batch_run = Table(
    "batch_run",
    metadata,
    tenant_column(),
    Column("batch", Uuid, primary_key=True),
    Column("run", Uuid),
    Column("first", Integer),
    Index(None, "tenant", "run", "first"),
    comment="Which run of the index has a chunk, or none yet, and the number of its first decision there.",
)

batch_index = Table(
    "batch_index",
    metadata,
    tenant_column(),
    Column("bucket", Integer, primary_key=True, autoincrement=False),
    Column("run", Uuid, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Index(None, "tenant", "run"),
    comment="Where runs of chunks name whom, laid out as `batch_places.py` says.",
)

frame = Table(
    "frame",
    metadata,
    tenant_column(),
    Column("hash", LargeBinary, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    comment="What is known of people but for its instants, once per content (`narrow.py`).",
)

narrow = Table(
    "narrow",
    metadata,
    tenant_column(),
    Column("subject", Id, primary_key=True),
    Column("handle", Uuid, nullable=False),
    Column("frame", LargeBinary, nullable=False),
    Column("days", LargeBinary, nullable=False),
    Index(None, "tenant", "handle"),
    comment="A frame and the instants beside it. Triggers take the row away with whatever changes its person.",
)
