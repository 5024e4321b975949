"""`volens subject package`: all that is kept about a person, put on record, in a file for its owner."""

import csv
import io
import json
import zipfile
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from jsonschema import Draft202012Validator
from rich.console import Console

from service import access
from service.access import DeclarationUnusable
from service.audit import AuditEvent
from service.consent import NoticeContent, PutNotice, Submission
from service.consent.merging import SettleMerge
from service.kernel import Handle, SubjectId
from service.operations import OPERATOR, UnknownTenant, UnusableName
from service.packages import Declared, Language
from service.reveals.token import StandIn
from service.settings import Settings
from service.subjects import PutSubject, SubjectFacts, UnknownSubject
from service.vault import DestroyKey, MoveValues, RingUnavailable, SubjectErased
from service.vault.envelope import seal, unseal
from service.vault.keys import Keys
from service.vault.ring_file import FileRing
from tests.builders import GAZETTEER, VOCABULARY, a_statement, appending
from tests.vaulted import putter

SILENT = Console(file=io.StringIO())
ANNA = SubjectId("anna")
SCHEMA = json.loads((Path(__file__).parents[2] / "openapi" / "access-package.schema.json").read_text())
VERDICT = {
    "allow": True, "basis": "consent", "obligations": [], "acts": [0], "closed_hours": False,
    "reasons": [{"rule": "EU-EPD-01", "effect": "permit", "stage": 10}],
}  # fmt: skip


@pytest.fixture(scope="module")
def ring(tmp_path_factory) -> Path:
    """One for the database, as one belongs to the other."""
    return tmp_path_factory.mktemp("ring") / "root.keys"


@pytest.fixture
def settings(database, tmp_path: Path, ring: Path) -> Settings:
    return Settings(
        data_dir=str(tmp_path),
        key_ring_path=str(ring),
        database_url=database.urls.app,
        owner_database_url=database.urls.owner,
        worker_database_url=database.urls.worker,
    )


@pytest.fixture
def put(ring, engine, begin, clock, tenant):
    return putter(ring, engine, begin, clock, tenant)


@pytest.fixture
def package(settings, caller, tmp_path):
    async def package(subject: str = ANNA, *, name="out.zip", lang=Language.EN, tenant=caller.tenant, **declared):
        stated = Declared(**declared)
        done = await access.package(settings, tenant, subject, lang, stated, tmp_path / name, SILENT)
        return done, zipfile.ZipFile(tmp_path / name)

    return package


@pytest.fixture
def record(begin, clock, caller):
    async def record(subject: str = ANNA, **said) -> UUID:
        id_ = uuid4()
        said = {"ts": clock(), **said}
        submission = Submission(id=id_, subject=SubjectId(subject), statement=a_statement(**said))
        await appending(begin, clock)([submission], by=caller)
        return id_

    return record


@pytest.fixture
def decided(database, caller, clock):
    def decided(handle: Handle, *, actor: str = "mailer", revision: str | None = None) -> UUID:
        from service import given

        id_, revision = uuid4(), revision or (given.BUILD / "revision").read_text().strip()
        with psycopg.connect(database.urls.app) as connection:
            connection.execute("SELECT set_config('volens.tenant', %s, false)", (caller.tenant,))
            connection.execute(
                "INSERT INTO facts (tenant, hash, body) VALUES (%s, sha256('{}'), '{}') ON CONFLICT DO NOTHING",
                (caller.tenant,),
            )
            connection.execute(
                "INSERT INTO verdict (tenant, revision, facts_hash, body) VALUES (%s, %s, sha256('{}'), %s)"
                " ON CONFLICT DO NOTHING",
                (caller.tenant, revision, json.dumps(VERDICT)),
            )
            connection.execute(
                "INSERT INTO decision (tenant, id, handle, channel, purpose, at, decided_at, permit, revision,"
                " facts_hash, verdict_hash, records, actor, request)"
                " VALUES (%s, %s, %s, 'email', 'marketing', %s, %s, true, %s,"
                " sha256('{}'), sha256('{}'), '{}', %s, 'r')",
                (caller.tenant, id_, handle, clock(), clock(), revision, actor),
            )
            connection.execute(
                "INSERT INTO audit_entry (tenant, id, at, event, object_id, subject, actor, request, canonical)"
                " VALUES (%s, %s, %s, 'decision.made', %s, %s, %s, 'r', '')",
                (caller.tenant, uuid4(), clock(), str(id_), handle, actor),
            )
        return id_

    return decided


