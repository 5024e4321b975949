from sqlalchemy import Column, Index, Integer, LargeBinary, Table, Uuid, text

from service.db import Id, UtcDateTime, metadata, tenant_column

vault_tenant_key = Table(
    "vault_tenant_key",
    metadata,
    tenant_column(),
    Column("version", Integer, primary_key=True),
    Column("ring", Id, nullable=False),
    Column("ring_version", Id, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)
"""The keys that wrap subject keys, each wrapped by the ring. How they are wrapped may change, and nothing else."""

vault_secret_key = Table(
    "vault_secret_key",
    metadata,
    tenant_column(),
    Column("kind", Id, primary_key=True),
    Column("field", Id, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("ring", Id, nullable=False),
    Column("ring_version", Id, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)
"""Index, suppression and box keys, wrapped by the ring; `field` is empty for a key of all fields."""

vault_subject_key = Table(
    "vault_subject_key",
    metadata,
    tenant_column(),
    Column("handle", Uuid, primary_key=True),
    Column("key_id", LargeBinary, nullable=False),
    Column("tenant_key_version", Integer, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("destroyed_at", UtcDateTime),
    Index(None, "tenant", "tenant_key_version"),
)
"""One key per person, in a table of their own so that its backups can be short-lived.

Destroying a key empties `wrapped` and leaves the row, so that no writer who comes late makes
a new key under the same handle.
"""

vault_field = Table(
    "vault_field",
    metadata,
    tenant_column(),
    Column("name", Id, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", Id, nullable=False),
)
"""The fields that a tenant added to the built-in ones, or changed; the newest version counts. Only grows."""

vault_value = Table(
    "vault_value",
    metadata,
    tenant_column(),
    Column("handle", Uuid, primary_key=True),
    Column("field", Id, primary_key=True),
    Column("label", Id, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", Id, nullable=False),
    Column("deleted_at", UtcDateTime),
    Index(
        "vault_value_replacing_idx",
        *("tenant", "field", "at", "handle", "label", "version"),
        postgresql_where=text("version > 1"),
    ),
)
"""Versions of values, sealed. Nothing in it is derived from a plaintext.

The latest of each value is always there, so that no number is taken twice; those that it replaced stay for as long as
the field says, and nobody but `vault_expire` removes them. The index leads there: by what replaced another.
"""

vault_index = Table(
    "vault_index",
    metadata,
    tenant_column(),
    Column("field", Id, primary_key=True),
    Column("index_version", Integer, primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    Column("handle", Uuid, primary_key=True),
    Column("label", Id, primary_key=True),
    Index(None, "tenant", "handle", "label"),
)
"""The blind index: keyed hashes of the latest values.

The second index finds a person's. With the field in it, it looks as good for finding a value while PostgreSQL knows
little about the table, and would have everything of the tenant's read.
"""

vault_suppression = Table(
    "vault_suppression",
    metadata,
    tenant_column(),
    Column("kind", Id, primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
)
"""Keyed hashes of what must not come back unasked, under a key that outlives the subjects'. Names nobody."""

vault_token = Table(
    "vault_token",
    metadata,
    tenant_column(),
    Column("digest", LargeBinary, primary_key=True),
    Column("handle", Uuid, nullable=False),
    Column("field", Id, nullable=False),
    Column("label", Id, nullable=False),
    Column("purpose", Id, nullable=False),
    Column("recipient", Id, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("actor", Id, nullable=False),
    Column("revoked_at", UtcDateTime),
    Index(None, "tenant", "handle"),
)
"""Stand-ins for values, by the hash of the random token; the token itself is with its recipient."""

vault_import = Table(
    "vault_import",
    metadata,
    tenant_column(),
    Column("id", Uuid, primary_key=True),
    Column("done", Integer, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("seen", LargeBinary),
)
"""How many lines of an import have been dealt with, and a keyed hash of them: it can go on where it broke off."""
