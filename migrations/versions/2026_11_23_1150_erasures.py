"""Erasures: how far each one is, what it removes, and what keeps the erased from coming back.

Before: a key can be destroyed; histories, facts and the id of a person stay.
After: a row an erasure and a row a step. The worker has the history of somebody removed whose key is destroyed and
whose erasure was begun, by a function that removes nothing that is held, and nothing without a trace and an entry.
An id that was erased names a new handle, which never gets a key; where a tenant wishes, the id itself goes and its
keyed hash stays, by which a trigger knows it again. Old code runs unchanged.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

from migrations.support import APP, ID, INSTANT, WORKER, append_only, tenant_table

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

NOBODY = "'00000000-0000-0000-0000-000000000000'::uuid"
DIGEST = f"""
    CREATE FUNCTION subject_digest(of_tenant text, who text) RETURNS bytea LANGUAGE sql STABLE AS $$
        SELECT sha256(secret || convert_to('volens.subject' || who, 'UTF8')) FROM commitment_secret
        WHERE tenant = of_tenant AND handle = {NOBODY}
    $$
"""  # noqa: S608, a constant
"""Under the tenant's own secret of 32 bytes, which comes first and has one length."""

RETURNS = """
    CREATE FUNCTION subject_returns() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DECLARE
        stone subject_tombstone;
    BEGIN
        IF EXISTS (SELECT FROM subject_tombstone WHERE tenant = NEW.tenant) THEN
            SELECT * INTO stone FROM subject_tombstone
            WHERE tenant = NEW.tenant AND digest = subject_digest(NEW.tenant, NEW.subject);
            IF FOUND THEN
                NEW.handle := stone.handle;
                NEW.flags := stone.flags;
            END IF;
        END IF;
        RETURN NEW;
    END $$
"""
"""Whoever inserts an id that was erased gets the handle under which that is known, and its flags."""

HIDE = """
    CREATE FUNCTION subject_hide(who text, at timestamptz) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DECLARE
        mine text := current_setting('volens.tenant', true);
    BEGIN
        INSERT INTO subject_tombstone (tenant, digest, handle, flags, at)
        SELECT mine, subject_digest(mine, person.subject), person.handle, person.flags, subject_hide.at
        FROM subject AS person JOIN vault_subject_key AS key
            ON key.tenant = person.tenant AND key.handle = person.handle AND key.destroyed_at IS NOT NULL
        WHERE person.tenant = mine AND person.subject = who
        ON CONFLICT (tenant, digest) DO UPDATE SET handle = excluded.handle, flags = excluded.flags, at = excluded.at;
        IF NOT FOUND THEN
            RAISE insufficient_privilege USING MESSAGE = 'only an id that was erased is hidden';
        END IF;
        DELETE FROM subject WHERE tenant = mine AND subject = who;
    END $$
"""

DUE = """
    CREATE FUNCTION erasures_due() RETURNS TABLE (tenant text, request uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
        SELECT asked.tenant, asked.id FROM request AS asked
        WHERE asked.right_name = 'erasure' AND asked.state = 'executing' AND NOT EXISTS (
            SELECT FROM erasure WHERE erasure.tenant = asked.tenant AND erasure.request = asked.id
                AND erasure.ended_at IS NOT NULL
        )
        UNION ALL SELECT erasure.tenant, erasure.request FROM erasure
        WHERE erasure.kept_until <= clock_timestamp() AND erasure.ended_at IS NOT NULL
    $$
"""
"""With its owner's rights: the worker reads no request."""

