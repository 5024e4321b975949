"""What was kept long enough goes, unless somebody must hold it; the audit log keeps its entries.

Before: decisions, records, versions of facts and events lie there for ever.
After: the worker may have them removed by functions that remove nothing early, nothing that is held, no refusal, and
nothing without an audit entry. A row of `expired` stands for each decision, record and version that went; of decisions
and records it is written first, and triggers let no other row go, not even for the owner. Officers place and lift
holds. Old code runs unchanged, and says 404 of what is gone.
"""

import sqlalchemy as sa
from alembic import op

from migrations.support import ID, INSTANT, WORKER, append_only, tenant_table

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

GUARDED = ("decision", "record", "facts", "verdict")
NOTED = ("decision", "record")
"""Those of which each row that goes leaves a trace by its id. Facts and verdicts are of nobody."""

ONLY_EXPIRES = """
    CREATE FUNCTION refuse_unless_expiring() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
    BEGIN
        IF TG_OP <> 'DELETE' OR current_setting('volens.expiring', true) IS DISTINCT FROM 'on' THEN
            RAISE EXCEPTION '% only grows: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
        END IF;
        RETURN NULL;
    END $$
"""
ONLY_WITH_A_TRACE = """
    CREATE FUNCTION refuse_without_trace() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
    BEGIN
        IF NOT EXISTS (
            SELECT FROM expired WHERE tenant = OLD.tenant AND kind = TG_TABLE_NAME AND id = OLD.id
        ) THEN
            RAISE EXCEPTION '% goes only with a trace', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
        END IF;
        RETURN OLD;
    END $$
"""
SAME_PERSON = """
    CREATE FUNCTION handles_of(of_tenant text, who uuid) RETURNS SETOF uuid LANGUAGE sql STABLE AS $$
        SELECT who WHERE who IS NOT NULL
        UNION SELECT other FROM subject_pair WHERE tenant = of_tenant AND one = who AND same
        UNION SELECT one FROM subject_pair WHERE tenant = of_tenant AND other = who AND same
    $$
"""
"""The handles that a person has, or had before a merge."""

HELD = """
    CREATE FUNCTION content_held(of_tenant text, who uuid, stored_at timestamptz) RETURNS boolean
    LANGUAGE sql STABLE AS $$
        SELECT EXISTS (
            SELECT FROM audit_hold AS hold
            WHERE hold.tenant = of_tenant AND hold.lifted_at IS NULL
                AND (hold.since IS NULL OR stored_at >= hold.since) AND (hold.until IS NULL OR stored_at < hold.until)
                AND (hold.handle IS NULL OR EXISTS (
                    SELECT handles_of(of_tenant, who) INTERSECT SELECT handles_of(of_tenant, hold.handle)
                ))
        ) OR EXISTS (
            SELECT FROM subject AS person
            WHERE person.tenant = of_tenant AND person.handle IN (SELECT handles_of(of_tenant, who))
                AND convert_from(person.flags, 'UTF8')::json ->> 'restricted' = 'true'
        )
    $$
"""
"""By a hold of an officer, or because the person's data are restricted (GDPR Art. 18)."""

TRACE = """
    CREATE FUNCTION note_expiry(
        of_tenant text, what text, removed integer, entry uuid, by_request uuid, by_actor text
    ) RETURNS void LANGUAGE plpgsql AS $$
    DECLARE
        now_at timestamptz := clock_timestamp();
        canonical bytea := convert_to(format(
            '{"actor":%s,"at":%s,"commitment"\\:null,"event":"content.expired","id":"%s","object":%s,'
            '"request":"%s","subject"\\:null,"tenant":%s,"v"\\:1}',
            to_json(by_actor), to_json(to_char(now_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')),
            entry, to_json(what || '/' || removed), by_request, to_json(of_tenant)
        ), 'UTF8');
    BEGIN
        INSERT INTO audit_entry (tenant, id, at, event, object_id, actor, request, canonical)
        VALUES (of_tenant, entry, now_at, 'content.expired', what || '/' || removed, by_actor, by_request::text,
            canonical);
        INSERT INTO audit_pending (tenant, id, leaf) VALUES (of_tenant, entry, sha256('\\x00' || canonical));
    END
    $$
"""
"""`canonical` is version 1 of what service/audit/domain.py lays down."""

ALLOWED = """
    CREATE FUNCTION refuse_early_expiry(ended_by timestamptz, by_actor text) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        IF by_actor NOT IN ('worker', 'operator') THEN
            RAISE invalid_parameter_value USING MESSAGE = 'content is removed by the worker or an operator';
        ELSIF ended_by IS NULL OR ended_by > clock_timestamp() - interval '30 days' THEN
            RAISE invalid_parameter_value USING MESSAGE = 'nothing goes that is younger than thirty days';
        END IF;
    END
    $$
"""
"""Thirty days also because who logs decisions remembers for an hour which facts are stored."""

