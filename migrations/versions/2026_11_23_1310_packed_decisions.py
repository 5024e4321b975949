"""Decisions of batches, many in one row, with an entry for each chunk.

Before: each decision is a row, with an entry of its own.
After: two more tables, for chunks and for the answers in them.
Content has one more kind, `batch`: a chunk goes when its period is over and nobody in it is held. Facts that an answer
points to stay. Old code runs unchanged and shows none of these decisions.
"""

import sqlalchemy as sa
from alembic import op

from migrations.support import ID, INSTANT, WORKER, edit_function, tenant_table

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

HANDLES = """
    CREATE FUNCTION batch_handles(body bytea) RETURNS SETOF uuid
    LANGUAGE sql IMMUTABLE STRICT SET search_path = public, pg_temp AS $$
        SELECT encode(substring(body FROM place * 28 + 1 FOR 16), 'hex')::uuid
        FROM generate_series(0, length(body) / 28 - 1) AS place
    $$
"""
EXPIRE = """
    CREATE FUNCTION expire_batches(
        of_tenant text, ended_by timestamptz, most integer, dry boolean, after text,
        entry uuid, by_request uuid, by_actor text,
        OUT removed integer, OUT held integer, OUT last text
    )
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DECLARE
        chunk record;
    BEGIN
        PERFORM refuse_early_expiry(ended_by, by_actor);
        IF NOT dry THEN
            LOCK TABLE audit_hold IN SHARE MODE;
        END IF;
        PERFORM set_config('volens.expiring', 'on', true);
        removed := 0;
        held := 0;
        SELECT id, at, body INTO chunk FROM batch
        WHERE tenant = of_tenant AND at <= ended_by AND (after = '' OR id > nullif(after, '')::uuid)
        ORDER BY id LIMIT 1;
        IF FOUND THEN
            last := chunk.id::text;
            IF EXISTS (
                SELECT FROM batch_handles(chunk.body) AS whose WHERE content_held(of_tenant, whose, chunk.at)
            ) THEN
                held := 1;
            ELSE
                removed := 1;
            END IF;
        END IF;
        IF NOT dry AND last IS NULL THEN
            DELETE FROM frame AS shared WHERE tenant = of_tenant
                AND NOT EXISTS (SELECT FROM narrow WHERE tenant = of_tenant AND frame = shared.hash);
        END IF;
        IF NOT dry AND removed > 0 THEN
            INSERT INTO expired (tenant, kind, id, handle, at, expired_at)
            VALUES (of_tenant, 'batch', chunk.id, NULL, chunk.at, clock_timestamp()) ON CONFLICT DO NOTHING;
            DELETE FROM batch_answer WHERE tenant = of_tenant AND batch = chunk.id;
            DELETE FROM batch WHERE tenant = of_tenant AND id = chunk.id;
            PERFORM note_expiry(of_tenant, 'batch', removed, entry, by_request, by_actor);
        END IF;
        PERFORM set_config('volens.expiring', '', true);
    END
    $$
"""
"""One chunk a step: ids are in the order of time. With the last, frames go that no narrow row names any more."""
SIGNATURE = "expire_batches(text, timestamptz, integer, boolean, text, uuid, uuid, text)"
POINTED = "SELECT FROM batch_answer WHERE tenant = of_tenant AND facts_hash"
EDITS = (
    (
        "facts_hash = asked.hash);\n        IF NOT dry",
        f"facts_hash = asked.hash) AND NOT EXISTS ({POINTED} = asked.hash);\n        IF NOT dry",
    ),
    ("facts_hash = told.facts_hash);", f"facts_hash = told.facts_hash) AND NOT EXISTS ({POINTED} = told.facts_hash);"),
    (
        "facts_hash = asked.hash);\n            GET",
        f"facts_hash = asked.hash) AND NOT EXISTS ({POINTED} = asked.hash);\n            GET",
    ),
    (
        "LOCK TABLE decision IN SHARE MODE;",
        "LOCK TABLE decision IN SHARE MODE; LOCK TABLE batch_answer IN SHARE MODE;",
    ),
)
"""What is replaced in `expire_facts` by what: an answer points to facts as a decision does."""
GROWS = ("batch", "batch_answer")


def upgrade() -> None:
    tenant_table(
        op,
        "batch",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("channel", ID, nullable=False),
        sa.Column("purpose", ID, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("revision", ID, nullable=False),
        sa.Column("overlay_version", sa.Integer, nullable=False),
        sa.Column("actor", ID, nullable=False),
        sa.Column("request", ID, nullable=False),
        sa.Column("decisions", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("root", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name="batch_pkey"),
    )
    op.execute("ALTER TABLE batch ALTER COLUMN body SET STORAGE EXTERNAL")
    tenant_table(
        op,
        "batch_answer",
        sa.Column("batch", sa.Uuid, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("permit", sa.Boolean, nullable=False),
        sa.Column("facts_hash", sa.LargeBinary, nullable=False),
        sa.Column("verdict_hash", sa.LargeBinary, nullable=False),
        sa.Column("shown", ID, nullable=False),
        sa.Column("retry_after", sa.Text),
        sa.PrimaryKeyConstraint("tenant", "batch", "number", name="batch_answer_pkey"),
    )
    op.create_index("batch_answer_tenant_facts_hash_idx", "batch_answer", ["tenant", "facts_hash"])
    op.execute(HANDLES)
    op.execute("REVOKE EXECUTE ON FUNCTION batch_handles(bytea) FROM PUBLIC")
    op.execute(EXPIRE)
    op.execute(f"REVOKE EXECUTE ON FUNCTION {SIGNATURE} FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION {SIGNATURE} TO {WORKER}")
    for before, after in EDITS:
        edit_function(op, "expire_facts", before, after)
    for table in GROWS:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_unless_expiring()"
        )
    op.execute(
        "CREATE TRIGGER leaves_a_trace BEFORE DELETE ON batch FOR EACH ROW EXECUTE FUNCTION refuse_without_trace()"
    )


def downgrade() -> None:
    """What batches decided is gone; the entries of their chunks stay, and say under which root it was."""
    for before, after in reversed(EDITS):
        edit_function(op, "expire_facts", after, before)
    op.execute(f"DROP FUNCTION {SIGNATURE}")
    op.execute("DROP FUNCTION batch_handles(bytea)")
    for table in reversed(GROWS):
        op.drop_table(table)
