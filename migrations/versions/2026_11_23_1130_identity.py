"""Who asks shows who they are, both write to each other, and nobody confirms a request too late unnoticed.

Before: staff says how identity was shown; a request has no letters; its confirmation has a date that nobody watches.
After: a row while somebody shows who they are, with a keyed hash of a code; a row for each letter, whose text lies in
the vault. The application may remove proofs from the vault when the case ends, and nothing else. A request notes until
when it must be confirmed, and the worker tells of what is late, once each. Old code runs unchanged; what it moves notes
no such date. Requests that ended long ago may go, with what was written about them, as all content does.
"""

import sqlalchemy as sa
from alembic import op

from migrations.support import APP, ID, INSTANT, WORKER, append_only, edit_function, tenant_table

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

MOVED = (("NEW.due_at)", "NEW.due_at, NEW.acknowledge_at)"), ("OLD.due_at)", "OLD.due_at, OLD.acknowledge_at)"))
"""What is replaced in `request_moved` by what: the date is noted with a move as well, and at no other time."""

NEW_ID = """
    encode(set_bit(set_bit(overlay(
        uuid_send(gen_random_uuid())
        PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6
    ), 52, 1), 53, 1), 'hex')::uuid
"""
"""A UUID of version 7, as the application makes them."""

TELL = f"""
    CREATE FUNCTION request_tell_unconfirmed(now_at timestamptz, most integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DECLARE
        done integer;
    BEGIN
        WITH late AS MATERIALIZED (
            SELECT tenant, id, handle, acknowledge_told AS told,
                CASE WHEN acknowledge_at <= now_at THEN 100 ELSE 80 END AS share
            FROM request
            WHERE open AND acknowledge_told < CASE
                WHEN acknowledge_at <= now_at THEN 100
                WHEN received_at + (acknowledge_at - received_at) * 0.8 <= now_at THEN 80
                ELSE 0
            END
            ORDER BY acknowledge_at LIMIT most
            FOR UPDATE SKIP LOCKED
        ), noted AS (
            UPDATE request SET acknowledge_told = late.share FROM late
            WHERE request.tenant = late.tenant AND request.id = late.id
            RETURNING late.tenant
        ), announced AS (
            INSERT INTO outbox (tenant, id, type, object_id, subject, at)
            SELECT late.tenant, {NEW_ID}, 'request.' || step.word, late.id::text, late.handle, now_at
            FROM late JOIN (VALUES (80, 'nearly_unconfirmed'), (100, 'unconfirmed')) AS step (share, word)
                ON step.share > late.told AND step.share <= late.share
        )
        SELECT count(*) FROM noted INTO done;
        RETURN done;
    END $$
"""  # noqa: S608, a constant
"""With its owner's rights: the worker reads no request. Marked and announced in one statement, so once each."""

DROP = """
    CREATE FUNCTION vault_drop_proofs(of_handle uuid, labels text[]) RETURNS SETOF text
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
        DELETE FROM vault_value
        WHERE tenant = current_setting('volens.tenant', true) AND handle = of_handle AND field = 'request_proof'
            AND label = ANY(labels)
        RETURNING label
    $$
"""
"""With its owner's rights, because nobody else may delete a version: of this tenant, and of no other field."""

