"""Who looks for a value goes by the key of the blind index, whatever PostgreSQL knows of the table yet.

Before: a second index, by person, has the field as well, and may look as good for finding a value.
After: it has no column but the tenant that such a search names, and is smaller. Old code runs unchanged.
"""

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("vault_index_tenant_handle_label_idx", "vault_index", ["tenant", "handle", "label"])
    op.drop_index("vault_index_tenant_handle_field_label_idx", "vault_index")


def downgrade() -> None:
    op.create_index("vault_index_tenant_handle_field_label_idx", "vault_index", ["tenant", "handle", "field", "label"])
    op.drop_index("vault_index_tenant_handle_label_idx", "vault_index")
