from sqlalchemy import BigInteger, Column, ForeignKey, Identity, Integer, LargeBinary, Table

from service.db import Id, UtcDateTime, metadata, tenant_column

policy_overlay = Table(
    "policy_overlay",
    metadata,
    tenant_column(),
    Column("version", Integer, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", Id, nullable=False),
)
"""Every version of each tenant's overlay, in JSON; the highest governs. Only grows."""

policy_revision = Table(
    "policy_revision",
    metadata,
    Column("revision", Id, primary_key=True),
    Column("module", LargeBinary, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("rules", LargeBinary, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("digest", LargeBinary, nullable=False),
)
"""Built policies. They are the law, so they belong to no tenant. Only grows, and only by the owner's hand.

`digest` is the SHA-256 over those of module, data and rules: only a row that doesn't match its own may be replaced.
"""

policy_activation = Table(
    "policy_activation",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("revision", Id, ForeignKey("policy_revision.revision"), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", Id, nullable=False),
)
"""Which revision governs: the last one. Only grows, and only by the owner's hand."""
