"""The decision log in partitions, one a month, by the time in the id.

Before: one table. Its indexes grow for ever, and what was removed from its old end leaves holes.
After: what there was is the partition of this month, whose upper bound is where the next one begins; nothing is copied.
The worker has months made ahead, and those dropped that are past and empty. A row whose month has no partition goes to
`decision_other`. Readers and writers name `decision` as before: old code runs unchanged. The upgrade reads the table
once, some seconds for ten million rows, and holds off decisions for so long.
"""

import sqlalchemy as sa
from alembic import op

from migrations.support import APP, OWNER, WORKER, edit_function, guard, owners

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

INDEXES = {
    "decision_tenant_decided_at_id_idx": ["tenant", "decided_at", "id"],
    "decision_tenant_facts_hash_idx": ["tenant", "facts_hash"],
}
NAMED = ("TG_TABLE_NAME AND id", "coalesce(TG_ARGV[0], TG_TABLE_NAME) AND id")
"""A trigger that partitions have from their table is told the partition's name, and traces are kept by the table's."""

FIRST_ID = """
    CREATE FUNCTION first_id_of(month timestamp) RETURNS uuid
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
        SELECT (lpad(to_hex((extract(epoch FROM month) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
    $$
"""
"""No UUIDv7 (RFC 9562, section 5.7) made from that instant on, in UTC, is less, and each made before it is."""

GUARD = """
    CREATE FUNCTION guard_decision_partition(partition regclass) RETURNS void
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
    BEGIN
        EXECUTE format('REVOKE ALL ON %s FROM PUBLIC', partition);
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', partition);
        EXECUTE format('CREATE POLICY decision_owner ON %s TO {owners} USING (true) WITH CHECK (true)', partition);
        EXECUTE format('GRANT SELECT ON %s TO {owner}', partition);
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %s '
            'FOR EACH STATEMENT EXECUTE FUNCTION refuse_unless_expiring()', partition);
    END
    $$
"""
"""Nobody has a right to a partition but its owner: who reads and writes goes through the table and its policies."""

KEEP = """
    CREATE FUNCTION keep_decision_months(OUT made text[], OUT dropped text[])
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '500ms' AS $$
    DECLARE
        months_ahead CONSTANT integer := 3;
        this_month CONSTANT timestamp := date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC');
        month timestamp;
        partition text;
        since uuid;
        until uuid;
        wanted boolean;
    BEGIN
        made := '{}';
        dropped := '{}';
        LOCK TABLE ONLY decision IN SHARE UPDATE EXCLUSIVE MODE;
        FOR ahead IN 0 .. months_ahead LOOP
            month := this_month + make_interval(months => ahead);
            partition := 'decision_' || to_char(month, 'YYYY_MM');
            CONTINUE WHEN to_regclass(partition) IS NOT NULL;
            since := first_id_of(month);
            until := first_id_of(month + interval '1 month');
            EXECUTE format('CREATE TABLE %I (LIKE decision INCLUDING DEFAULTS)', partition);
            LOCK TABLE decision_other IN ACCESS EXCLUSIVE MODE;
            IF EXISTS (SELECT FROM decision_other WHERE id >= since AND id < until) THEN
                EXECUTE format('INSERT INTO %I SELECT * FROM decision_other WHERE id >= $1 AND id < $2', partition)
                USING since, until;
                ALTER TABLE decision_other DISABLE TRIGGER USER;
                DELETE FROM decision_other WHERE id >= since AND id < until;
                ALTER TABLE decision_other ENABLE TRIGGER USER;
            END IF;
            EXECUTE format(
                'ALTER TABLE decision ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', partition, since, until
            );
            PERFORM guard_decision_partition(partition);
            made := made || partition;
        END LOOP;
        FOR partition IN
            SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
            WHERE inhparent = 'decision'::regclass AND relname <> 'decision_other'
                AND relname < 'decision_' || to_char(this_month, 'YYYY_MM')
            ORDER BY relname
        LOOP
            EXECUTE format('SELECT NOT EXISTS (SELECT FROM %I)', partition) INTO wanted;
            CONTINUE WHEN NOT wanted;
            LOCK TABLE ONLY decision IN ACCESS EXCLUSIVE MODE;
            EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', partition);
            EXECUTE format('SELECT NOT EXISTS (SELECT FROM %I)', partition) INTO wanted;
            CONTINUE WHEN NOT wanted;
            EXECUTE format('DROP TABLE %I', partition);
            dropped := dropped || partition;
        END LOOP;
    END
    $$
"""
"""With its owner's rights. It drops nothing that has a row: rows go by retention alone, each with its trace.

Whoever waits for a lock keeps others waiting, so it waits half a second at most, changes nothing then, and is called
again another day. Rows that went to `decision_other` because nobody had made their month are moved to it.
"""
THIS_MONTH = """
    SELECT 'decision_' || to_char(month, 'YYYY_MM'), first_id_of(month + interval '1 month')
    FROM date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC') AS month
"""
FUNCTIONS = ("keep_decision_months()", "guard_decision_partition(regclass)", "first_id_of(timestamp)")


