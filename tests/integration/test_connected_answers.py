"""What connected systems answered joins the package of a request, whole or not at all."""

import zipfile
from contextlib import closing
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from service.downstreams import TaskState
from service.kernel import SubjectId
from service.packages import Collect, Language, PackageWish, WritePackage
from service.packages.catalogues import words_in
from service.packages.domain import SystemTold
from service.packages.ports import Answered
from service.packages.spool import spooled
from service.packing import Pack
from service.vault import Unreadable
from tests.integration.test_access_package import told

ANNA = SubjectId("anna")


@pytest.fixture
async def anna(begin, clock, caller) -> None:
    async with begin(caller.tenant) as tx:
        await tx.subjects.ensure([ANNA], clock())


class Answers:
    """A connected system whose answer is so long, and says that it is as long as `size`."""

    def __init__(self, size: int) -> None:
        self._size = size

    async def outcomes(self, tenant, request):
        return [
            SystemTold(system="crm", outcome=TaskState.CONFIRMED, ground=None, at=datetime(2026, 11, 22, tzinfo=UTC))
        ]

    async def answers(self, tenant, request):
        return [Answered(id=request, system="crm", name="notes.json", media_type="application/json", size=self._size)]

    async def content(self, tenant, answer):
        for part in (b'{"a"', b": 1}"):
            yield part


async def written_with(begin, clock, caller, tmp_path, connected) -> zipfile.ZipFile:
    async def titles(revision: str) -> dict:
        return {}

    async def nothing(*_: object, **__: object) -> tuple:
        return (), ()

    write = WritePackage(Collect(begin, nothing, titles), words_in, clock, connected)
    wish = PackageWish(subject=ANNA, language=Language.EN, request=uuid4())
    with spooled(tmp_path) as room, (tmp_path / "out.zip").open("w+b") as file, closing(Pack(file)) as pack:
        await write(wish, pack, room, lambda *_: None, by=caller)
    return zipfile.ZipFile(tmp_path / "out.zip")


@pytest.mark.usefixtures("anna")
async def test_what_connected_systems_answered_joins_the_package(begin, clock, caller, tmp_path):
    pack = await written_with(begin, clock, caller, tmp_path, Answers(8))

    assert pack.read("connected/crm/0001-notes.json") == b'{"a": 1}'
    assert told(pack)["connected"] == [
        {"system": "crm", "name": "notes.json", "media_type": "application/json", "size": 8,
         "file": "connected/crm/0001-notes.json", "not_told": None},
    ]  # fmt: skip
    assert "connected/crm/0001-notes.json" in pack.read("index.html").decode()


@pytest.mark.usefixtures("anna")
@pytest.mark.parametrize("size", [7, 9])
async def test_an_answer_that_is_not_as_long_as_it_said_makes_no_package(begin, clock, caller, tmp_path, size):

    with pytest.raises(Unreadable):
        await written_with(begin, clock, caller, tmp_path, Answers(size))
