"""Two chunks of a batch are under way at once, and what is remembered between them changes no answer."""

from typing import Any

import httpx
import pytest

from service.decisions import batch_api, kinds
from service.decisions.narrow_rows import SqlNarrowRows
from service.decisions.packed_log import SqlPackedLog
from tests.api.test_batches import batch, people, told

__all__ = ["people"]


async def test_where_there_is_room_for_little_the_answers_are_the_same(
    client: httpx.AsyncClient, people: list[str], monkeypatch: pytest.MonkeyPatch
):
    before, _ = told(await batch(client, *people))
    monkeypatch.setattr(kinds, "ROOM", 1)
    for _ in range(2):
        lines, _ = told(await batch(client, *people))
        assert [(line["outcome"], line["rules"]) for line in lines] == [
            (line["outcome"], line["rules"]) for line in before
        ]


async def test_the_next_chunk_is_read_before_the_one_before_is_logged(
    client: httpx.AsyncClient, people: list[str], monkeypatch: pytest.MonkeyPatch
):
    happened = []
    read, append = SqlNarrowRows.read, SqlPackedLog.append

    async def reading(*given: Any) -> Any:
        happened.append("read")
        return await read(*given)

    async def appending(*given: Any, **named: Any) -> None:
        await append(*given, **named)
        happened.append("logged")

    monkeypatch.setattr(batch_api, "TOGETHER", 2)
    monkeypatch.setattr(SqlNarrowRows, "read", reading)
    monkeypatch.setattr(SqlPackedLog, "append", appending)
    lines, _ = told(await batch(client, *people))

    assert [line["subject"] for line in lines] == people
    assert happened[:3] == ["read", "read", "logged"]
