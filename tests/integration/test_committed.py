"""What the log commits to, held against a database with which somebody with every right has tampered."""

import hashlib
import json
import zipfile
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from rich.console import Console
from uuid_utils.compat import uuid7

from service import exporting
from service.audit import AuditEvent, Secret
from service.audit.growing import GrowTree
from service.audit.notes import LOG, Key
from service.audit.signing import verifier_key
from service.audit.store import statement
from service.audit.tree_store import add_public_key, growing
from service.audit.verify import verified
from service.committed import ExamineCommitted, behind, read
from service.consent import Channel, NoticeContent, OwnPurpose, PutNotice, PutPurpose
from service.decisions import Basis, Decision, Verdict
from service.decisions.asking import Judged, content_hash
from service.decisions.log import SqlDecisionLog
from service.decisions.ports import Logged
from service.exports import Asked, ExportPurpose, Form, Wanted
from service.kernel import SubjectId
from service.settings import Settings
from service.subjects import PutSubject
from service.vault import DestroyKey
from tests.builders import GAZETTEER, a_submission, appending, some_facts

ANN = SubjectId("ann")
FACTS = b'{"place":"DE"}'
VERDICT = Verdict(allow=True, basis=Basis.CONSENT, reasons=(), obligations=(), acts=(), closed_hours=False)
TABLES = (
    "record",
    "decision",
    "facts",
    "verdict",
    "subject_facts",
    "notice",
    "purpose",
    "commitment_secret",
    "expired",
    "policy_overlay",
    "reveal",
)
NOTICE = NoticeContent(
    notice="newsletter",
    version="v1",
    texts={"de": "Grüße und Neues"},
    purposes=("marketing",),
    channels=(Channel.EMAIL,),
    controllers=("example.example",),
    material_change=True,
)


@pytest.fixture
def settings(database, tmp_path) -> Settings:
    return Settings(
        data_dir=str(tmp_path),
        database_url=database.urls.app,
        owner_database_url=database.urls.owner,
        worker_database_url=database.urls.worker,
    )


@pytest.fixture
async def place(settings, worker_pool, log_keys, published, clock, caller):
    await add_public_key(worker_pool, log_keys.public[-1], clock())
    grow = GrowTree(settings.log_name, growing(worker_pool), log_keys.signer, published, clock)

    async def place() -> None:
        while await grow(caller.tenant):
            pass

    return place


@pytest.fixture
def decided(pool, new_id, clock, caller):
    """Logs a decision about a subject with this secret, or about nobody we know."""
    log = SqlDecisionLog(pool, statement, new_id)

    async def decided(handle=None, secret: Secret | None = None):
        decision = Decision(
            id=uuid7(),
            permit=True,
            basis=Basis.CONSENT,
            at=clock(),
            decided_at=clock(),
            channel=Channel.EMAIL,
            purpose="marketing",
            handle=handle,
            reasons=(),
            obligations=(),
            records=(uuid4(),),
            retry_after=clock(),
            valid_until=clock() + timedelta(hours=3),
            revision="sha256:one",
            overlay=0,
        )
        judged = Judged.of(VERDICT, content_hash(FACTS))
        await log.append(Logged(decision=decision, facts=FACTS, judged=judged, by=caller, secret=secret))
        return decision.id

    return decided


@pytest.fixture
async def life(begin, clock, caller, decided, place):
    """Something of everything that the log commits to."""
    await PutNotice(begin, clock)(NOTICE, by=caller)
    await PutPurpose(begin, clock)(OwnPurpose(purpose="x-club", maps_to="marketing", title="Club"), by=caller)
    await PutSubject(begin, clock, GAZETTEER)(ANN, some_facts(), by=caller)
    await PutSubject(begin, clock, GAZETTEER)(ANN, some_facts(b2b=True), by=caller)
    await appending(begin, clock)(
        [a_submission("ann", ts=clock(), evidence="said so"), a_submission("ben", ts=clock())], by=caller
    )
    async with begin(caller.tenant) as tx:
        ann = await tx.subjects.handle_of(ANN)
        secrets = await tx.audit.secrets([ann])
    await decided(ann, secrets[ann])
    await decided()
    await place()
    return ann


