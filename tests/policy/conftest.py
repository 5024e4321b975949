"""The policy as it is built, and its two engines."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from service.decisions import Memo, Policy, PolicyEngine
from service.decisions.artefacts import read_policy
from service.decisions.opa import served
from service.decisions.wasm import WasmPolicyEngine, embedded
from service.opa_process import opa_server
from tests.toy_policy import opa

BUILD = Path(__file__).parents[2] / "policies" / "build"


@pytest.fixture(scope="session")
def policy() -> Policy:
    return read_policy(BUILD)


@pytest.fixture(scope="session")
def wasm(policy: Policy) -> Iterator[WasmPolicyEngine]:
    engine = embedded(BUILD, policy)
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def memo(wasm: WasmPolicyEngine) -> Memo:
    return Memo(wasm)


@pytest.fixture(scope="session")
def opa_url() -> Iterator[str]:
    opa()
    with opa_server(BUILD / "bundle.tar.gz") as url:
        yield url


@pytest.fixture
async def server(opa_url: str, policy: Policy) -> AsyncIterator[PolicyEngine]:
    async with served(opa_url, policy, limit=10.0) as engine:
        yield engine


@pytest.fixture(scope="session")
def effort(request: pytest.FixtureRequest) -> int:
    """How much more than usual is tried."""
    return 50 if request.config.getoption("--deep", default=False) else 1