NOTE = """
    CREATE FUNCTION note_erasure(
        of_tenant text, what text, of_request uuid, whose uuid, entry uuid, by_request uuid, by_actor text
    ) RETURNS void LANGUAGE plpgsql AS $$
    DECLARE
        now_at timestamptz := clock_timestamp();
        canonical bytea := convert_to(format(
            '{"actor":%s,"at":%s,"commitment"\\:null,"event":%s,"id":"%s","object":"%s",'
            '"request":"%s","subject":"%s","tenant":%s,"v"\\:1}',
            to_json(by_actor), to_json(to_char(now_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')),
            to_json(what), entry, of_request, by_request, whose, to_json(of_tenant)
        ), 'UTF8');
    BEGIN
        INSERT INTO audit_entry (tenant, id, at, event, object_id, subject, actor, request, canonical)
        VALUES (of_tenant, entry, now_at, what, of_request::text, whose, by_actor, by_request::text, canonical);
        INSERT INTO audit_pending (tenant, id, leaf) VALUES (of_tenant, entry, sha256('\\x00' || canonical));
        INSERT INTO outbox (tenant, id, type, object_id, subject, at)
        VALUES (of_tenant, gen_random_uuid(), what, of_request::text, whose, now_at);
    END
    $$
"""
"""`canonical` is version 1 of what service/audit/domain.py lays down."""

REDUCE = """
    CREATE FUNCTION erasure_reduce(
        of_tenant text, of_request uuid, keep uuid[], until timestamptz, now_at timestamptz,
        entries uuid[], by_request uuid, by_actor text,
        OUT held boolean, OUT records integer, OUT versions integer
    )
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DECLARE
        mine erasure;
        first_time boolean;
    BEGIN
        SELECT * INTO mine FROM erasure WHERE tenant = of_tenant AND request = of_request FOR UPDATE;
        IF mine.request IS NULL OR EXISTS (
            SELECT FROM unnest(mine.handles) AS whose WHERE NOT EXISTS (
                SELECT FROM vault_subject_key AS key
                WHERE key.tenant = of_tenant AND key.handle = whose AND key.destroyed_at IS NOT NULL
            )
        ) OR EXISTS (
            SELECT FROM subject WHERE tenant = of_tenant AND handle = ANY(mine.handles)
        ) THEN
            RAISE insufficient_privilege USING MESSAGE = 'a history goes when its person is forgotten and has no id';
        END IF;
        LOCK TABLE audit_hold IN SHARE MODE;
        held := EXISTS (
            SELECT FROM audit_hold WHERE tenant = of_tenant AND lifted_at IS NULL
                AND (handle IS NULL OR handle = ANY(mine.handles))
        );
        IF held THEN
            RETURN;
        END IF;
        first_time := NOT EXISTS (
            SELECT FROM erasure_step WHERE tenant = of_tenant AND request = of_request AND step = 'reduced'
        );
        INSERT INTO expired (tenant, kind, id, handle, at, expired_at)
        SELECT tenant, 'record', id, handle, received_at, clock_timestamp() FROM record
        WHERE tenant = of_tenant AND handle = ANY(mine.handles) AND id <> ALL(keep) ORDER BY id;
        INSERT INTO expired (tenant, kind, id, handle, at, expired_at)
        SELECT tenant, 'subject', gen_random_uuid(), handle, at, clock_timestamp() FROM subject_facts
        WHERE tenant = of_tenant AND handle = ANY(mine.handles);
        PERFORM set_config('volens.expiring', 'on', true);
        DELETE FROM record WHERE tenant = of_tenant AND handle = ANY(mine.handles) AND id <> ALL(keep);
        GET DIAGNOSTICS records = ROW_COUNT;
        DELETE FROM subject_facts WHERE tenant = of_tenant AND handle = ANY(mine.handles);
        GET DIAGNOSTICS versions = ROW_COUNT;
        PERFORM set_config('volens.expiring', '', true);
        DELETE FROM consent_state WHERE tenant = of_tenant AND handle = ANY(mine.handles);
        IF records > 0 THEN
            PERFORM note_expiry(of_tenant, 'record', records, entries[1], by_request, by_actor);
        END IF;
        IF versions > 0 THEN
            PERFORM note_expiry(of_tenant, 'subject', versions, entries[2], by_request, by_actor);
        END IF;
        UPDATE erasure SET kept_until = until WHERE tenant = of_tenant AND request = of_request;
        IF first_time THEN
            PERFORM note_erasure(
                of_tenant, 'erasure.reduced', of_request, mine.handle, entries[3], by_request, by_actor
            );
            INSERT INTO erasure_step (tenant, request, step, at, told) VALUES (
                of_tenant, of_request, 'reduced', now_at,
                convert_to(format('{"facts"\\:%s,"records"\\:%s}', versions, records), 'UTF8')
            );
        END IF;
    END
    $$
"""
"""All that was said by and known about somebody who is forgotten already, but for the records that a law has kept.

The lock lets a hold that was answered be seen, and one that comes wait.
"""
OF_WORKER = (
    "erasures_due()",
    "erasure_reduce(text, uuid, uuid[], timestamptz, timestamptz, uuid[], uuid, text)",
)
OF_APP = ("subject_hide(text, timestamptz)",)
WITHIN = ("note_erasure(text, text, uuid, uuid, uuid, uuid, text)", "subject_digest(text, text)", "subject_returns()")


