"""The laws in memory: each is loaded once, and one that can't be is nobody's permit."""

import asyncio
from typing import Any

import pytest

from service.decisions import DecisionUnavailable, Law, Memo
from service.decisions.revisions import KEEP, LoadedLaws
from service.kernel import Unavailable
from service.policies.governing import Governing
from tests.toy_policy import policy


class Engine:
    """An engine that nobody asks."""

    def __init__(self, revision: str) -> None:
        self.policy = policy()
        self.revision = revision


def a_law(revision: str) -> Law:
    engine: Any = Engine(revision)
    return Law(engine=engine, memo=Memo(engine))


class Shelf:
    """Revisions that can be loaded, and how often each was."""

    def __init__(self) -> None:
        self.loaded: list[str] = []
        self.damaged: set[str] = set()

    async def load(self, revision: str) -> Law:
        self.loaded.append(revision)
        await asyncio.sleep(0)
        if revision in self.damaged:
            raise DecisionUnavailable("the module of the policy can't be loaded")
        return a_law(revision)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def laws(shelf: Shelf) -> LoadedLaws:
    return LoadedLaws(a_law("sha256:test"), shelf.load, pause=0.02)


async def test_the_shipped_law_needs_no_loading(laws: LoadedLaws, shelf: Shelf):
    assert await laws.of(None) is laws.shipped
    assert await laws.of(laws.shipped.policy.revision) is laws.shipped
    assert shelf.loaded == []


async def test_all_who_come_while_it_loads_get_the_same(laws: LoadedLaws, shelf: Shelf):
    first, *others = await asyncio.gather(*(laws.of("sha256:a") for _ in range(20)))

    assert all(other is first for other in others)
    assert await laws.of("sha256:a") is first
    assert shelf.loaded == ["sha256:a"]


async def test_one_who_goes_away_ends_it_for_nobody_else(laws: LoadedLaws, shelf: Shelf):
    gone, stays = (asyncio.create_task(laws.of("sha256:a")) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()

    assert (await stays).engine.revision == "sha256:a"
    assert shelf.loaded == ["sha256:a"]


async def test_the_one_that_is_asked_stays_while_others_come_and_go(laws: LoadedLaws, shelf: Shelf):
    for turn in range(KEEP + 3):
        await laws.of("sha256:active")
        await laws.of(f"sha256:old-{turn}")

    assert shelf.loaded.count("sha256:active") == 1
    await laws.of("sha256:old-0")
    assert shelf.loaded.count("sha256:old-0") == 2, "nobody asked for it, so it went"


async def test_one_that_cannot_be_loaded_is_refused_and_left_alone_for_a_moment(laws: LoadedLaws, shelf: Shelf):
    shelf.damaged.add("sha256:a")
    for _ in range(5):
        with pytest.raises(DecisionUnavailable):
            await laws.of("sha256:a")
    assert shelf.loaded == ["sha256:a"]

    shelf.damaged.clear()
    await asyncio.sleep(0.05)
    assert (await laws.of("sha256:a")).engine.revision == "sha256:a"


def test_what_governs_is_noted_when_it_changes_and_only_then():
    noted: list[str | None] = []
    governing = Governing(noted.append)
    for revision in (None, None, "sha256:a", "sha256:a", "sha256:b"):
        governing.decode((revision, None, None))

    assert noted == ["sha256:a", "sha256:b"]
    assert governing.revision == "sha256:b"


def test_an_activation_that_vanished_is_no_return_to_what_is_shipped():
    governing = Governing()
    governing.decode(("sha256:a", None, None))

    with pytest.raises(Unavailable):
        governing.decode((None, None, None))
