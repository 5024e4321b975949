"""Asks for exports and has their files, as the tests of them do."""

import json
from pathlib import Path
from typing import Any

import httpx

from service.settings import Settings

ASKED = {"format": "ndjson", "purpose": "internal_audit"}


async def ask(client: httpx.AsyncClient, **changes: Any) -> httpx.Response:
    return await client.post("/v1/audit/exports", json=ASKED | changes)


async def asked(client: httpx.AsyncClient, **changes: Any) -> str:
    answer = await ask(client, **changes)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def read(client: httpx.AsyncClient, export: str) -> dict[str, Any]:
    answer = await client.get(f"/v1/audit/exports/{export}")
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


async def link(client: httpx.AsyncClient, export: str) -> str:
    answer = await client.post(f"/v1/audit/exports/{export}/link")
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return str(answer.json()["path"])


async def had(client: httpx.AsyncClient, export: str) -> bytes:
    """Return the file, as a stranger who has the link."""
    answer = await client.get(await link(client, export), headers={"authorization": ""})
    assert answer.status_code == 200, answer.text
    return answer.content


async def told(client: httpx.AsyncClient, event: str) -> list[dict[str, Any]]:
    answer = await client.get("/v1/audit/entries", params={"event": event})
    entries: list[dict[str, Any]] = answer.json()["entries"]
    return entries


def entries_in(content: bytes) -> list[dict[str, Any]]:
    return [line["entry"] for line in map(json.loads, content.splitlines()) if "entry" in line]


def files(settings: Settings) -> list[Path]:
    """Return what lies in the folder of exports."""
    return [path for path in Path(settings.data_dir).rglob("exports/**/*") if path.is_file()]