@pytest.fixture
async def look(begin, caller):
    async def look():
        async with begin(caller.tenant) as tx:
            note = await tx.tree.checkpoint(None)
        return await ExamineCommitted(begin)(caller.tenant, int(note.split("\n")[1]))

    return look


@pytest.fixture
def tamper(database, caller) -> Callable[[str], None]:
    def tamper(done: str) -> None:
        with psycopg.connect(database.urls.admin) as connection:
            for table in TABLES:
                connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            assert connection.execute(done, {"tenant": caller.tenant}).rowcount > 0
            for table in TABLES:
                connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")

    return tamper


async def test_everything_that_is_stored_is_what_the_log_committed_to(life, look):
    found = await look()

    assert (found.findings, found.shown, found.closed) == ([], 8, 0)


@pytest.mark.parametrize(
    ("done", "finding"),
    [
        (
            "UPDATE record SET statement = convert_to(replace(convert_from(statement, 'UTF8'), 'said so', 'or not'), "
            "'UTF8') WHERE tenant = %(tenant)s AND convert_from(statement, 'UTF8') LIKE '%%said so%%'",
            "record {} is not what the entry commits to",
        ),
        (
            "UPDATE record SET received_at = received_at - interval '1 year' WHERE tenant = %(tenant)s",
            "record {} is not what the entry commits to",
        ),
        ("UPDATE record SET statement = 'nonsense' WHERE tenant = %(tenant)s", "record {} can't be read"),
        ("DELETE FROM record WHERE tenant = %(tenant)s", "record {} is gone"),
        (
            "UPDATE decision SET permit = false WHERE tenant = %(tenant)s AND handle IS NULL",
            "decision {} is not what the entry commits to",
        ),
        ("UPDATE decision SET records = '{{}}' WHERE tenant = %(tenant)s", "decision {} is not what the entry commits"),
        ("UPDATE facts SET body = '{{}}' WHERE tenant = %(tenant)s", "decision {} is not what the entry commits to"),
        (
            "UPDATE verdict SET body = replace(body, 'consent', 'none') WHERE tenant = %(tenant)s",
            "decision {} is not what the entry commits to",
        ),
        ("DELETE FROM verdict WHERE tenant = %(tenant)s", "decision {} is gone"),
        (
            "UPDATE subject_facts SET facts = '{{}}' WHERE tenant = %(tenant)s AND version = 1",
            "facts of {} is not what the entry commits to",
        ),
        (
            "UPDATE notice SET content = convert_to(replace(convert_from(content, 'UTF8'), 'Neues', 'Altes'), 'UTF8') "
            "WHERE tenant = %(tenant)s",
            "notice newsletter/v1 is not what the entry commits to",
        ),
        (
            "UPDATE purpose SET maps_to = 'analytics' WHERE tenant = %(tenant)s",
            "purpose x-club is not what the entry commits to",
        ),
        (
            "DELETE FROM commitment_secret WHERE tenant = %(tenant)s AND handle IN (SELECT handle FROM subject)",
            "the secret of {} is gone, and no entry says why",
        ),
    ],
)
async def test_what_was_changed_behind_the_log_is_named(life, look, tamper, done: str, finding: str):
    tamper(done.replace("{{}}", "{}"))

    before, _, after = finding.partition("{}")
    assert any(before in found and after in found for found in (await look()).findings), await look()


async def test_a_notice_changed_with_its_hash_is_still_not_what_was_shown(life, look, tamper):
    tamper(
        "WITH other AS (SELECT tenant AS whose, convert_to(replace(convert_from(content, 'UTF8'), 'Neues', 'Altes'), "
        "'UTF8') AS text FROM notice WHERE tenant = %(tenant)s) "
        "UPDATE notice SET content = other.text, sha256 = sha256(other.text) FROM other WHERE tenant = other.whose"
    )

    [found] = (await look()).findings
    assert "notice newsletter/v1 is not what the entry commits to" in found


