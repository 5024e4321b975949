"""Lines as they arrive, cut wherever the network cuts them, in bounded memory."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Iterable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.web import lines as web_lines
from service.web.lines import CHUNK, LONGEST, Gone, LineResponse, Lines
from service.web.problems import Refusal


def lines_of(parts: Iterable[bytes], *, ends: bool = True, **reading: Any) -> Lines:
    """Return the lines of a body that comes in these parts; the client goes away after the last."""
    events = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    if ends:
        events.append({"type": "http.request", "body": b"", "more_body": False})
    coming = iter(events)

    async def receive():
        if (event := next(coming, None)) is not None:
            return event
        if ends:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    return Lines(receive, **reading)


async def everything(lines: Lines) -> list[bytes | None]:
    return [line async for chunk in lines.chunks() for line in chunk]


@given(
    texts=st.lists(st.binary(min_size=1, max_size=9).filter(lambda line: not set(line) & set(b"\n\r \t"))),
    cuts=st.lists(st.integers(0, 99)),
    last=st.booleans(),
)
async def test_where_the_network_cuts_does_not_matter(texts, cuts, last):
    body = b"\n".join(texts) + (b"\n" if last else b"")
    places = [0, *sorted(cut for cut in cuts if cut < len(body)), len(body)]
    parts = [body[start:end] for start, end in pairwise(places)]

    assert await everything(lines_of(parts)) == texts


async def test_a_line_that_is_too_long_is_told_once_and_the_next_is_whole():
    piece = b"x" * 1000
    parts = [b"a\n", *[piece] * (LONGEST // 1000 + 5), b"\nb\n", b"y" * LONGEST, b"\n", b"z" * (LONGEST + 1)]

    assert await everything(lines_of(parts)) == [b"a", None, b"b", b"y" * LONGEST, None]


@pytest.mark.parametrize(
    ("parts", "found"),
    [
        ((b"ab\ncd\n",), [b"ab", b"cd"]),
        ((b"a", b"b\nc", b"d"), [b"ab", b"cd"]),
        ((b"\n \r\n",), [b"", b""]),
        ((b"abcde\nab\n",), [None, b"ab"]),
        ((b"abc", b"de", b"fg", b"\nab"), [None, b"ab"]),
        ((b"abcdef",), [None]),
        ((b"abcd\n",), [b"abcd"]),
    ],
)
async def test_blank_lines_are_counted_on_request_and_the_bound_is_what_the_operation_says(parts, found):
    assert await everything(lines_of(parts, longest=4, blank=True)) == found


async def test_a_line_that_was_cut_off_is_none():
    chunks = lines_of([b"ab\ncd"], ends=False).chunks()

    assert await anext(chunks) == [b"ab"]
    with pytest.raises(Gone):
        await anext(chunks)


async def test_chunks_have_a_bound():
    chunks = [chunk async for chunk in lines_of([b"x\n" * (2 * CHUNK + 1)]).chunks()]

    assert list(map(len, chunks)) == [CHUNK, CHUNK, 1]


async def test_what_has_come_is_not_kept_waiting_for_more():
    lines = lines_of([b"question\n", b"first\nsec", b"ond\n"])
    assert await lines.first() == b"question"
    chunks = lines.chunks()

    assert await anext(chunks) == [b"first"]
    assert await anext(chunks) == [b"second"]


@pytest.mark.parametrize("parts", [[], [b"half a li"], [b"one\ntw"]])
async def test_a_client_that_goes_away_is_gone(parts):
    with pytest.raises(Gone):
        await everything(lines_of(parts, ends=False))


async def test_a_client_that_goes_away_after_its_last_line_ends_the_work():
    left = asyncio.Event()
    events = iter([{"type": "http.request", "body": b"x\n" * 3 * CHUNK, "more_body": False}])

    async def receive():
        if (event := next(events, None)) is not None:
            return event
        await left.wait()
        return {"type": "http.disconnect"}

    chunks = Lines(receive).chunks()
    await anext(chunks)
    left.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    with pytest.raises(Gone):
        await anext(chunks)


async def test_a_client_that_goes_away_while_it_sends_ends_the_work_on_what_had_come():
    parts = [b"x\n" * 20 * CHUNK] * 3
    chunks = lines_of(parts, ends=False).chunks()

    worked = 0

    async def work() -> None:
        nonlocal worked
        async for chunk in chunks:
            worked += len(chunk)
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    with pytest.raises(Gone):
        await work()
    assert worked <= 5 * CHUNK


async def test_of_lines_that_nobody_works_on_no_more_are_taken_than_fit():
    taken = 0

    async def receive():
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": (b"x" * 99 + b"\n") * 4 * CHUNK, "more_body": True}

    chunks = Lines(receive).chunks()
    for _ in range(40):
        await anext(chunks)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    assert taken <= 10 + web_lines.AHEAD // (4 * CHUNK * 100) + 2


async def test_of_empty_lines_no_more_are_kept_than_of_others():
    taken = 0

    async def receive():
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": b"\n" * 65_536, "more_body": True}

    chunks = Lines(receive, blank=True).chunks()
    for _ in range(200):
        await anext(chunks)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    assert taken <= web_lines.AHEAD // 65_536 + 2


@pytest.mark.parametrize(("parts", "code"), [([], "invalid_request"), ([b"x" * (LONGEST + 1)], "body_too_large")])
async def test_without_a_first_line_nothing_begins(parts, code):
    with pytest.raises(Refusal) as refused:
        await lines_of(parts).first()

    assert refused.value.code == code


async def test_a_million_lines_take_the_memory_of_a_few():
    async def count(parts: int) -> int:
        tracemalloc.start()
        try:
            lines = lines_of(b'{"subject": "somebody"}\n' * 100 for _ in range(parts))
            async for _ in lines.chunks():
                pass
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert await count(2000) < 2 * await count(20) + 2_000_000


async def test_whoever_never_reads_is_cut_off(monkeypatch):
    monkeypatch.setattr(web_lines, "PATIENCE", 0.05)
    closed = []

    async def answers() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"line\n"
        finally:
            closed.append(True)

    async def send(message):
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    await asyncio.wait_for(LineResponse(answers()).send({}, None, send), 5)
    assert closed