@pytest.fixture
def noted(database, caller):
    """The events of the audit log about a person."""

    def noted(handle: Handle) -> list[str]:
        with psycopg.connect(database.urls.app) as connection:
            connection.execute("SELECT set_config('volens.tenant', %s, false)", (caller.tenant,))
            found = connection.execute(
                "SELECT event FROM audit_entry WHERE tenant = %s AND subject = %s", (caller.tenant, handle)
            )
            return [event for (event,) in found]

    return noted


def told(pack: zipfile.ZipFile) -> dict:
    read = json.loads(pack.read("package.json"))
    Draft202012Validator(SCHEMA).validate(read)
    return read


def rows(pack: zipfile.ZipFile, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(pack.read(name).decode("utf-8-sig"), newline="")))


async def test_everything_that_is_kept_about_a_person_is_in_it(
    package, put, record, decided, begin, clock, caller, database, tmp_path
):
    handle = await put(ANNA, {"email": "old@mail.example", "name": "Anna Ash"})
    clock.advance(timedelta(days=1))
    await put(ANNA, {"email": "anna@mail.example"}, version=2)
    await put(ANNA, {"document": {"media_type": "text/plain", "content": b"a letter"}})
    await PutSubject(begin, clock, GAZETTEER)(ANNA, SubjectFacts(residence="FR"), by=caller)
    clock.advance(timedelta(days=1))
    await PutSubject(begin, clock, GAZETTEER)(ANNA, SubjectFacts(residence="DE"), by=caller)
    notice = NoticeContent(
        notice="newsletter", version="v3", texts={"de": "Wir schreiben."}, purposes=("marketing",), channels=("email",),
        controllers=("Example Shop",), material_change=False,
    )  # fmt: skip
    await PutNotice(begin, clock)(notice, by=caller)
    clock.advance(timedelta(days=1))
    opted_in = await record()
    decision = decided(handle)
    await put("berta", {"email": "berta@mail.example"})
    await record("berta")

    done, pack = await package(lang=Language.DE)
    read = told(pack)

    assert (done.values, done.records, done.decisions, done.reveals) == (4, 1, 1, 0)
    assert {(each["name"], each["version"]): each["value"] for each in read["values"]} == {
        ("email", 1): "old@mail.example", ("email", 2): "anna@mail.example", ("name", 1): "Anna Ash",
        ("document", 1): {"media_type": "text/plain", "content": "YSBsZXR0ZXI="},
    }  # fmt: skip
    assert pack.read("documents/document-1.txt") == b"a letter"
    assert [(each["version"], each["facts"]["residence"]) for each in read["facts"]] == [(1, "FR"), (2, "DE")]
    assert [each["id"] for each in read["records"]] == [str(opted_in)]
    assert read["records"][0]["notice"] == "newsletter"
    assert [each["texts"] for each in read["notices"]] == [{"de": "Wir schreiben."}]
    assert read["notices"][0]["sha256"] == notice.sha256().hex()
    assert [(each["action"], each["record"]) for each in read["state"]] == [("opt_in", str(opted_in))]
    assert [(each["id"], each["asked_by"]) for each in read["decisions"]] == [(str(decision), "mailer")]
    assert [(each["rule"], each["title"]) for each in read["rules"]] == [
        ("EU-EPD-01", "Electronic mail needs prior consent")
    ]
    assert {(each["who"], each["role"]) for each in read["recipients"]} == {("mailer", "asker")}
    assert [each["value"] for each in rows(pack, "values.csv")] == [
        "text/plain, 8 B", "old@mail.example", "anna@mail.example", "Anna Ash",
    ]  # fmt: skip
    page = pack.read("index.html").decode()
    assert '<html lang="de" dir="ltr">' in page
    assert "Werbung" in page
    assert "anna@mail.example" in page
    everything = b"".join(pack.read(name) for name in pack.namelist())
    assert b"berta" not in everything
    assert oct((tmp_path / "out.zip").stat().st_mode & 0o777) == "0o600"
    assert [path.name for path in tmp_path.iterdir()] == ["out.zip"]


