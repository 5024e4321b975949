"""The platform is asked as its document says, and asked again where it says when."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.drop import ListUnusable, PortalRefused, portal
from service.drop.portal import PATIENCE, Portal
from service.kernel import Unavailable
from tests.dropped import BROKER, DAY, base64, download, item
from tests.register import KEY, Platform, serving

EMAIL = f"{DAY}_{BROKER}_Email.csv"


@pytest.fixture
def platform() -> Iterator[Platform]:
    with serving() as platform:
        yield platform


@pytest.fixture
def waited() -> list[float]:
    return []


@pytest.fixture
def ours(platform: Platform, waited: list[float]) -> Portal:
    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    return Portal(platform.url, KEY, sleep)


def offered(platform: Platform) -> bytes:
    content = download({"Email": [(item(1), base64("ann@mail.example"))]}).getvalue()
    platform.batches.append((content, {item(1)}))
    return content


def answer(folder: Path, name: str = EMAIL, lines: str = f"{item(1)},5\n") -> Path:
    file = folder / name
    file.write_text(f"Id,Status\n{lines}")
    return file


async def test_a_download_is_waited_for_while_it_is_prepared(platform, ours, waited):
    content, into = offered(platform), io.BytesIO()

    assert await ours.fetch(into) is True

    assert into.getvalue() == content
    assert waited == [1.0]


async def test_there_may_be_nothing_new(platform, ours):
    assert await ours.fetch(io.BytesIO()) is False


async def test_a_download_is_given_when_the_last_one_is_answered(platform, ours, tmp_path):
    offered(platform)
    await ours.fetch(io.BytesIO())
    with pytest.raises(PortalRefused, match="answered"):
        await ours.fetch(io.BytesIO())

    assert await ours.upload([answer(tmp_path)], amend=False) == [EMAIL]

    assert platform.told == {item(1): "5"}
    assert await ours.fetch(io.BytesIO()) is False


async def test_an_answer_to_nothing_is_refused_and_an_amendment_is_not(platform, ours, tmp_path):
    with pytest.raises(PortalRefused, match="waits"):
        await ours.upload([answer(tmp_path)], amend=False)

    assert await ours.upload([answer(tmp_path)], amend=True) == [EMAIL]
    assert platform.amended == {item(1): "5"}


async def test_which_files_were_not_taken_is_told(platform, ours, tmp_path):
    offered(platform)
    await ours.fetch(io.BytesIO())
    wrong = answer(tmp_path, f"{DAY}_{BROKER}_Phone.csv", "no answer\n")

    assert await ours.upload([answer(tmp_path), wrong], amend=False) == [EMAIL]
    assert await ours.upload([wrong], amend=False) == []


@pytest.mark.parametrize(
    ("headers", "seconds"), [({}, 30.0), ({"Retry-After": "7"}, 7.0), ({"Retry-After": "x"}, 30.0)]
)
async def test_who_asks_too_often_asks_again_later(platform, ours, waited, headers, seconds):
    platform.first = [(429, headers)]

    assert await ours.fetch(io.BytesIO()) is False
    assert waited == [seconds]


async def test_nobody_waits_for_ever(platform, ours, waited):
    platform.first = [(202, {"Retry-After": "600"})] * 10

    with pytest.raises(Unavailable):
        await ours.fetch(io.BytesIO())
    assert sum(waited) <= PATIENCE


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_refusal_is_told_and_not_tried_again(platform, ours, status):
    platform.first = [(status, {})]

    with pytest.raises(PortalRefused):
        await ours.fetch(io.BytesIO())
    assert platform.first == []


async def test_another_key_is_refused(platform):
    with pytest.raises(PortalRefused, match="key"):
        await Portal(platform.url, "another").fetch(io.BytesIO())


@pytest.mark.parametrize("status", [302, 418, 500, 503, 599])
async def test_whatever_the_document_does_not_know_is_no_answer(platform, ours, status):
    platform.first = [(status, {"Location": "http://127.0.0.1:1/"})]

    with pytest.raises(Unavailable):
        await ours.fetch(io.BytesIO())


async def test_a_platform_that_is_not_there_is_no_answer(platform):
    with pytest.raises(Unavailable):
        await Portal("http://127.0.0.1:1", KEY).fetch(io.BytesIO())


async def test_a_download_beyond_all_measure_is_refused(platform, ours, monkeypatch):
    offered(platform)
    monkeypatch.setattr(portal, "LARGEST", 10)

    with pytest.raises(ListUnusable):
        await ours.fetch(io.BytesIO())