FUNCTION = """
    CREATE FUNCTION {name}(
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
        {body}
        PERFORM set_config('volens.expiring', '', true);
        IF seen < most THEN
            last := NULL;
        END IF;
        IF NOT dry AND removed > 0 THEN
            PERFORM note_expiry(of_tenant, '{what}', removed, entry, by_request, by_actor);
        END IF;
    END
    $$
"""
"""One step, with its owner's rights and its trace: looks at the next `most` rows, and says where to go on, if at all.

The lock lets a hold that was answered be seen, and one that comes wait for the step.
"""
DECISIONS = """
        SELECT count(*), count(*) FILTER (WHERE kept), array_agg(id) FILTER (WHERE NOT kept), max(at || '|' || id)
        INTO seen, held, ids, last
        FROM (
            SELECT id, content_held(of_tenant, handle, decided_at) AS kept,
                to_char(decided_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at
            FROM decision
            WHERE tenant = of_tenant AND decided_at <= ended_by AND (
                after = '' OR (decided_at, id)
                    > (nullif(split_part(after, '|', 1), '')::timestamptz, nullif(split_part(after, '|', 2), '')::uuid)
            )
            ORDER BY decided_at, id LIMIT most
        ) AS piece;
        removed := coalesce(array_length(ids, 1), 0);
        IF NOT dry AND removed > 0 THEN
            INSERT INTO expired (tenant, kind, id, handle, at, expired_at)
            SELECT tenant, 'decision', id, handle, decided_at, clock_timestamp() FROM decision
            WHERE tenant = of_tenant AND id = ANY(ids) ORDER BY id ON CONFLICT DO NOTHING;
            DELETE FROM decision WHERE tenant = of_tenant AND id = ANY(ids);
            GET DIAGNOSTICS removed = ROW_COUNT;
        END IF;
"""
FACTS = """
        SELECT count(*), max(encode(hash, 'hex')) INTO seen, last FROM (
            SELECT hash FROM facts WHERE tenant = of_tenant AND (after = '' OR hash > decode(after, 'hex'))
            ORDER BY hash LIMIT most
        ) AS piece;
        held := 0;
        SELECT count(*) INTO removed FROM facts AS asked
        WHERE tenant = of_tenant AND (after = '' OR hash > decode(after, 'hex')) AND hash <= decode(last, 'hex')
            AND NOT EXISTS (SELECT FROM decision WHERE tenant = of_tenant AND facts_hash = asked.hash);
        IF NOT dry AND removed > 0 THEN
            LOCK TABLE decision IN SHARE MODE;
            DELETE FROM verdict AS told
            WHERE tenant = of_tenant AND (after = '' OR facts_hash > decode(after, 'hex'))
                AND facts_hash <= decode(last, 'hex')
                AND NOT EXISTS (SELECT FROM decision WHERE tenant = of_tenant AND facts_hash = told.facts_hash);
            DELETE FROM facts AS asked
            WHERE tenant = of_tenant AND (after = '' OR hash > decode(after, 'hex')) AND hash <= decode(last, 'hex')
                AND NOT EXISTS (SELECT FROM decision WHERE tenant = of_tenant AND facts_hash = asked.hash);
            GET DIAGNOSTICS removed = ROW_COUNT;
        END IF;
"""
"""No decision may point to what goes. The lock waits for those that are being stored, and holds off the next for the
time of one step. Who stores decisions offers the facts again after an hour at most; see `decisions/offered.py`.
"""
OUTBOX = """
        SELECT count(*), count(*) FILTER (WHERE kept AND at <= ended_by),
            array_agg(id) FILTER (WHERE NOT kept AND at <= ended_by), max(id::text)
        INTO seen, held, ids, last
        FROM (
            SELECT id, at, content_held(of_tenant, subject, at) AS kept FROM outbox
            WHERE tenant = of_tenant AND (after = '' OR id > nullif(after, '')::uuid)
            ORDER BY id LIMIT most
        ) AS piece;
        removed := coalesce(array_length(ids, 1), 0);
        IF removed + held = 0 THEN
            last := NULL;
        END IF;
        IF NOT dry AND removed > 0 THEN
            DELETE FROM outbox WHERE tenant = of_tenant AND id = ANY(ids);
            GET DIAGNOSTICS removed = ROW_COUNT;
        END IF;
"""
"""Ids are in the order of time, so where a whole piece is too young, the rest is."""