def upgrade() -> None:
    op.execute(FIRST_ID)
    op.execute(GUARD.format(owners=owners(op), owner=OWNER))
    edit_function(op, "refuse_without_trace", *NAMED)
    [[whole, until]] = op.get_bind().execute(sa.text(THIS_MONTH))

    op.execute(f"ALTER TABLE decision RENAME TO {whole}")
    for index in ("decision_pkey", *INDEXES):
        op.execute(f"ALTER INDEX {index} RENAME TO {index.replace('decision', whole, 1)}")
    for trigger in ("append_only", "leaves_a_trace"):
        op.execute(f"DROP TRIGGER {trigger} ON {whole}")

    op.execute(f"CREATE TABLE decision (LIKE {whole} INCLUDING DEFAULTS) PARTITION BY RANGE (id)")
    finish("refuse_without_trace('decision')")
    op.execute("CREATE TABLE decision_other PARTITION OF decision DEFAULT")
    op.execute(f"INSERT INTO decision_other SELECT * FROM {whole} WHERE id >= '{until}'")  # noqa: S608, nobody's input
    op.execute(f"DELETE FROM {whole} WHERE id >= '{until}'")  # noqa: S608, nobody's input
    for policy in ("decision_owner", "decision_app"):
        op.execute(f"DROP POLICY {policy} ON {whole}")
    op.execute(f"REVOKE ALL ON {whole} FROM {APP}")
    op.execute(f"ALTER TABLE decision ATTACH PARTITION {whole} FOR VALUES FROM (MINVALUE) TO ('{until}')")
    for partition in (whole, "decision_other"):
        op.execute(f"SELECT guard_decision_partition('{partition}')")
    op.execute(KEEP)
    for function in FUNCTIONS:
        op.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION keep_decision_months() TO {WORKER}")
    op.execute("SELECT keep_decision_months()")


def downgrade() -> None:
    """All rows are copied into one table, a minute or so for ten million of them; decisions wait for so long."""
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}")
    op.execute("CREATE TABLE whole (LIKE decision INCLUDING DEFAULTS)")
    op.execute("INSERT INTO whole SELECT * FROM decision")
    op.execute("DROP TABLE decision")
    op.execute("ALTER TABLE whole RENAME TO decision")
    edit_function(op, "refuse_without_trace", *reversed(NAMED))
    finish("refuse_without_trace()")


def finish(trace: str) -> None:
    """Give the table its keys, rights and triggers; `trace` is the function without which no row goes."""
    op.create_primary_key("decision_pkey", "decision", ["tenant", "id"])
    for index, columns in INDEXES.items():
        op.create_index(index, "decision", columns)
    guard(op, "decision", column="tenant", app="SELECT, INSERT")
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON decision "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_unless_expiring()"
    )
    op.execute(f"CREATE TRIGGER leaves_a_trace BEFORE DELETE ON decision FOR EACH ROW EXECUTE FUNCTION {trace}")
