"""Questions of one event-loop turn travel together, and none gets an answer older than itself."""

import asyncio
from collections.abc import Sequence

import pytest

from service.db import Coalescer


class Source:
    """Answers each key with how often the source had been asked; can be held back."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.began = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, keys: Sequence[str]) -> dict[str, int]:
        self.asked.append(list(keys))
        self.began.set()
        answer = dict.fromkeys((key for key in keys if key != "unknown"), len(self.asked))
        await self.open.wait()
        if "broken" in keys:
            raise ConnectionError("the source is gone")
        return answer


@pytest.fixture
async def source() -> Source:
    return Source()


async def test_questions_of_one_turn_go_out_together(source):
    ask = Coalescer(source)

    assert await asyncio.gather(*(ask(key) for key in "abcab")) == [1] * 5
    assert source.asked == [["a", "b", "c"]]


async def test_a_key_that_nobody_knows_is_none(source):
    assert await Coalescer(source)("unknown") is None


async def test_a_question_never_joins_a_flush_that_has_begun(source):
    ask = Coalescer(source)
    source.open.clear()
    early = asyncio.ensure_future(ask("a"))
    await source.began.wait()
    late = asyncio.ensure_future(ask("a"))
    await asyncio.sleep(0)
    source.open.set()

    assert (await early, await late) == (1, 2)


async def test_a_flush_is_no_larger_than_its_limit(source):
    ask = Coalescer(source, limit=2)

    await asyncio.gather(*(ask(key) for key in "abcde"))
    assert sorted(len(keys) for keys in source.asked) == [1, 2, 2]


async def test_while_a_flush_runs_questions_gather_for_the_next(source):
    ask = Coalescer(source)
    source.open.clear()
    first = asyncio.ensure_future(ask("a"))
    await source.began.wait()
    others = []
    for key in "bcd":
        others.append(asyncio.ensure_future(ask(key)))
        await asyncio.sleep(0)
    assert source.asked == [["a"]]
    source.open.set()

    assert await asyncio.gather(first, *others) == [1, 2, 2, 2]
    assert source.asked == [["a"], ["b", "c", "d"]]


async def test_an_error_reaches_all_who_asked_and_nobody_else(source):
    ask = Coalescer(source)

    answers = await asyncio.gather(ask("a"), ask("broken"), ask("a"), return_exceptions=True)
    assert [type(answer) for answer in answers] == [ConnectionError] * 3
    assert await ask("a") == 2


async def test_one_who_no_longer_waits_takes_nothing_from_the_others(source):
    ask = Coalescer(source)
    source.open.clear()
    leaver, stayer = asyncio.ensure_future(ask("a")), asyncio.ensure_future(ask("a"))
    await source.began.wait()
    leaver.cancel()
    source.open.set()

    assert await stayer == 1
    with pytest.raises(asyncio.CancelledError):
        await leaver


async def test_one_who_leaves_before_the_flush_takes_nothing_from_the_others(source):
    ask = Coalescer(source)
    leaver, stayer = asyncio.ensure_future(ask("a")), asyncio.ensure_future(ask("a"))
    await asyncio.sleep(0)
    leaver.cancel()

    assert await stayer == 1
