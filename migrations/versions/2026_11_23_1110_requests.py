"""Requests of data subjects: what was asked, what happened since, and when the law wants an answer.

Before: periods are known, and nobody keeps a request.
After: a row a request and a row a move. What was received and what happened stays as it is: where a request stands
and when it is due can only be changed together with a move that is stored beside it, so nothing that is overdue can be
edited away. A tenant may say its place and zone. The worker may have told, once each, what is half over, nearly over
and over. Old code runs unchanged.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations.support import ID, INSTANT, WORKER, append_only, tenant_table

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

MOVING = ("state", "version", "open", "mark", "due_on", "due_at")
"""What follows from receipt and moves. Everything else is as it was received."""

MOVED = """
    CREATE FUNCTION request_moved() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
    BEGIN
        IF (NEW.state, NEW.version, NEW.open, NEW.mark, NEW.due_on, NEW.due_at)
            IS NOT DISTINCT FROM (OLD.state, OLD.version, OLD.open, OLD.mark, OLD.due_on, OLD.due_at) THEN
            RETURN NEW;
        END IF;
        IF NEW.version <> OLD.version + 1 OR NOT EXISTS (
            SELECT FROM request_event AS event
            WHERE event.tenant = NEW.tenant AND event.request = NEW.id AND event.number = NEW.version
        ) THEN
            RAISE EXCEPTION 'a request changes by its moves' USING ERRCODE = 'insufficient_privilege';
        END IF;
        IF NEW.due_at <> OLD.due_at THEN
            NEW.told := 0;
        END IF;
        RETURN NEW;
    END $$
"""

NEW_ID = """
    encode(set_bit(set_bit(overlay(
        uuid_send(gen_random_uuid())
        PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6
    ), 52, 1), 53, 1), 'hex')::uuid
"""
"""A UUID of version 7, as the application makes them."""

TELL = f"""
    CREATE FUNCTION request_tell(now_at timestamptz, most integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DECLARE
        done integer;
    BEGIN
        WITH running AS MATERIALIZED (
            SELECT tenant, id, handle, told, CASE
                WHEN now_at >= due_at THEN 100
                WHEN now_at >= received_at + (due_at - received_at) * 0.8 THEN 80
                WHEN now_at >= received_at + (due_at - received_at) * 0.5 THEN 50
                ELSE 0
            END AS share
            FROM request WHERE open AND told < 100
        ), late AS MATERIALIZED (
            SELECT request.tenant, request.id, request.handle, running.told, running.share
            FROM running JOIN request ON request.tenant = running.tenant AND request.id = running.id
                AND request.open AND request.told = running.told
            WHERE running.share > running.told
            ORDER BY request.due_at LIMIT most
            FOR UPDATE OF request SKIP LOCKED
        ), noted AS (
            UPDATE request SET told = late.share FROM late
            WHERE request.tenant = late.tenant AND request.id = late.id
            RETURNING late.tenant
        ), announced AS (
            INSERT INTO outbox (tenant, id, type, object_id, subject, at)
            SELECT late.tenant, {NEW_ID}, 'request.' || step.word, late.id::text, late.handle, now_at
            FROM late JOIN (VALUES (50, 'half_over'), (80, 'nearly_over'), (100, 'overdue')) AS step (share, word)
                ON step.share > late.told AND step.share <= late.share
        )
        SELECT count(*) FROM noted INTO done;
        RETURN done;
    END $$
"""  # noqa: S608, a constant
"""With its owner's rights: the worker reads no request. Marked and announced in one statement, so once each."""

COUNT = """
    CREATE FUNCTION request_counts(now_at timestamptz) RETURNS TABLE (running bigint, overdue bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
        SELECT count(*), count(*) FILTER (WHERE due_at <= now_at) FROM request WHERE open
    $$
"""
FUNCTIONS = ("request_tell(timestamptz, integer)", "request_counts(timestamptz)")


def upgrade() -> None:
    for column in ("place", "time_zone"):
        op.add_column("tenant", sa.Column(column, ID))
    tenant_table(
        op,
        "request",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("handle", sa.Uuid, nullable=False),
        sa.Column("right_name", ID, nullable=False),
        sa.Column("law", ID, nullable=False),
        sa.Column("assumed", sa.Boolean, nullable=False),
        sa.Column("via", ID, nullable=False),
        sa.Column("asked", JSONB, nullable=False),
        sa.Column("joins", sa.Uuid),
        sa.Column("place", ID, nullable=False),
        sa.Column("time_zone", ID, nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("entered_at", INSTANT, nullable=False),
        sa.Column("state", ID, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("open", sa.Boolean, nullable=False),
        sa.Column("mark", ID),
        sa.Column("due_on", sa.Date),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("told", sa.SmallInteger, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("tenant", "id", name="request_pkey"),
        app=f"SELECT, INSERT, UPDATE ({', '.join(MOVING)})",
    )
    op.create_index("request_tenant_handle_idx", "request", ["tenant", "handle"])
    op.create_index(
        "request_tenant_due_at_id_idx", "request", ["tenant", "due_at", "id"], postgresql_where=sa.text("open")
    )
    op.create_index("request_tenant_state_due_at_id_idx", "request", ["tenant", "state", "due_at", "id"])
    tenant_table(
        op,
        "request_event",
        sa.Column("request", sa.Uuid, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("move", ID, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("actor", ID, nullable=False),
        sa.Column("reason", ID),
        sa.Column("authority", ID),
        sa.Column("proves", ID, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "request", "number", name="request_event_pkey"),
    )
    append_only(op, "request_event")
    op.execute(MOVED)
    op.execute("CREATE TRIGGER moved BEFORE UPDATE ON request FOR EACH ROW EXECUTE FUNCTION request_moved()")
    for function in (TELL, COUNT):
        op.execute(function)
    for function in FUNCTIONS:
        op.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {function} TO {WORKER}")


def downgrade() -> None:
    """Every request and its history are forgotten, but for the entries of the audit log."""
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}")
    for table in ("request_event", "request"):
        op.drop_table(table)
    op.execute("DROP FUNCTION request_moved()")
    for column in ("time_zone", "place"):
        op.drop_column("tenant", column)
