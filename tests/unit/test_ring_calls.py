"""A ring that fails is asked again, then left alone, then tried by one."""

import asyncio

import pytest

from service.vault.domain import RingUnavailable, Unreadable
from service.vault.ring_calls import ATTEMPTS, FAILURES, RingCalls, RingLost


class Ring:
    """Does what it is told, one word a call, the last one for ever."""

    def __init__(self, *words):
        self.words = list(words)
        self.asked = 0

    async def __call__(self):
        self.asked += 1
        word = self.words.pop(0) if len(self.words) > 1 else self.words[0]
        if word == "hang":
            await asyncio.sleep(60)
        if isinstance(word, Exception):
            raise word
        return word


def calls(**changes) -> RingCalls:
    return RingCalls(**{"limit": 0.05, "first_pause": 0.001, "rest": 0.3} | changes)


async def fail(ask: RingCalls, times: int) -> None:
    for _ in range(times):
        with pytest.raises(RingUnavailable):
            await ask(Ring(RingUnavailable("no")))


@pytest.mark.parametrize("loss", [RingLost(), "hang"], ids=["lost", "silent"])
async def test_one_attempt_that_is_lost_is_made_good_by_the_next(loss):
    ring = Ring(loss, "key")

    assert await calls()(ring) == "key"
    assert ring.asked == 2


@pytest.mark.parametrize("loss", [RingLost(), "hang"], ids=["lost", "silent"])
async def test_a_ring_that_stays_lost_is_unavailable(loss):
    ring = Ring(loss)

    with pytest.raises(RingUnavailable):
        await calls()(ring)
    assert ring.asked == ATTEMPTS


@pytest.mark.parametrize("answer", [Unreadable("no"), RingUnavailable("no")], ids=["unreadable", "turned away"])
async def test_a_definite_answer_is_not_asked_for_again(answer):
    ring = Ring(answer)

    with pytest.raises(type(answer)):
        await calls()(ring)
    assert ring.asked == 1


async def test_a_ring_that_failed_often_is_left_alone_for_a_while():
    ask, ring = calls(rest=60), Ring("key")
    await fail(ask, FAILURES)

    with pytest.raises(RingUnavailable, match="left alone"):
        await ask(ring)
    assert ring.asked == 0


async def test_fewer_failures_or_failures_between_answers_leave_it_open():
    ask = calls(rest=60)
    await fail(ask, FAILURES - 1)
    assert await ask(Ring("key")) == "key"
    await fail(ask, FAILURES - 1)
    assert await ask(Ring("key")) == "key"


async def test_a_key_that_does_not_open_says_nothing_against_the_ring():
    ask = calls(rest=60)
    for _ in range(FAILURES + 1):
        with pytest.raises(Unreadable):
            await ask(Ring(Unreadable("no")))
    assert await ask(Ring("key")) == "key"


async def test_after_the_rest_one_call_tries_it_and_opens_it_for_all():
    ask = calls(limit=5)
    await fail(ask, FAILURES)
    await asyncio.sleep(0.35)
    answered = asyncio.Event()

    async def slow():
        await answered.wait()
        return "key"

    trying = asyncio.create_task(ask(slow))
    await asyncio.sleep(0)
    with pytest.raises(RingUnavailable, match="left alone"):
        await ask(Ring("key"))
    answered.set()

    assert await trying == "key"
    assert await ask(Ring("key")) == "key"


async def test_a_failed_trial_leaves_it_alone_again():
    ask, ring = calls(), Ring("key")
    await fail(ask, FAILURES)
    await asyncio.sleep(0.35)
    await fail(ask, 1)

    with pytest.raises(RingUnavailable, match="left alone"):
        await ask(ring)