EXPIRE = """
    CREATE FUNCTION expire_requests(
        of_tenant text, ended_by timestamptz, most integer, dry boolean, after text,
        entry uuid, by_request uuid, by_actor text,
        OUT removed integer, OUT held integer, OUT last text
    )
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DECLARE
        seen integer;
        ids uuid[];
    BEGIN
        PERFORM refuse_early_expiry(ended_by, by_actor);
        IF NOT dry THEN
            LOCK TABLE audit_hold IN SHARE MODE;
        END IF;
        PERFORM set_config('volens.expiring', 'on', true);
        SELECT count(*), count(*) FILTER (WHERE over AND kept), array_agg(id) FILTER (WHERE over AND NOT kept),
            max(id::text)
        INTO seen, held, ids, last
        FROM (
            SELECT id, content_held(of_tenant, handle, entered_at) OR coalesce(mark = 'restricted', false) AS kept, (
                SELECT max(at) FROM request_event WHERE tenant = of_tenant AND request = asked.id
            ) <= ended_by AS over
            FROM request AS asked
            WHERE tenant = of_tenant AND NOT open AND (after = '' OR id > nullif(after, '')::uuid)
            ORDER BY id LIMIT most
        ) AS piece;
        removed := coalesce(array_length(ids, 1), 0);
        IF NOT dry AND removed > 0 THEN
            INSERT INTO expired (tenant, kind, id, handle, at, expired_at)
            SELECT tenant, 'request', id, handle, entered_at, clock_timestamp() FROM request
            WHERE tenant = of_tenant AND id = ANY(ids) ORDER BY id ON CONFLICT DO NOTHING;
            DELETE FROM vault_value AS said
            USING request_letter AS letter JOIN request AS asked
                ON asked.tenant = of_tenant AND asked.id = letter.request,
                LATERAL handles_of(of_tenant, asked.handle) AS whose
            WHERE letter.tenant = of_tenant AND letter.request = ANY(ids)
                AND said.tenant = of_tenant AND said.handle = whose
                AND said.field IN ('request_letter', 'request_proof')
                AND said.label = replace(letter.id::text, '-', '');
            DELETE FROM request_challenge WHERE tenant = of_tenant AND request = ANY(ids);
            DELETE FROM request_letter WHERE tenant = of_tenant AND request = ANY(ids);
            DELETE FROM request_event WHERE tenant = of_tenant AND request = ANY(ids);
            DELETE FROM request WHERE tenant = of_tenant AND id = ANY(ids);
            GET DIAGNOSTICS removed = ROW_COUNT;
        END IF;
        PERFORM set_config('volens.expiring', '', true);
        IF seen < most THEN
            last := NULL;
        END IF;
        IF NOT dry AND removed > 0 THEN
            PERFORM note_expiry(of_tenant, 'request', removed, entry, by_request, by_actor);
        END IF;
    END
    $$
"""
"""One step, with its owner's rights and its trace, as for the other kinds of content; the last move is what counts.

What nobody answered stays, and so does a restriction that was not lifted.
"""
EXPIRING = ("request_event", "request_letter")


def upgrade() -> None:
    op.add_column("request", sa.Column("acknowledge_at", INSTANT))
    op.add_column("request", sa.Column("acknowledge_told", sa.SmallInteger, nullable=False, server_default="0"))
    op.execute(f"GRANT UPDATE (acknowledge_at) ON request TO {APP}")
    op.create_index(
        "request_tenant_joins_idx", "request", ["tenant", "joins"], postgresql_where=sa.text("joins IS NOT NULL")
    )
    for before, after in MOVED:
        edit_function(op, "request_moved", before, after)
    tenant_table(
        op,
        "request_challenge",
        sa.Column("request", sa.Uuid, nullable=False),
        sa.Column("handle", sa.Uuid, nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("codes", sa.SmallInteger, nullable=False),
        sa.Column("mistakes", sa.Integer, nullable=False),
        sa.Column("method", ID),
        sa.Column("mark", sa.LargeBinary),
        sa.Column("expires_at", INSTANT),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "request", name="request_challenge_pkey"),
        app="SELECT, INSERT, UPDATE, DELETE",
    )
    op.create_index("request_challenge_tenant_handle_idx", "request_challenge", ["tenant", "handle"])
    tenant_table(
        op,
        "request_letter",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("request", sa.Uuid, nullable=False),
        sa.Column("about", ID, nullable=False),
        sa.Column("own", sa.Boolean, nullable=False),
        sa.Column("media_type", ID, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("actor", ID, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name="request_letter_pkey"),
    )
    op.create_index("request_letter_tenant_request_at_id_idx", "request_letter", ["tenant", "request", "at", "id"])
    op.execute("DROP TRIGGER append_only ON request_event")
    for table in EXPIRING:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_unless_expiring()"
        )
    for statement, function, role in (
        (TELL, "request_tell_unconfirmed(timestamptz, integer)", WORKER),
        (DROP, "vault_drop_proofs(uuid, text[])", APP),
        (EXPIRE, "expire_requests(text, timestamptz, integer, boolean, text, uuid, uuid, text)", WORKER),
    ):
        op.execute(statement)
        op.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {function} TO {role}")


def downgrade() -> None:
    """Codes on their way are good no more; letters stay in the vault, and nobody knows what they are about."""
    op.execute("DROP FUNCTION expire_requests(text, timestamptz, integer, boolean, text, uuid, uuid, text)")
    op.execute("DROP FUNCTION vault_drop_proofs(uuid, text[])")
    op.execute("DROP TRIGGER append_only ON request_event")
    append_only(op, "request_event")
    op.execute("DROP FUNCTION request_tell_unconfirmed(timestamptz, integer)")
    for table in ("request_letter", "request_challenge"):
        op.drop_table(table)
    for before, after in MOVED:
        edit_function(op, "request_moved", after, before)
    op.drop_index("request_tenant_joins_idx", "request")
    op.execute(f"REVOKE UPDATE (acknowledge_at) ON request FROM {APP}")
    for column in ("acknowledge_told", "acknowledge_at"):
        op.drop_column("request", column)
