"""`openapi/examples`: for each operation a request and its true answer, played in the order of their names."""

import asyncio
import json
import os
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from msgspec import structs

from service.courier import Courier
from service.downstreams import TaskKind
from service.kernel import SubjectId, TenantId
from service.settings import Settings
from service.transaction import Begin
from tests import doors
from tests.agent import TEXT, Agent, listed_in
from tests.conftest import FakeClock

OPENAPI = Path(__file__).parents[2] / "openapi"
EXAMPLES = sorted((OPENAPI / "examples").glob("*.json"))
WRITE = os.environ.get("WRITE_EXAMPLES") == "1"
"""Set by `make openapi`: the examples take over the answers of today."""
CHANGING = {
    "commitment",
    "bytes",
    "token",
    "asked",
    "received_at",
    "decided_at",
    "policy_revision",
    "revision",
    "revision_then",
    "revision_now",
    "text",
    "old",
    "new",
    "origin",
    "verifier_key",
    "public",
    "since",
    "receipt",
    "revocations",
    "proof",
    "certificate",
    "checkpoint",
    "path",
    "sha256",
    "instance",
    "secret",
    "public_key",
    "controller_id",
}
"""Members whose values differ from run to run, as all ids do but those that an example itself makes."""
LEARNT = {
    "issueToken": ("token", "token"),
    "requestApproval": ("approval", "id"),
    "requestExport": ("export", "id"),
    "linkExport": ("link", "path"),
    "decide": ("decision", "id"),
    "startTrial": ("trial", "id"),
    "makeAgentToken": ("agent", "token"),
    "takeDataRightsRequest": ("drp", "request_id"),
}
"""What later examples need of the answer to an operation: its name there, and the member."""
OURS = "01939b66-"
LONGEST = 2
"""Rules and days of the policy that an example shows."""
ID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def cut(body: Any) -> Any:
    """Return the answer as far as an example shows it."""
    shown = dict(body)
    if "rules" in body:
        shown["rules"] = [rule for rule in body["rules"] if rule.get("named", True)][:LONGEST]
    if "tables" in body:
        shown["tables"] = {"periods": body["tables"]["periods"]}
        shown["in_force"] = dict(sorted(body["in_force"].items())[:LONGEST])
    if "explanation" in body:
        shown["explanation"] = body["explanation"] | {"rules": denying(body["explanation"]["rules"])}
    return shown