def upgrade() -> None:
    op.add_column("tenant", sa.Column("hides_erased", sa.Boolean, nullable=False, server_default=sa.false()))
    tenant_table(
        op,
        "erasure",
        sa.Column("request", sa.Uuid, nullable=False),
        sa.Column("handle", sa.Uuid, nullable=False),
        sa.Column("handles", ARRAY(sa.Uuid), nullable=False),
        sa.Column("plan", sa.LargeBinary, nullable=False),
        sa.Column("begun_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT),
        sa.Column("kept_until", INSTANT),
        sa.Column("certificate", sa.LargeBinary),
        sa.PrimaryKeyConstraint("tenant", "request", name="erasure_pkey"),
        sa.CheckConstraint("(ended_at IS NULL) = (certificate IS NULL)", name="erasure_certificate_check"),
        app="SELECT, INSERT, UPDATE (handles, ended_at, certificate)",
    )
    tenant_table(
        op,
        "erasure_step",
        sa.Column("request", sa.Uuid, nullable=False),
        sa.Column("step", ID, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("told", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "request", "step", name="erasure_step_pkey"),
    )
    append_only(op, "erasure_step")
    tenant_table(
        op,
        "subject_tombstone",
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("handle", sa.Uuid, nullable=False),
        sa.Column("flags", sa.LargeBinary),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "digest", name="subject_tombstone_pkey"),
        app="",
    )
    op.create_index(
        "request_tenant_id_erasing_idx",
        "request",
        ["tenant", "id"],
        postgresql_where=sa.text("right_name = 'erasure' AND state = 'executing'"),
    )
    op.create_index(
        "erasure_kept_until_idx", "erasure", ["kept_until"], postgresql_where=sa.text("kept_until IS NOT NULL")
    )
    for statement in (DIGEST, RETURNS, HIDE, DUE, NOTE, REDUCE):
        op.execute(statement)
    for function in (*OF_WORKER, *OF_APP, *WITHIN):
        op.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")
    for functions, role in ((OF_WORKER, WORKER), (OF_APP, APP)):
        for function in functions:
            op.execute(f"GRANT EXECUTE ON FUNCTION {function} TO {role}")
    op.execute("CREATE TRIGGER returns BEFORE INSERT ON subject FOR EACH ROW EXECUTE FUNCTION subject_returns()")
    op.execute(
        """
        CREATE TRIGGER make_another_secret AFTER UPDATE OF handle ON subject FOR EACH ROW
        WHEN (OLD.handle IS DISTINCT FROM NEW.handle) EXECUTE FUNCTION make_subject_secret()
        """
    )


def downgrade() -> None:
    """What was erased stays erased. Ids that were hidden are unknown then, and an import may bring them back."""
    op.execute("DROP TRIGGER make_another_secret ON subject")
    op.execute("DROP TRIGGER returns ON subject")
    for function in (*OF_WORKER, *OF_APP, *WITHIN):
        op.execute(f"DROP FUNCTION {function}")
    op.drop_index("request_tenant_id_erasing_idx", "request")
    for table in ("subject_tombstone", "erasure_step", "erasure"):
        op.drop_table(table)
    op.drop_column("tenant", "hides_erased")