VERSIONS = """
        WITH piece AS MATERIALIZED (
            SELECT handle, version, at, (
                SELECT min(later.at) FROM subject_facts AS later
                WHERE later.tenant = of_tenant AND later.handle = next.handle AND later.version > next.version
            ) AS replaced_at
            FROM (
                SELECT handle, version, at FROM subject_facts
                WHERE tenant = of_tenant AND (
                    after = '' OR (handle, version)
                        > (nullif(split_part(after, '|', 1), '')::uuid, nullif(split_part(after, '|', 2), '')::integer)
                )
                ORDER BY handle, version LIMIT most
            ) AS next
        ), judged AS MATERIALIZED (
            SELECT *, content_held(of_tenant, handle, at) AS kept FROM piece WHERE replaced_at <= ended_by
        ), gone AS (
            DELETE FROM subject_facts AS old USING judged
            WHERE old.tenant = of_tenant AND old.handle = judged.handle AND old.version = judged.version
                AND NOT judged.kept AND NOT dry
            RETURNING old.handle, old.at
        ), noted AS (INSERT INTO expired (tenant, kind, id, handle, at, expired_at)
            SELECT of_tenant, 'subject', gen_random_uuid(), handle, at, clock_timestamp() FROM gone
        )
        SELECT (SELECT count(*) FROM piece), (SELECT count(*) FROM judged WHERE kept),
            CASE WHEN dry THEN (SELECT count(*) FROM judged WHERE NOT kept) ELSE (SELECT count(*) FROM gone) END,
            (SELECT handle || '|' || version FROM piece ORDER BY handle DESC, version DESC LIMIT 1)
        INTO seen, held, removed, last;
"""
TENANTS = """
    CREATE FUNCTION tenants_with_content() RETURNS SETOF text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$ SELECT id FROM tenant ORDER BY id $$
"""
HISTORIES = """
    CREATE FUNCTION record_histories(of_tenant text, ended_by timestamptz, after uuid, most integer)
    RETURNS TABLE (handle uuid, id uuid, received_at timestamptz, statement bytea)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
        SELECT said.handle, said.id, said.received_at, said.statement
        FROM record AS said JOIN (
            SELECT DISTINCT old.handle FROM record AS old
            WHERE old.tenant = of_tenant AND old.handle > after AND old.received_at <= ended_by
            ORDER BY old.handle LIMIT most
        ) AS whose ON whose.handle = said.handle
        WHERE said.tenant = of_tenant
        ORDER BY said.handle, said.ts, said.id
    $$
"""
"""The worker folds them, to see what is left without those that are to go. It sees no record otherwise."""

MAY_GO = """'opt_in', 'opt_in_pending', 'opt_in_sale', 'purchase', 'inquiry', 'support_given', 'free_account',
                    'basket_abandoned', 'published_address', 'call_attempt'"""