async def test_a_rule_of_a_policy_that_is_not_stored_any_more_is_told_by_its_id(package, put, decided):
    decided(await put(ANNA, {"email": "anna@mail.example"}), revision=f"sha256:{'0' * 64}")

    _, pack = await package()

    assert [(each["rule"], each["title"], each["citation"]) for each in told(pack)["rules"]] == [
        ("EU-EPD-01", "EU-EPD-01", ""),
    ]  # fmt: skip


async def test_who_holds_a_stand_in_for_a_value_is_a_recipient(package, put, begin, clock, caller):
    handle = await put(ANNA, {"email": "anna@mail.example"})
    stand_in = StandIn(digest=b"d" * 32, handle=handle, name="email", purpose="marketing", recipient="mailer")
    async with begin(caller.tenant) as tx:
        await tx.tokens.add(stand_in, actor="test", at=clock())

    _, pack = await package(recipients={"mailer": "Mail Service Ltd"})

    [recipient] = told(pack)["recipients"]
    assert (recipient["who"], recipient["name"], recipient["role"]) == ("mailer", "Mail Service Ltd", "holder")
    assert recipient["fields"] == ["email"]
    assert stand_in.digest.hex() not in pack.read("package.json").decode()


async def test_every_value_that_was_opened_is_a_reveal_and_the_next_package_tells_of_it(package, put, noted):
    handle = await put(ANNA, {"email": "old@mail.example", "phone": "+4930123456"})
    await put(ANNA, {"email": "anna@mail.example"}, version=2)

    await package()
    _, pack = await package(name="again.zip")

    reveals = told(pack)["reveals"]
    assert [(each["by"], each["purpose"]) for each in reveals] == [(OPERATOR, "dsr_response")] * 2
    assert {frozenset(each["fields"].items()) for each in reveals} == {
        frozenset({("email", 1), ("phone", 1)}), frozenset({("email", 2)}),
    }  # fmt: skip
    events = noted(handle)
    assert events.count(AuditEvent.PACKAGE_MADE) == 2
    assert events.count(AuditEvent.VAULT_REVEALED) == 4


async def test_the_same_data_give_the_same_bytes(package, record, clock, monkeypatch, tmp_path):
    """Without values: opening them is itself something that the next package tells of."""
    monkeypatch.setattr(access.given, "utc_now", clock)
    for number in range(3):
        await record(purpose="survey" if number else "marketing")

    await package(name="one.zip")
    await package(name="two.zip")
    clock.advance(timedelta(hours=1))
    await package(name="later.zip")
    one, two, later = ((tmp_path / name).read_bytes() for name in ("one.zip", "two.zip", "later.zip"))

    assert one == two != later


async def test_what_was_kept_under_another_name_before_a_merge_is_in_it(
    package, put, record, decided, begin, clock, caller, ring
):
    await put(ANNA, {"email": "anna@mail.example"})
    other = await put("anna-2", {"phone": "+4930123456"})
    theirs = await record("anna-2", action="purchase", purpose="contract")
    before = decided(other)
    keys = Keys(FileRing.open(ring), begin, clock, keep=timedelta(minutes=5))
    settle = SettleMerge(begin, MoveValues(keys, seal, unseal), clock, VOCABULARY)
    await settle(ANNA, SubjectId("anna-2"), same=True, facts=None, by=caller)

    _, pack = await package("anna-2")
    read = told(pack)

    assert (read["subject"], read["other_ids"]) == ("anna", ["anna-2"])
    assert {each["value"] for each in read["values"]} == {"anna@mail.example", "+4930123456"}
    assert str(theirs) in {each["id"] for each in read["records"] if each["former"]}
    assert [each["id"] for each in read["decisions"]] == [str(before)]