@pytest.mark.parametrize(("kind", "left"), [("decision", 6), ("record", 6), ("subject", 7)])
async def test_what_went_when_its_period_was_over_is_no_finding_if_the_log_tells_of_it(
    life, look, tamper, begin, caller, place, kind: str, left: int
):
    """Removed by hand as retention does it, which has tests of its own: row, trace and entry."""
    whose, when, only = {
        "subject": ("gen_random_uuid(), handle", "at", "version = 1"),
        "record": ("id, handle", "received_at", "true"),
        "decision": ("id, handle", "decided_at", "true"),
    }[kind]
    table = "subject_facts" if kind == "subject" else kind
    tamper(
        f"INSERT INTO expired (tenant, kind, id, handle, at, expired_at) SELECT tenant, '{kind}', {whose}, {when}, "
        f"now() FROM {table} WHERE tenant = %(tenant)s AND {only}"
    )
    tamper(f"DELETE FROM {table} WHERE tenant = %(tenant)s AND {only}")
    untold = await look()
    assert (untold.shown, untold.expired) == (left, 8 - left)
    assert untold.findings == [f"{8 - left} of {kind} went, and entries tell of 0"]

    async with begin(caller.tenant) as tx:
        await tx.audit.append(event=AuditEvent.CONTENT_EXPIRED, object_id=f"{kind}/{8 - left}", by=caller)
    assert (await look()).findings == []
    await place()
    assert (await look()).findings == []


async def test_entries_of_before_commit_to_nothing_and_are_not_wrong(life, look, tamper, begin, caller, place):
    async with begin(caller.tenant) as tx:
        await tx.audit.append(event=AuditEvent.RECORD_STORED, object_id=str(uuid4()), by=caller)
    await place()

    assert (await look()).findings == []


async def test_without_the_salt_an_entry_gives_nothing_to_guess_from_and_with_it_shows_no_free_text(
    life, begin, caller
):
    async with begin(caller.tenant) as tx:
        entries = [read(entry) for entry in await tx.tree.entries(0, 100)]
        stored = await behind(tx, entries)
    opened = {entry.commitment: each.opened for entry in entries for each in stored.get(entry.id, ()) if each.opened}

    for commitment, payload in opened.items():
        assert commitment != hashlib.sha256(payload.content).hexdigest()
        assert b"said so" not in payload.content
        assert b"birth" not in payload.content
    assert any(b'"withheld":{"evidence":"' in payload.content for payload in opened.values())


# --- erasure ------------------------------------------------------------------------------------


async def test_who_is_erased_closes_what_was_committed_to_and_the_log_stays_as_it_is(
    life, look, begin, clock, caller, place
):
    async with begin(caller.tenant) as tx:
        before = await tx.tree.entries(0, 100)

    await DestroyKey(begin, clock)(life, by=caller)
    await place()

    async with begin(caller.tenant) as tx:
        after = await tx.tree.entries(0, 100)
        assert await tx.audit.secrets([life]) == {}
    assert after[: len(before)] == before
    assert [json.loads(entry)["event"] for entry in after[len(before) :]] == ["vault.key_destroyed"]
    found = await look()
    assert (found.findings, found.shown, found.closed) == ([], 4, 4)