RECORDS = f"""
    CREATE FUNCTION record_expire(
        of_tenant text, whose uuid, of_history integer, gone uuid[], becomes bytea, of_format smallint,
        ended_by timestamptz, dry boolean, entry uuid, by_request uuid, by_actor text,
        OUT removed integer, OUT held integer
    )
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DECLARE
        was consent_state;
        old jsonb;
        new jsonb := convert_from(becomes, 'UTF8')::jsonb;
    BEGIN
        PERFORM refuse_early_expiry(ended_by, by_actor);
        removed := 0;
        held := 0;
        IF NOT dry THEN
            LOCK TABLE audit_hold IN SHARE MODE;
        END IF;
        SELECT count(*) INTO held FROM record AS said
        WHERE tenant = of_tenant AND handle = whose AND id = ANY(gone)
            AND content_held(of_tenant, whose, said.received_at);
        IF held > 0 THEN
            held := cardinality(gone);
            RETURN;
        ELSIF dry THEN
            removed := cardinality(gone);
            RETURN;
        END IF;
        SELECT * INTO was FROM consent_state WHERE tenant = of_tenant AND handle = whose FOR UPDATE;
        IF was.version IS DISTINCT FROM of_format
            OR (SELECT count(*) FROM record WHERE tenant = of_tenant AND handle = whose) <> of_history
        THEN
            RETURN;  -- somebody was there meanwhile; the next run sees what they did
        END IF;
        IF EXISTS (
            SELECT FROM record WHERE tenant = of_tenant AND handle = whose AND id = ANY(gone) AND (
                received_at > ended_by OR convert_from(statement, 'UTF8')::json ->> 'action' <> ALL (
                    ARRAY[{MAY_GO}]
                )
            )
        ) THEN
            RAISE insufficient_privilege USING MESSAGE = 'refusals and what is younger stay';
        END IF;
        old := convert_from(was.state, 'UTF8')::jsonb;
        IF EXISTS (
            SELECT jsonb_array_elements(new -> 'acts') EXCEPT SELECT jsonb_array_elements(old -> 'acts')
        ) OR EXISTS (
            SELECT jsonb_array_elements(new -> 'spare') EXCEPT SELECT jsonb_array_elements(old -> 'spare')
        ) OR EXISTS (
            SELECT FROM (
                SELECT jsonb_array_elements(old -> 'acts') AS act EXCEPT SELECT jsonb_array_elements(new -> 'acts')
            ) AS lost WHERE act ->> 'id' <> ALL (SELECT id::text FROM unnest(gone) AS id)
        ) OR old -> 'attempts' IS DISTINCT FROM new -> 'attempts' THEN
            RAISE insufficient_privilege USING MESSAGE = 'a state loses what went, and nothing else changes';
        END IF;
        INSERT INTO expired (tenant, kind, id, handle, at, expired_at)
        SELECT tenant, 'record', id, handle, received_at, clock_timestamp() FROM record
        WHERE tenant = of_tenant AND handle = whose AND id = ANY(gone) ORDER BY id;
        PERFORM set_config('volens.expiring', 'on', true);
        DELETE FROM record WHERE tenant = of_tenant AND handle = whose AND id = ANY(gone);
        GET DIAGNOSTICS removed = ROW_COUNT;
        PERFORM set_config('volens.expiring', '', true);
        UPDATE consent_state SET state = becomes, updated_at = clock_timestamp()
        WHERE tenant = of_tenant AND handle = whose AND state <> becomes;
        PERFORM note_expiry(of_tenant, 'record', removed, entry, by_request, by_actor);
    END
    $$
"""  # noqa: S608, constants
"""Of one subject, in the order in which writers lock: the state, then the records.

Whatever it is told, no refusal goes, and a state loses the acts of what goes and changes in nothing else. A state that
can't be read, or is of another format, stays with its records. Of records some of which are held, none goes.
"""
STEPS = {
    "expire_decisions": ("decision", DECISIONS),
    "expire_facts": ("facts", FACTS),
    "expire_events": ("event", OUTBOX),
    "expire_versions": ("subject", VERSIONS),
}
GRANTED = (*STEPS, "tenants_with_content", "record_histories", "record_expire")
WITHIN = ("note_expiry", "refuse_early_expiry", "content_held", "handles_of")
TRIGGERED = ("refuse_without_trace", "refuse_unless_expiring")


def upgrade() -> None:
    tenant_table(
        op,
        "audit_hold",
        sa.Column("name", ID, nullable=False),
        sa.Column("handle", sa.Uuid),
        sa.Column("since", INSTANT),
        sa.Column("until", INSTANT),
        sa.Column("reason", ID, nullable=False),
        sa.Column("reference", ID),
        sa.Column("placed_at", INSTANT, nullable=False),
        sa.Column("placed_by", ID, nullable=False),
        sa.Column("lifted_at", INSTANT),
        sa.PrimaryKeyConstraint("tenant", "name", name="audit_hold_pkey"),
        app="SELECT, INSERT, UPDATE",
    )
    tenant_table(
        op,
        "expired",
        sa.Column("kind", ID, nullable=False),
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("handle", sa.Uuid),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("expired_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "kind", "id", name="expired_pkey"),
        app="SELECT",
    )
    append_only(op, "expired")
    op.create_index("decision_tenant_facts_hash_idx", "decision", ["tenant", "facts_hash"])
    for statement in (ONLY_EXPIRES, ONLY_WITH_A_TRACE, SAME_PERSON, HELD, TRACE, ALLOWED, TENANTS, HISTORIES, RECORDS):
        op.execute(statement)
    for name, (what, body) in STEPS.items():
        op.execute(FUNCTION.format(name=name, what=what, body=body))
    for function in (*GRANTED, *WITHIN, *TRIGGERED):
        op.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")
    for function in GRANTED:
        op.execute(f"GRANT EXECUTE ON FUNCTION {function} TO {WORKER}")
    for table in GUARDED:
        op.execute(f"DROP TRIGGER append_only ON {table}")
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_unless_expiring()"
        )
    for table in NOTED:
        op.execute(
            f"CREATE TRIGGER leaves_a_trace BEFORE DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_without_trace()"
        )


def downgrade() -> None:
    """What is gone stays gone, and is not known to have been there. Holds are forgotten; nothing goes from then on."""
    for table in NOTED:
        op.execute(f"DROP TRIGGER leaves_a_trace ON {table}")
    for table in GUARDED:
        op.execute(f"DROP TRIGGER append_only ON {table}")
        append_only(op, table)
    for function in (*GRANTED, *WITHIN, *TRIGGERED):
        op.execute(f"DROP FUNCTION {function}")
    op.drop_index("decision_tenant_facts_hash_idx", "decision")
    for table in ("expired", "audit_hold"):
        op.drop_table(table)
