"""`volens audit export`, judged by the verifier that an auditor runs."""

import csv
import io
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from msgspec.structs import replace
from rich.console import Console

from service import choosing, db, exporting, extents
from service.audit import AuditEvent, Draft
from service.audit.growing import GrowTree
from service.audit.log_keys import LogKeys
from service.audit.notes import LOG, Key
from service.audit.published import PublishedFiles
from service.audit.tree_store import add_public_key, growing
from service.audit.verifier import Verifier
from service.choosing import LogBroken
from service.exports import Asked, ExportPurpose, Form, Wanted
from service.kernel import TenantId
from service.operations import UnknownTenant, UnusableName
from service.own_files import FileUnusable
from service.settings import Settings

SILENT = Console(file=io.StringIO())


@pytest.fixture
def settings(database, tmp_path: Path) -> Settings:
    return Settings(
        data_dir=str(tmp_path),
        database_url=database.urls.app,
        owner_database_url=database.urls.owner,
        worker_database_url=database.urls.worker,
    )


@pytest.fixture
def keys(tmp_path: Path) -> LogKeys:
    return LogKeys.open(tmp_path / "log.keys", make=True)


@pytest.fixture
async def write(begin, caller, database, keys, clock, settings, tmp_path):
    """Stores entries, one a second, and has them placed."""
    async with db.pool(database.urls.worker) as pool:
        files = PublishedFiles(tmp_path / "checkpoints")
        await add_public_key(pool, keys.public[-1], clock())
        grow = GrowTree(settings.log_name, growing(pool), keys.signer, files, clock, batch=100)

        async def write(number: int, **by) -> None:
            for each in range(number):
                async with begin(caller.tenant) as tx:
                    draft = Draft(event=AuditEvent.RECORD_STORED, object_id=str(UUID(int=each)))
                    await tx.audit.append_many([draft], by=replace(caller, **by))
                clock.advance(timedelta(seconds=1))
            while await grow(caller.tenant):
                pass

        yield write


@pytest.fixture
def export(settings, caller, tmp_path):
    async def export(
        form: Form = Form.NDJSON, *, name: str = "out", tenant: str = caller.tenant, bom=False, subjects=(), **wanted
    ):
        out = tmp_path / name
        asked = Asked(
            form=form, purpose=ExportPurpose.INTERNAL_AUDIT, wanted=Wanted(**wanted), subjects=subjects, bom=bom
        )
        done = await exporting.export(settings, tenant, asked, out, progress_on=SILENT)
        return done, out

    return export


@pytest.fixture
def judge(settings, caller, keys) -> Callable[..., list[str]]:
    origin = f"{settings.log_name}/{caller.tenant}"

    def judge(out: Path, *, whole: bool = False) -> list[str]:
        known = [Key(origin, LOG, public) for public in keys.public]
        verifier = Verifier({(key.name, key.id): key for key in known}, whole=whole)
        with out.open("rb") as file:
            assert verifier.file(file, "export")
        assert not verifier.report.findings
        return verifier.report.proved

    return judge


async def test_a_whole_log_is_exported_and_verifies(write, export, judge):
    await write(300)

    done, out = await export()

    assert "the 300 entries from 0" in judge(out, whole=True)[0]
    assert (done.first, done.after, done.entries, done.tree_size) == (0, 300, 300, 300)
    assert (done.bytes, oct(out.stat().st_mode & 0o777)) == (out.stat().st_size, "0o600")


@pytest.mark.parametrize(("first", "after"), [(0, 1), (255, 257), (100, 600), (256, 512), (599, 600)])
async def test_a_part_of_it_verifies(write, export, judge, monkeypatch, first, after):
    monkeypatch.setattr(extents, "BATCH", 70)
    await write(600)

    _, out = await export(first=first, after=after)

    assert f"the {after - first} entries from {first} are those" in judge(out)[0]


async def test_a_period_is_exported(write, export, judge, clock):
    began = clock()
    await write(50)

    done, out = await export(since=began + timedelta(seconds=10), until=began + timedelta(seconds=20))
    rest, _ = await export(name="rest", since=began + timedelta(seconds=10))

    assert (done.first, done.after, rest.first, rest.after) == (10, 20, 10, 50)
    assert judge(out)


async def test_each_export_is_an_entry_that_commits_to_the_file(write, export, caller, database):
    await write(3)

    done, _ = await export()

    with psycopg.connect(database.urls.owner) as connection:
        entries = connection.execute(
            "SELECT object_id, actor, encode(commitment, 'hex') FROM audit_entry "
            "WHERE tenant = %s AND event = 'audit.exported'",
            (caller.tenant,),
        ).fetchall()
    assert entries == [("ndjson/0-3", "operator", done.sha256)]


async def test_a_file_that_is_there_stays(write, export, tmp_path):
    await write(1)
    (tmp_path / "out").write_text("precious")

    with pytest.raises(FileExistsError):
        await export()

    assert (tmp_path / "out").read_text() == "precious"


async def test_a_log_that_lost_an_entry_is_not_exported_and_leaves_no_file(write, export, tmp_path, database, caller):
    await write(5)
    with psycopg.connect(database.urls.admin) as connection:
        connection.execute("ALTER TABLE audit_entry DISABLE TRIGGER USER")
        connection.execute("DELETE FROM audit_entry WHERE tenant = %s AND object_id LIKE '%%0002'", (caller.tenant,))
        connection.execute("ALTER TABLE audit_entry ENABLE TRIGGER USER")
    before = set(tmp_path.iterdir())

    with pytest.raises(LogBroken, match="entries 0 to 4 are not all there"):
        await export()

    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "wanted",
    [
        {"first": 5},
        {"after": 6},
        {"first": 3, "after": 3},
        {"since": datetime(2030, 1, 1, tzinfo=UTC)},
        {"until": datetime(2020, 1, 1, tzinfo=UTC)},
    ],
)
async def test_what_the_log_does_not_have_is_refused(write, export, wanted):
    await write(5)

    with pytest.raises(extents.NothingToExport):
        await export(**wanted)