async def test_an_old_pack_verifies_after_an_erasure_and_a_new_one_opens_nothing_of_the_erased(
    life, settings, begin, clock, caller, place, log_keys, tmp_path
):
    key = Key(f"{settings.log_name}/{caller.tenant}", LOG, log_keys.public[-1])
    (tmp_path / "keys").write_text(verifier_key(key) + "\n")

    async def pack(name: str) -> Path:
        asked = Asked(form=Form.PACK, purpose=ExportPurpose.INTERNAL_AUDIT, wanted=Wanted(after=size))
        await exporting.export(settings, caller.tenant, asked, tmp_path / name, progress_on=Console(file=StringIO()))
        return tmp_path / name

    def proved(pack: Path) -> list[str]:
        report = verified([str(pack)], str(tmp_path / "keys"), [], whole=False)
        assert report.findings == []
        return [words.rpartition(": ")[2] for words in report.proved if "commit to" in words]

    async with begin(caller.tenant) as tx:
        size = len(await tx.tree.entries(0, 100))
    old = await pack("old.zip")
    bytes_before = old.read_bytes()
    opened = [
        "1 payloads are what entries notice.stored commit to",
        "2 payloads are what entries record.stored commit to",
        "2 payloads are what entries decision.made commit to",
    ]
    assert sorted(proved(old)) == sorted(opened)

    await DestroyKey(begin, clock)(life, by=caller)
    await place()
    new = await pack("new.zip")

    assert old.read_bytes() == bytes_before
    assert sorted(proved(old)) == sorted(opened)
    assert sorted(proved(new)) == sorted(
        [
            "1 payloads are what entries notice.stored commit to",
            "1 payloads are what entries record.stored commit to; 1 can't be opened any more",
            "1 payloads are what entries decision.made commit to; 1 can't be opened any more",
        ]
    )
    with zipfile.ZipFile(old) as before, zipfile.ZipFile(new) as after:
        then, now = (zip_.read("export.ndjson").split(b"\n", 1)[1] for zip_ in (before, after))
        salts = [json.loads(line).get("salt") for line in before.read("records.ndjson").splitlines()[1:]]
        left = [json.loads(line).get("salt") for line in after.read("records.ndjson").splitlines()[1:]]
    assert then == now
    assert sorted(left, key=str) == sorted([None, *(set(left) & set(salts))], key=str)


async def test_an_erasure_that_waits_for_its_place_explains_the_secret_already(life, look, begin, clock, caller):
    await DestroyKey(begin, clock)(life, by=caller)

    assert (await look()).findings == []


async def test_nothing_is_committed_to_about_who_was_erased(life, decided, place, look, begin, clock, caller):
    await DestroyKey(begin, clock)(life, by=caller)
    await appending(begin, clock)([a_submission("ann", ts=clock())], by=caller)
    await decided(life)
    await place()

    async with begin(caller.tenant) as tx:
        *_, stored, made = [json.loads(entry) for entry in await tx.tree.entries(0, 100)]
    assert (stored["event"], stored["commitment"]) == ("record.stored", None)
    assert (made["event"], made["commitment"]) == ("decision.made", None)
    assert (await look()).findings == []


async def test_who_was_merged_into_a_person_is_erased_with_them(life, begin, clock, caller):
    async with begin(caller.tenant) as tx:
        ben = await tx.subjects.handle_of(SubjectId("ben"))
        await tx.subjects.settle(life, ben, clock(), same=True)

    await DestroyKey(begin, clock)(life, by=caller)

    async with begin(caller.tenant) as tx:
        assert await tx.audit.secrets([life, ben]) == {}


# --- who may do what ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "done",
    [
        "INSERT INTO commitment_secret (tenant, handle, secret) VALUES (%(tenant)s, gen_random_uuid(), 'mine')",
        "UPDATE commitment_secret SET secret = 'mine'",
        "TRUNCATE commitment_secret",
    ],
)
def test_the_application_chooses_no_secret(life, database, caller, done: str):
    with psycopg.connect(database.urls.app) as app:
        app.execute("SELECT set_config('volens.tenant', %s, true)", (caller.tenant,))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute(done, {"tenant": caller.tenant})


def test_the_worker_sees_no_secret(life, database):
    with psycopg.connect(database.urls.worker) as worker, pytest.raises(psycopg.errors.InsufficientPrivilege):
        worker.execute("SELECT secret FROM commitment_secret")
