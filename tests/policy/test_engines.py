"""Two engines, one law."""

import asyncio
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

import msgspec
from hypothesis import HealthCheck, Phase, given

from service.decisions import Policy
from service.decisions.facts import fill
from service.decisions.wasm import VERDICT, WasmPolicyEngine
from tests.situations import EFFORT, cases, instant_of, template_of, tried

SITUATIONS = 10_000
AT_ONCE = 500
VERDICTS = "verdicts = [verdict | some facts in input; verdict := data.volens.decision.verdict with input as facts]"
_open = build_opener(ProxyHandler({})).open  # the server is on this machine


def test_both_engines_give_the_same_verdict(opa_url: str, wasm: WasmPolicyEngine, policy: Policy):
    """The server is asked about many at a time: a request for each would take longer than the answers."""
    situations = [fill(template_of(case, policy), instant_of(case)).facts for case in generated()]
    assert len(situations) >= SITUATIONS

    for some in parts(dict.fromkeys(situations)):
        for facts, verdict in zip(some, told_by_server(opa_url, some), strict=True):
            assert verdict == told_by_wasm(wasm, facts), facts.decode()


def generated() -> list[dict[str, Any]]:
    """Return cases, the same at every run unless more are asked for."""
    gathered = []

    @tried(
        SITUATIONS,
        derandomize=EFFORT == 1,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(case=cases())
    def gather(case: dict[str, Any]) -> None:
        gathered.append(case)

    gather()
    return gathered


def parts(situations: Iterable[bytes]) -> Iterable[list[bytes]]:
    rest = iter(situations)
    while some := list(islice(rest, AT_ONCE)):
        yield some


def told_by_server(url: str, situations: Sequence[bytes]) -> list[dict[str, Any]]:
    body = msgspec.json.encode({"query": VERDICTS, "input": [msgspec.Raw(facts) for facts in situations]})
    with _open(Request(f"{url}/v1/query", body, {"Content-Type": "application/json"}), timeout=60) as response:
        answer = msgspec.json.decode(response.read())
    [result] = answer["result"]
    return list(result["verdicts"])


def told_by_wasm(engine: WasmPolicyEngine, facts: bytes) -> Any:
    return asyncio.run(engine.ask(VERDICT, facts))
