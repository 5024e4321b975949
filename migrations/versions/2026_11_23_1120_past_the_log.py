"""Nothing of the log's is got past: secrets of who was erased, holds, facts behind decisions, and what was told.

Before: 0023 made secrets for people who had been erased by then; the application may lift a hold without an entry; the
removal of facts can come between a decision and its facts; and a request whose clock stopped and goes on tells anew
that half of its time is over.
After: who was erased has no secret. A hold is lifted, and placed again under its name, only where an entry tells of it;
nobody removes one. The removal of facts waits for whoever stores a decision, and they for it. A request tells anew what
is over when it was extended, and at no other time. Old code runs unchanged, but for lifting a hold and placing it anew,
which it must do after the entry: until it is replaced, it gets an error there, and nothing is changed.
"""

from alembic import op

from migrations.support import APP, edit_function

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

ERASED = """
    DELETE FROM commitment_secret AS secret USING vault_subject_key AS key
    WHERE key.tenant = secret.tenant AND key.destroyed_at IS NOT NULL AND (secret.handle = key.handle OR EXISTS (
        SELECT FROM subject_pair AS pair
        WHERE pair.tenant = key.tenant AND pair.same
            AND (pair.one, pair.other) IN ((key.handle, secret.handle), (secret.handle, key.handle))
    ))
"""
"""With those of who had been merged into them, as an erasure does."""

HELD = """
    CREATE FUNCTION refuse_untold_hold() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
    DECLARE
        lifts boolean := OLD.lifted_at IS NULL;
    BEGIN
        IF TG_OP <> 'UPDATE' THEN
            RAISE insufficient_privilege USING MESSAGE = 'a hold is lifted, and stays';
        ELSIF lifts AND (NEW.lifted_at IS NULL OR (to_jsonb(NEW) - 'lifted_at') <> (to_jsonb(OLD) - 'lifted_at')) THEN
            RAISE insufficient_privilege USING MESSAGE = 'a hold that is in force changes by being lifted';
        ELSIF NOT lifts AND NEW.lifted_at IS NOT NULL THEN
            RAISE insufficient_privilege USING MESSAGE = 'a hold that was lifted changes by being placed anew';
        ELSIF NOT EXISTS (
            SELECT FROM audit_entry
            WHERE tenant = NEW.tenant AND object_id = NEW.name
                AND event = CASE WHEN lifts THEN 'hold.lifted' ELSE 'hold.placed' END
                AND at >= (CASE WHEN lifts THEN OLD.placed_at ELSE OLD.lifted_at END) - interval '5 minutes'
        ) THEN
            RAISE insufficient_privilege USING MESSAGE = 'a hold changes with an entry that tells of it';
        END IF;
        RETURN NEW;
    END $$
"""
"""The entry comes first. The clocks of two processes may differ by some minutes."""

HOLD = ("handle", "since", "until", "reason", "reference", "placed_at", "placed_by", "lifted_at")

EDITS = {
    "expire_facts": (
        "LOCK TABLE decision IN SHARE MODE;",
        "LOCK TABLE facts IN SHARE ROW EXCLUSIVE MODE; LOCK TABLE decision IN SHARE MODE;",
    ),
    "request_moved": (
        "IF NEW.due_at <> OLD.due_at THEN",
        "IF (SELECT move FROM request_event WHERE tenant = NEW.tenant AND request = NEW.id AND number = NEW.version) "
        "= 'extend' THEN",
    ),
}
"""What is replaced in a function by what. Who stores a decision offers its facts first, so both lock in one order;
and two removals would wait for each other with a lock that they can share."""


def upgrade() -> None:
    op.execute(ERASED)
    op.execute(HELD)
    op.execute("REVOKE EXECUTE ON FUNCTION refuse_untold_hold() FROM PUBLIC")
    op.execute(
        "CREATE TRIGGER told BEFORE UPDATE OR DELETE ON audit_hold FOR EACH ROW EXECUTE FUNCTION refuse_untold_hold()"
    )
    op.execute(
        "CREATE TRIGGER told_whole BEFORE TRUNCATE ON audit_hold FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute(f"REVOKE UPDATE ON audit_hold FROM {APP}")
    op.execute(f"GRANT UPDATE ({', '.join(HOLD)}) ON audit_hold TO {APP}")
    for function, (before, after) in EDITS.items():
        edit_function(op, function, before, after)


def downgrade() -> None:
    """Secrets of who was erased stay gone. 0023 can be taken back only while nothing was committed to."""
    for function, (before, after) in EDITS.items():
        edit_function(op, function, after, before)
    op.execute(f"REVOKE UPDATE ({', '.join(HOLD)}) ON audit_hold FROM {APP}")
    op.execute(f"GRANT UPDATE ON audit_hold TO {APP}")
    op.execute("DROP TRIGGER told_whole ON audit_hold")
    op.execute("DROP TRIGGER told ON audit_hold")
    op.execute("DROP FUNCTION refuse_untold_hold()")
