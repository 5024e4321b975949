"""Packs have what others said of the log, also where the newest tree is one that nobody saw yet."""

import io
import json
import zipfile
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from service import exporting
from service.audit.attesting_store import SqlLogs
from service.audit.cosigning import name_of
from service.audit.findings import Kind
from service.audit.notes import LOG, Checkpoint, Key
from service.audit.signing import cosign
from service.audit.timestamps import stamped
from service.audit.verifier import Verifier
from service.exports import Asked, ExportPurpose, Form, Wanted
from tests.audited import WITNESS
from tests.builders import a_submission, appending
from tests.integration.test_committed import ANN, decided, life, place, settings

__all__ = ["decided", "life", "place", "settings"]
"""Fixtures."""

SEEN = datetime(2026, 11, 22, 9, tzinfo=UTC)
RANGE, CHOICE = {}, {"subjects": (ANN,)}


@pytest.fixture
def attest(worker_pool, caller):
    """Has what was signed last cosigned and stamped; returns its size."""

    async def attest() -> int:
        logs = SqlLogs(worker_pool).of(caller.tenant)
        note = await logs.newest()
        assert note is not None
        size, line = Checkpoint.parse(note).size, cosign(note, WITNESS, int(SEEN.timestamp())).removeprefix(note)
        await logs.cosigned(size, name_of(WITNESS.key), line, SEEN)
        await logs.stamped(size, b"token", SEEN)
        return size

    return attest


@pytest.fixture
def grow(begin, clock, caller, place):
    async def grow() -> None:
        clock.now = SEEN
        await appending(begin, clock)([a_submission("ann", ts=clock())], by=caller)
        await place()

    return grow


@pytest.fixture
def pack(settings, caller, tmp_path):
    async def pack(wanted) -> Path:
        asked = Asked(form=Form.PACK, purpose=ExportPurpose.INTERNAL_AUDIT, wanted=Wanted(), **wanted)
        await exporting.export(
            settings, caller.tenant, asked, tmp_path / "pack.zip", progress_on=Console(file=StringIO())
        )
        return tmp_path / "pack.zip"

    return pack


@pytest.fixture
def judged(settings, caller, log_keys):
    def judged(pack: bytes, stamps=None):
        key = Key(f"{settings.log_name}/{caller.tenant}", LOG, log_keys.public[-1])
        keys = {(each.name, each.id): each for each in (key, WITNESS.key)}
        verifier = Verifier(keys, stamps=stamps)
        verifier.pack(zipfile.ZipFile(io.BytesIO(pack)), "pack")
        return verifier.report

    return judged


@pytest.mark.parametrize("wanted", [RANGE, CHOICE], ids=["range", "choice"])
async def test_a_pack_of_a_tree_that_nobody_saw_yet_has_the_one_that_they_saw(life, attest, grow, pack, judged, wanted):
    size = await attest()
    await grow()
    written = (await pack(wanted)).read_bytes()
    over: list[bytes] = []

    def judge(token: bytes, message: bytes) -> datetime:
        assert token == b"token"
        over.append(message)
        return SEEN

    without, with_judge = judged(written), judged(written, judge)

    with zipfile.ZipFile(io.BytesIO(written)) as members:
        stamp = json.loads(members.read("timestamp.json"))
        assert {"cosigned.json", "stamped.json"} < set(members.namelist())
        assert WITNESS.key.name in json.loads(members.read("cosigned.json"))["old"]
        if wanted is RANGE:
            assert "timestamp.json" in members.read("index.html").decode()
    assert (without.findings, with_judge.findings) == ([], [])
    assert any(f"the {size} entries that" in words and "are the first of" in words for words in without.proved)
    assert not any("had signed a tree" in words for words in without.proved)
    assert any(f"had signed a tree of {size} entries" in words for words in with_judge.proved)
    assert over == [stamped(Checkpoint.parse(stamp["checkpoint"]))]


async def test_a_pack_of_a_tree_that_they_saw_has_their_words_and_needs_no_other(life, attest, pack, judged):
    await attest()
    written = (await pack(RANGE)).read_bytes()

    with zipfile.ZipFile(io.BytesIO(written)) as members:
        assert WITNESS.key.name in members.read("checkpoint").decode()
        assert "timestamp.json" in members.namelist()
        assert not {"cosigned.json", "stamped.json"} & set(members.namelist())
    assert judged(written).findings == []


async def test_what_others_said_can_not_be_changed_in_a_pack(life, attest, grow, pack, judged):
    await attest()
    await grow()
    written = (await pack(RANGE)).read_bytes()

    for name in ("cosigned.json", "timestamp.json", "stamped.json"):
        changed = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(written)) as old, zipfile.ZipFile(changed, "w") as new:
            for member in old.namelist():
                content = old.read(member)
                new.writestr(member, content[:-3] + b"x" + content[-2:] if member == name else content)
        found = judged(changed.getvalue()).findings
        assert (Kind.MEMBER, f"pack, {name}") in {(each.kind, each.place) for each in found}


async def test_a_pack_of_a_log_that_nobody_else_saw_has_nothing_of_it(life, pack):
    with zipfile.ZipFile(await pack(RANGE)) as members:
        assert not {"cosigned.json", "timestamp.json", "stamped.json"} & set(members.namelist())
