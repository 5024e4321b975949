"""Versions of values whose retention has ended can go.

Before: what was replaced or deleted lies there for ever, though nobody can open it any more.
After: the worker may have it removed by a function that removes nothing else, reads nothing out, and leaves an audit
entry with what it removed. It may ask as well what wraps the vault's keys. Old code runs unchanged.
"""

from alembic import op

from migrations.support import WORKER

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

DAYS = """
    SELECT DISTINCT ON (kept.tenant, kept.name) kept.tenant, kept.name,
        (convert_from(kept.body, 'UTF8')::json ->> 'retention_days')::integer AS days
    FROM vault_field AS kept
    WHERE {0}
    ORDER BY kept.tenant, kept.name, kept.version DESC
"""
"""Built-in fields that a tenant never changed have no retention: their versions stay as long as the person's key."""

RETAINED = f"""
    CREATE FUNCTION vault_retained() RETURNS TABLE (tenant text, field text, days integer)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
        SELECT tenant, name, days FROM ({DAYS.format("true")}) AS field WHERE days IS NOT NULL
    $$
"""  # noqa: S608, a constant

WINDOW = """
    WITH piece AS MATERIALIZED (
        SELECT handle, label, version, at FROM vault_value
        WHERE tenant = of_tenant AND field = of_field AND version > 1 AND at <= ended_by
            AND (at, handle, label, version) > (after_at, after_handle, after_label, after_version)
        ORDER BY at, handle, label, version LIMIT most
    ), over AS MATERIALIZED (
        SELECT old.handle, old.label, old.version, EXISTS (
            SELECT FROM subject AS person WHERE person.tenant = of_tenant AND person.handle = old.handle
                AND convert_from(person.flags, 'UTF8')::json ->> 'restricted' = 'true'
        ) AS kept_back
        FROM piece JOIN vault_value AS old ON old.tenant = of_tenant AND old.handle = piece.handle
            AND old.field = of_field AND old.label = piece.label AND old.version = (
                SELECT max(before.version) FROM vault_value AS before
                WHERE before.tenant = of_tenant AND before.handle = piece.handle AND before.field = of_field
                    AND before.label = piece.label AND before.version < piece.version
            )
        {lock}
    ), gone AS ({gone})
    SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM over WHERE kept_back), counted.number,
        furthest.at, furthest.handle, furthest.label, furthest.version
    FROM (SELECT count(*) AS number FROM piece) AS counted
    LEFT JOIN LATERAL (
        SELECT * FROM piece ORDER BY at DESC, handle DESC, label DESC, version DESC LIMIT 1
    ) AS furthest ON true
    INTO removed, held, seen, last_at, last_handle, last_label, last_version
"""
"""Goes by the versions that replaced another: `piece` has the next of them, `over` what each of them replaced.

The latest version of a value replaces others and is replaced by none, so it is never in `over`. People whose data
are restricted (GDPR Art. 18) keep everything.
"""
DELETED = """
    DELETE FROM vault_value AS value USING over
    WHERE value.tenant = of_tenant AND value.handle = over.handle AND value.field = of_field
        AND value.label = over.label AND value.version = over.version AND NOT over.kept_back
    RETURNING value.version
"""

EXPIRE = f"""
    CREATE FUNCTION vault_expire(
        of_tenant text, of_field text, at_most timestamptz, most integer, dry boolean,
        after_at timestamptz, after_handle uuid, after_label text, after_version integer,
        entry uuid, by_request uuid, by_actor text,
        OUT removed integer, OUT held integer, OUT seen integer,
        OUT last_at timestamptz, OUT last_handle uuid, OUT last_label text, OUT last_version integer
    )
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DECLARE
        now_at timestamptz := least(at_most, clock_timestamp());
        ended_by timestamptz;
        canonical bytea;
    BEGIN
        IF by_actor NOT IN ('worker', 'operator') THEN
            RAISE invalid_parameter_value USING MESSAGE = 'versions are removed by the worker or an operator';
        END IF;
        SELECT now_at - make_interval(hours => 24 * days) INTO ended_by
        FROM ({DAYS.format("kept.tenant = of_tenant AND kept.name = of_field")}) AS field;
        IF dry THEN
            {WINDOW.format(lock="", gone="SELECT FROM over WHERE NOT kept_back")};
        ELSE
            {WINDOW.format(lock="ORDER BY 1, 2, 3 FOR UPDATE OF old SKIP LOCKED", gone=DELETED)};
        END IF;
        IF NOT dry AND removed > 0 THEN
            canonical := convert_to(format(
                '{{"actor":%s,"at":%s,"commitment"\\:null,"event":"vault.versions_expired","id":"%s","object":%s,'
                '"request":"%s","subject"\\:null,"tenant":%s,"v"\\:1}}',
                to_json(by_actor), to_json(to_char(now_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')),
                entry, to_json(of_field || '/' || removed), by_request, to_json(of_tenant)
            ), 'UTF8');
            INSERT INTO audit_entry (tenant, id, at, event, object_id, actor, request, canonical)
            VALUES (of_tenant, entry, now_at, 'vault.versions_expired', of_field || '/' || removed, by_actor,
                by_request::text, canonical);
            INSERT INTO audit_pending (tenant, id, leaf) VALUES (of_tenant, entry, sha256('\\x00' || canonical));
        END IF;
    END
    $$
"""  # noqa: S608, constants
"""With its owner's rights, because nobody else may delete a version; by no later time than it is, and with its trace.

`canonical` is version 1 of what service/audit/domain.py lays down.
"""
FUNCTIONS = (
    "vault_retained()",
    "vault_expire(text, text, timestamptz, integer, boolean, timestamptz, uuid, text, integer, uuid, uuid, text)",
)


def upgrade() -> None:
    op.execute(
        "CREATE INDEX vault_value_replacing_idx ON vault_value (tenant, field, at, handle, label, version) "
        "WHERE version > 1"
    )
    for statement in (RETAINED, EXPIRE):
        op.execute(statement)
    for function in FUNCTIONS:
        op.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {function} TO {WORKER}")
    op.execute(f"GRANT EXECUTE ON FUNCTION vault_root_versions() TO {WORKER}")


def downgrade() -> None:
    """What is past its retention stays from then on, and still nobody can open it."""
    op.execute(f"REVOKE EXECUTE ON FUNCTION vault_root_versions() FROM {WORKER}")
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}")
    op.drop_index("vault_value_replacing_idx", "vault_value")
