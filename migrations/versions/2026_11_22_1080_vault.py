"""The vault: wrapped keys, sealed values, blind indexes, suppression hashes and tokens.

Before: no personal data has a place here.
After: eight tables, all empty. Old code runs unchanged.
"""

import sqlalchemy as sa
from alembic import op

from migrations.support import ID, INSTANT, append_only, tenant_table

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

UNDER_THE_RING = ("ring", "ring_version", "wrapped")
UNDER_THE_TENANT_KEY = ("tenant_key_version", "wrapped", "destroyed_at")


def upgrade() -> None:
    _keys()
    _values()
    _hashes()


def _keys() -> None:
    """Whoever rotates wraps anew: the application may change how a key is wrapped, never whose it is."""
    tenant_table(
        op,
        "vault_tenant_key",
        sa.Column("version", sa.Integer, nullable=False),
        *_wrapped_by_the_ring(),
        sa.PrimaryKeyConstraint("tenant", "version", name="vault_tenant_key_pkey"),
        app=f"SELECT, INSERT, UPDATE ({', '.join(UNDER_THE_RING)})",
    )
    tenant_table(
        op,
        "vault_secret_key",
        sa.Column("kind", ID, nullable=False),
        sa.Column("field", ID, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        *_wrapped_by_the_ring(),
        sa.PrimaryKeyConstraint("tenant", "kind", "field", "version", name="vault_secret_key_pkey"),
        app=f"SELECT, INSERT, UPDATE ({', '.join(UNDER_THE_RING)})",
    )
    # No DELETE: the row of a destroyed key stays, so that nobody makes another under the same handle.
    tenant_table(
        op,
        "vault_subject_key",
        sa.Column("handle", sa.Uuid, nullable=False),
        sa.Column("key_id", sa.LargeBinary, nullable=False),
        sa.Column("tenant_key_version", sa.Integer, nullable=False),
        sa.Column("wrapped", sa.LargeBinary, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("destroyed_at", INSTANT),
        sa.PrimaryKeyConstraint("tenant", "handle", name="vault_subject_key_pkey"),
        app=f"SELECT, INSERT, UPDATE ({', '.join(UNDER_THE_TENANT_KEY)})",
    )
    op.create_index(
        "vault_subject_key_tenant_tenant_key_version_idx", "vault_subject_key", ["tenant", "tenant_key_version"]
    )


def _values() -> None:
    tenant_table(
        op,
        "vault_field",
        sa.Column("name", ID, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("actor", ID, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "name", "version", name="vault_field_pkey"),
    )
    append_only(op, "vault_field")
    tenant_table(
        op,
        "vault_value",
        sa.Column("handle", sa.Uuid, nullable=False),
        sa.Column("field", ID, nullable=False),
        sa.Column("label", ID, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("actor", ID, nullable=False),
        sa.Column("deleted_at", INSTANT),
        sa.PrimaryKeyConstraint("tenant", "handle", "field", "label", "version", name="vault_value_pkey"),
        app="SELECT, INSERT, UPDATE (deleted_at)",
    )
    # Sealed bytes don't compress.
    op.execute("ALTER TABLE vault_value ALTER COLUMN sealed SET STORAGE EXTERNAL")


def _hashes() -> None:
    tenant_table(
        op,
        "vault_index",
        sa.Column("field", ID, nullable=False),
        sa.Column("index_version", sa.Integer, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("handle", sa.Uuid, nullable=False),
        sa.Column("label", ID, nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant", "field", "index_version", "digest", "handle", "label", name="vault_index_pkey"
        ),
        app="SELECT, INSERT, DELETE",
    )
    op.create_index("vault_index_tenant_handle_field_label_idx", "vault_index", ["tenant", "handle", "field", "label"])
    tenant_table(
        op,
        "vault_suppression",
        sa.Column("kind", ID, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "kind", "digest", name="vault_suppression_pkey"),
    )
    tenant_table(
        op,
        "vault_token",
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("handle", sa.Uuid, nullable=False),
        sa.Column("field", ID, nullable=False),
        sa.Column("label", ID, nullable=False),
        sa.Column("purpose", ID, nullable=False),
        sa.Column("recipient", ID, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("actor", ID, nullable=False),
        sa.Column("revoked_at", INSTANT),
        sa.PrimaryKeyConstraint("tenant", "digest", name="vault_token_pkey"),
        app="SELECT, INSERT, UPDATE (revoked_at)",
    )
    op.create_index("vault_token_tenant_handle_idx", "vault_token", ["tenant", "handle"])


def downgrade() -> None:
    """What the vault holds is gone afterwards, and its keys with it."""
    for table in ("token", "suppression", "index", "value", "field", "subject_key", "secret_key", "tenant_key"):
        op.drop_table(f"vault_{table}")


def _wrapped_by_the_ring() -> list[sa.Column[str] | sa.Column[bytes]]:
    return [
        sa.Column("ring", ID, nullable=False),
        sa.Column("ring_version", ID, nullable=False),
        sa.Column("wrapped", sa.LargeBinary, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
    ]