def denying(rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [rule for rule in rules if rule["outcome"] == "denies"]


def steady(value: Any) -> Any:
    """Return `value` without what can't be the same twice."""
    if isinstance(value, dict):
        return {name: "…" if name in CHANGING else steady(each) for name, each in value.items()}
    if isinstance(value, list):
        return [steady(each) for each in value]
    return "…" if isinstance(value, str) and ID.fullmatch(value) and not value.startswith(OURS) else value


def sent(request: dict[str, Any], known: dict[str, str], agent: Agent) -> dict[str, Any]:
    """Return the body of a request: JSON, lines of it, or what an agent signed."""
    agent.token = known.get("agent", "")
    if "signed" in request:
        return {"content": agent.signed(agent.said(**request["signed"])), "headers": TEXT | agent.shown}
    if request.get("as") == "agent":
        return {"headers": agent.shown}
    if "lines" in request:
        content = b"".join(json.dumps(line).encode() + b"\n" for line in request["lines"])
        return {"content": content, "headers": {"content-type": "application/x-ndjson"}}
    body = request.get("body")
    if isinstance(body, dict) and body.get("token") == "…":
        body = body | {"token": known["token"]}
    if isinstance(body, dict) and "task" in body:
        body = body | {"task": body["task"].format_map(known)}
    return {"json": body}


def read(answer: httpx.Response) -> Any:
    """Return the body of an answer; lines of JSON as a member of one."""
    if not answer.content:
        return {}
    if "content-disposition" in answer.headers:
        return {"bytes": len(answer.content)}
    kind = answer.headers["content-type"]
    if kind == "application/x-ndjson":
        return {"lines": [json.loads(line) for line in answer.text.splitlines()]}
    if kind.startswith("text/plain"):
        return {"text": answer.text}
    return {"bytes": len(answer.content)} if kind == "application/octet-stream" else answer.json()


@pytest.fixture
def agent(client: httpx.AsyncClient, clock: FakeClock) -> Agent:
    return Agent(client, clock)


@pytest.fixture
def settings(settings: Settings, tmp_path: Path, clock: FakeClock, tenant: TenantId) -> Settings:
    """Open the doors; the agent's key is listed by the test."""
    return structs.replace(settings, **doors.opened(tmp_path, clock, tenant))


@pytest.fixture
def tell(
    assign: Callable[..., Awaitable[UUID]], begin: Begin, clock: FakeClock, tenant: TenantId
) -> Callable[[], Awaitable[None]]:
    """Has three cases tell the systems to erase somebody, and one to hand over a copy."""

    async def tell() -> None:
        for _ in range(3):
            await assign()
        async with begin(tenant) as tx:
            ensured = await tx.subjects.ensure([SubjectId("ada")], clock())
        await assign(TaskKind.ACCESS, ensured.handles[SubjectId("ada")])

    return tell


@pytest.fixture
def be_silent(courier: Courier, clock: FakeClock) -> Callable[[], Awaitable[None]]:
    """Lets the time of the systems be over."""

    async def be_silent() -> None:
        clock.advance(timedelta(hours=120))
        await courier.look()
        await courier.rest()

    return be_silent


@pytest.mark.usefixtures("seated")
async def test_every_example_gets_the_answer_that_it_shows(
    client: httpx.AsyncClient,
    signed_for: Callable[..., httpx.AsyncClient],
    sequence: Callable[[], Awaitable[None]],
    attest: Callable[[], Awaitable[Any]],
    work: Callable[[], Awaitable[None]],
    erase: Callable[[], Awaitable[None]],
    tell: Callable[[], Awaitable[None]],
    be_silent: Callable[[], Awaitable[None]],
    pack: Callable[[], Awaitable[None]],
    tenant: TenantId,
    agent: Agent,
    settings: Settings,
) -> None:
    listed_in(Path(str(settings.drp_directory)), agent)
    known: dict[str, str] = {"tenant": tenant}
    before = {
        "readCheckpoint": [sequence, attest],
        "readExport": [work],
        "readCertificate": [erase, sequence],
        "readPackage": [pack],
        "pullTasks": [tell],
        "repeatTask": [be_silent],
        "excuseTask": [be_silent],
    }
    for file in EXAMPLES:
        example = json.loads(file.read_text())
        request, shown = example["request"], example["response"]
        path = request["path"].format_map(known)
        for prepared in before.get(example["operation"], []):
            await prepared()
        whose = signed_for(request["as"]) if request.get("as", "agent") != "agent" else client
        answer = await whose.request(request["method"], path, **sent(request, known, agent))
        while example["operation"] == "readTrial" and answer.json()["state"] in {"waiting", "running"}:
            await asyncio.sleep(0.05)
            answer = await client.request(request["method"], path)
        body = read(answer)
        if example["operation"] == "readCheckpoint":
            known["size"] = body["text"].split("\n")[1]
        if example["operation"] == "pullTasks":
            known |= {f"task{number}": task["id"] for number, task in enumerate(body["tasks"])}
        if example["operation"] in LEARNT:
            name, member = LEARNT[example["operation"]]
            known[name] = body[member]
        if WRITE:
            example["response"] = {"status": answer.status_code, "body": cut(body)}
            file.write_text(json.dumps(example, indent=2, ensure_ascii=False) + "\n")
        else:
            assert (answer.status_code, steady(cut(body))) == (shown["status"], steady(shown["body"])), file.name


def test_every_operation_has_an_example() -> None:
    paths = json.loads((OPENAPI / "openapi.json").read_text())["paths"]
    operations = {operation["operationId"] for path in paths.values() for operation in path.values()}

    assert {json.loads(file.read_text())["operation"] for file in EXAMPLES} == operations