async def test_what_is_about_others_is_left_out(package, put, record):
    await put(ANNA, {"free_text": "Husband: Max Moss"})
    await record(subject_ref="max-moss", evidence="told by MAX MOSS")

    _, pack = await package(hide_texts=("Max Moss",))

    everything = b"".join(pack.read(name) for name in pack.namelist()).lower()
    assert b"max moss" not in everything
    assert b"max-moss" not in everything
    assert {each["what"]: each["times"] for each in told(pack)["left_out"]} == {"subject_ref": 1, "texts": 2}


async def test_a_version_past_its_retention_is_told_without_what_it_said(package, put, begin, clock, caller, database):
    from msgspec.structs import replace

    from service.vault.fields import BUILT_IN

    async with begin(caller.tenant) as tx:
        await tx.values.add_field(replace(BUILT_IN["email"], retention_days=30), clock(), "test")
    clock.now -= timedelta(days=400)
    await put(ANNA, {"email": "old@mail.example"})
    await put(ANNA, {"email": "anna@mail.example"}, version=2)

    _, pack = await package()

    assert [(each["opened"], each["value"]) for each in told(pack)["values"]] == [
        (False, None), (True, "anna@mail.example"),
    ]  # fmt: skip
    assert {"what": "email", "until": "replaced", "days": 30} in told(pack)["retention"]


async def test_of_someone_who_was_forgotten_nothing_is_written(package, put, begin, clock, caller, tmp_path):
    handle = await put(ANNA, {"email": "anna@mail.example"})
    await DestroyKey(begin, clock)(handle, by=caller)

    with pytest.raises(SubjectErased):
        await package()
    assert list(tmp_path.iterdir()) == []


async def test_without_the_key_ring_nothing_is_written_and_nothing_is_put_on_record(
    package, put, ring, noted, tmp_path
):
    handle = await put(ANNA, {"email": "anna@mail.example"})
    away = ring.rename(ring.with_name("away"))
    try:
        with pytest.raises(RingUnavailable):
            await package()
    finally:
        away.rename(ring)

    assert list(tmp_path.iterdir()) == []
    assert not {AuditEvent.PACKAGE_MADE, AuditEvent.VAULT_REVEALED} & set(noted(handle))


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"subject": "nobody"}, UnknownSubject),
        ({"subject": "anna@mail.example"}, UnusableName),
        ({"tenant": "no-such-tenant"}, UnknownTenant),
    ],
)
async def test_nobody_is_made_up(package, put, tmp_path, changes, refusal):
    await put(ANNA, {"email": "anna@mail.example"})

    with pytest.raises(refusal):
        await package(**changes)
    assert list(tmp_path.iterdir()) == []


async def test_another_tenants_person_is_unknown(package, put, add_tenant):
    await put("zoe", {"email": "zoe@mail.example"}, tenant=add_tenant())

    with pytest.raises(UnknownSubject):
        await package("zoe")


async def test_a_file_that_is_there_stays(package, put, tmp_path):
    await put(ANNA, {"email": "anna@mail.example"})
    (tmp_path / "out.zip").write_text("mine")

    with pytest.raises(FileExistsError):
        await package()
    assert (tmp_path / "out.zip").read_text() == "mine"


@pytest.mark.parametrize("content", ["", "[]", '{"contact": 1}', '{"surplus": 1}', '{"hide_texts": ["x"]}'])
def test_a_declaration_that_says_something_else_is_refused(tmp_path, content):
    (tmp_path / "declared.json").write_text(content)

    with pytest.raises(DeclarationUnusable):
        access.read_declared(tmp_path / "declared.json")
