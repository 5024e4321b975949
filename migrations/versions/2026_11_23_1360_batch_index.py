"""An index by person over the chunks of batches, which the worker builds behind them.

Before: who asks what batches decided about somebody has every chunk looked through.
After: two tables. `batch_run` has a row for each chunk, written by a trigger in the chunk's transaction: which run of
the index has it, or none yet. `batch_index` has the parts of runs. All chunks of before have no run at first; the
worker indexes them, two seconds for each million decisions. Old code runs unchanged and looks through every chunk.
"""

import sqlalchemy as sa
from alembic import op

from migrations.support import WORKER, tenant_table

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None

WAIT = """
    CREATE FUNCTION batch_wait() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    BEGIN
        INSERT INTO batch_run (tenant, batch) VALUES (NEW.tenant, NEW.id);
        RETURN NULL;
    END $$
"""
"""No mark of how far the index is could do: ids are made before their chunks commit, and one may commit late."""

LEAVE = """
    CREATE FUNCTION batch_leave() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DECLARE
        left_run uuid;
    BEGIN
        DELETE FROM batch_run WHERE tenant = OLD.tenant AND batch = OLD.id RETURNING run INTO left_run;
        IF left_run IS NOT NULL THEN
            UPDATE batch_run SET run = NULL, first = NULL WHERE tenant = OLD.tenant AND run = left_run;
            DELETE FROM batch_index WHERE tenant = OLD.tenant AND run = left_run;
        END IF;
        RETURN NULL;
    END $$
"""
"""Nothing in the index outlives its chunk: the whole run goes, and what is left of its chunks waits anew.

Where the worker is at this chunk, the first statement waits for it and learns the run that it made.
"""

INDEX = """
    CREATE FUNCTION index_batches(
        enough integer, many integer, most integer, OUT indexed integer, OUT unindexed bigint
    )
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DECLARE
        deepest CONSTANT integer := 12;
        of_tenant text;
        new_run uuid := gen_random_uuid();
        chunks uuid[];
        firsts integer[];
        size bigint;
        depth integer;
    BEGIN
        indexed := 0;
        FOR of_tenant IN SELECT id FROM tenant ORDER BY id LOOP
            WITH waiting AS MATERIALIZED (
                SELECT batch AS id FROM batch_run WHERE tenant = of_tenant AND run IS NULL
                ORDER BY batch LIMIT 2 * many FOR UPDATE SKIP LOCKED
            ), placed AS (
                SELECT id, decisions, sum(decisions) OVER (ORDER BY id) AS until, sum(decisions) OVER () AS whole,
                    count(*) OVER () AS number
                FROM waiting JOIN batch USING (id) WHERE tenant = of_tenant
            )
            SELECT array_agg(id ORDER BY id), array_agg(until - decisions ORDER BY id), sum(decisions)
            INTO chunks, firsts, size FROM placed
            WHERE (whole >= enough OR number >= many) AND (until <= most OR until = decisions);
            CONTINUE WHEN chunks IS NULL;
            depth := least(deepest, greatest(0, ceil(log(2, size / 250.0))));
            UPDATE batch_run SET run = new_run, first = part.first
            FROM unnest(chunks, firsts) AS part (id, first) WHERE tenant = of_tenant AND batch = part.id;
            INSERT INTO batch_index (tenant, bucket, run, body)
            SELECT of_tenant, piece.bucket, new_run, string_agg(piece.place, '')
            FROM unnest(chunks, firsts) AS part (id, first)
            JOIN batch ON batch.tenant = of_tenant AND batch.id = part.id
            CROSS JOIN LATERAL (
                SELECT (1 << depth) | (last >> (16 - depth)) AS bucket,
                    substring(body FROM at + 14 FOR 3) || substring(int4send(part.first + at / 28) FROM 2) AS place
                FROM (SELECT batch.body || ''::bytea OFFSET 0) AS inline (body)
                CROSS JOIN generate_series(0, (decisions - 1) * 28, 28) AS at
                CROSS JOIN LATERAL (SELECT (get_byte(body, at + 12) << 8) | get_byte(body, at + 13)) AS bits (last)
                WHERE substring(body FROM at + 1 FOR 16) <> decode(repeat('00', 16), 'hex')
                OFFSET 0
            ) AS piece
            GROUP BY piece.bucket;
            indexed := cardinality(chunks);
            EXIT;
        END LOOP;
        SELECT count(*) INTO unindexed FROM tenant JOIN batch_run ON batch_run.tenant = tenant.id WHERE run IS NULL;
    END
    $$
"""
"""Makes one run, of chunks of one tenant, where `enough` decisions or `many` chunks wait; `most` decisions at once.

The body of a chunk is fetched as a whole (`|| ''`), once, or each piece of it would be a look-up. Strangers are in no
index, since nobody asks for them. Two workers at once take different chunks.
"""
SIGNATURE = "index_batches(integer, integer, integer)"
TRIGGERS = {"batch_wait": "AFTER INSERT", "batch_leave": "AFTER DELETE"}


def upgrade() -> None:
    tenant_table(
        op,
        "batch_run",
        sa.Column("batch", sa.Uuid, nullable=False),
        sa.Column("run", sa.Uuid),
        sa.Column("first", sa.Integer),
        sa.PrimaryKeyConstraint("tenant", "batch", name="batch_run_pkey"),
        app="SELECT",
    )
    op.create_index("batch_run_tenant_run_first_idx", "batch_run", ["tenant", "run", "first"])
    tenant_table(
        op,
        "batch_index",
        sa.Column("bucket", sa.Integer, nullable=False),
        sa.Column("run", sa.Uuid, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "bucket", "run", name="batch_index_pkey"),
        app="SELECT",
    )
    op.create_index("batch_index_tenant_run_idx", "batch_index", ["tenant", "run"])
    op.execute("ALTER TABLE batch_index ALTER COLUMN body SET STORAGE MAIN")
    for function, source in (("batch_wait()", WAIT), ("batch_leave()", LEAVE), (SIGNATURE, INDEX)):
        op.execute(source)
        op.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION {SIGNATURE} TO {WORKER}")
    for trigger, when in TRIGGERS.items():
        op.execute(f"CREATE TRIGGER {trigger} {when} ON batch FOR EACH ROW EXECUTE FUNCTION {trigger}()")
    op.execute("INSERT INTO batch_run (tenant, batch) SELECT tenant, id FROM batch")


def downgrade() -> None:
    """Nothing is lost: the index says no more than the chunks."""
    for trigger in TRIGGERS:
        op.execute(f"DROP TRIGGER {trigger} ON batch")
        op.execute(f"DROP FUNCTION {trigger}()")
    op.execute(f"DROP FUNCTION {SIGNATURE}")
    for table in ("batch_index", "batch_run"):
        op.drop_table(table)