async def test_a_tenant_that_nobody_added_is_refused(write, export):
    await write(1)

    with pytest.raises(UnknownTenant):
        await export(tenant="nobody")
    with pytest.raises(UnusableName):
        await export(tenant="No Body")


async def test_a_table_for_spreadsheets_has_every_entry_and_no_formula(write, export, caller):
    await write(3)
    await write(1, actor="=cmd|' /C calc'!A0")

    done, out = await export(Form.CSV, first=1)
    _, marked = await export(Form.CSV, name="marked", bom=True)

    table = list(csv.DictReader(out.read_text().splitlines()))
    assert [row["index"] for row in table] == ["1", "2", "3"]
    assert table[-1]["actor"] == "'=cmd|' /C calc'!A0"
    assert {row["tenant"] for row in table} == {TenantId(caller.tenant)}
    assert marked.read_bytes().startswith(b"\xef\xbb\xbfindex,")
    assert done.entries == 3


async def test_the_same_range_of_the_same_tree_is_the_same_pack(write, export, monkeypatch):
    monkeypatch.setattr(extents, "BATCH", 70)
    await write(300)

    one, first = await export(Form.PACK)
    other, second = await export(Form.PACK, name="second")

    assert one.sha256 == other.sha256
    assert first.read_bytes() == second.read_bytes()


async def test_a_pack_says_what_is_not_in_the_database_any_more(write, export):
    """As here, where entries tell of records that were never stored."""
    await write(3)

    _, out = await export(Form.PACK, first=1)

    with zipfile.ZipFile(out) as pack:
        assert "2 records are not in the database any more." in pack.read("index.html").decode()
        assert pack.read("records.ndjson").count(b"\n") == 1
        assert pack.read("notices.ndjson").count(b"\n") == 1


async def test_a_pack_that_nobody_can_sign_is_not_made(write, export, tmp_path):
    await write(1)
    (tmp_path / "log.keys").unlink()
    before = set(tmp_path.iterdir())

    with pytest.raises(FileUnusable, match=r"there is no log\.keys"):
        await export(Form.PACK)

    assert set(tmp_path.iterdir()) == before


async def test_what_stands_in_entries_is_text_on_the_page(write, export):
    await write(1, actor="<script>alert(1)</script>&\"'")

    _, out = await export(Form.PACK)

    with zipfile.ZipFile(out) as pack:
        page = pack.read("index.html").decode()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;&#x27;" in page


# --- choices ----------------------------------------------------------------------------------


async def test_entries_are_picked_by_kind_and_client_whatever_the_batches(write, export, judge, monkeypatch):
    monkeypatch.setattr(choosing, "BATCH", 7)
    await write(90)
    await write(20, actor="officer")
    await write(90)

    done, out = await export(actors=("officer",))
    none, nothing = await export(name="none", events=(AuditEvent.VAULT_REVEALED,))
    every, whole = await export(name="whole", events=(AuditEvent.RECORD_STORED,))

    assert "20 chosen entries are in their places in the tree of 200" in judge(out)[0]
    assert (done.entries, done.first, done.after) == (20, None, None)
    assert "0 chosen entries" in judge(nothing)[0]
    assert none.entries == 0
    assert "200 chosen entries" in judge(whole)[0]
    assert every.tree_size == 200


async def test_a_choice_keeps_to_places_and_period(write, export, judge, clock):
    began = clock()
    await write(50)

    within, out = await export(actors=("shop-backend",), first=10, after=20)
    since, _ = await export(name="since", actors=("shop-backend",), since=began + timedelta(seconds=45))

    assert judge(out)
    assert (within.entries, since.entries) == (10, 5)


async def test_a_choice_of_a_log_that_lost_an_entry_is_refused(write, export, tmp_path, database, caller):
    await write(5)
    with psycopg.connect(database.urls.admin) as connection:
        connection.execute("ALTER TABLE audit_tile DISABLE TRIGGER USER")
        connection.execute("DELETE FROM audit_tile WHERE tenant = %s", (caller.tenant,))
        connection.execute("ALTER TABLE audit_tile ENABLE TRIGGER USER")
    before = set(tmp_path.iterdir())

    with pytest.raises(LogBroken, match="lacks part of the tree"):
        await export(actors=("nobody",))
    assert set(tmp_path.iterdir()) == before


async def test_a_choice_is_its_own_kind_of_entry(write, export, caller, database):
    await write(3)

    done, _ = await export(events=(AuditEvent.RECORD_STORED,))

    with psycopg.connect(database.urls.owner) as connection:
        told = connection.execute(
            "SELECT object_id, encode(commitment, 'hex') FROM audit_entry "
            "WHERE tenant = %s AND event = 'audit.exported'",
            (caller.tenant,),
        ).fetchall()
    assert told == [("ndjson/3-chosen", done.sha256)]


async def test_it_can_be_counted_from_the_shell(write, settings, caller):
    await write(3)
    asked = Asked(form=Form.CSV, purpose=ExportPurpose.INTERNAL_AUDIT, wanted=Wanted(first=1))

    counted = await exporting.count(settings, caller.tenant, asked)

    assert (counted.entries, counted.events, counted.tree_size) == (2, {AuditEvent.RECORD_STORED: 2}, 3)
    with pytest.raises(UnknownTenant):
        await exporting.count(settings, "nobody", asked)
