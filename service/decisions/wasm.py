"""The embedded engine: the policy that OPA compiled to WebAssembly, run in this process."""

import asyncio
from pathlib import Path
from typing import Any, Final

from opapywasm import UNDEFINED, OpaWasmError, OpaWasmPolicy, PolicyConfig, runtime

from service.decisions.domain import DecisionUnavailable, Verdict, verdict_of
from service.decisions.policy import Policy

VERDICT: Final = "volens/decision/verdict"

# opa-py-wasm 1.2.1 gives every module two pages of memory to start with, and a policy whose
# constants need more "can't be instantiated". It has no setting for that; four megabytes do.
runtime._DEFAULT_MEMORY_PAGES = 64  # noqa: SLF001


class WasmPolicyEngine:
    """Evaluates in-process and fails closed.

    A call blocks the thread for a millisecond or so. That is less than a hop to
    another thread and back costs under load, and the memo keeps it rare.
    """

    def __init__(self, module: bytes, data: bytes, policy: Policy, *, limit: float = 1.0) -> None:
        self.policy = policy
        self._module = OpaWasmPolicy.from_wasm_bytes(
            module,
            PolicyConfig(
                pool_size=1,
                default_entrypoint=VERDICT,
                borrow_timeout_seconds=limit,
                eval_timeout_seconds=limit,
                max_input_bytes=256 * 1024,
                max_result_bytes=256 * 1024,
                max_memory_pages=1024,
                parse_raw_json_input=False,
            ),
        )
        # `opa build -t wasm` leaves base documents out of the module.
        self._module.set_data(data)

    async def evaluate(self, facts: bytes) -> Verdict:
        return verdict_of(await self.ask(VERDICT, facts), facts, self.policy.rules)

    async def ask(self, entrypoint: str, document: bytes) -> Any:
        # Whoever asks many times in a row lets the others have their turn in between.
        await asyncio.sleep(0)
        try:
            answer = self._module.evaluate(document, entrypoint)
        except OpaWasmError as error:
            raise DecisionUnavailable("policy engine failed") from error
        if answer is UNDEFINED:
            raise DecisionUnavailable("policy engine gave no answer")
        return answer

    @property
    def revision(self) -> str:
        return self.policy.revision

    async def check(self) -> None:
        """An engine that was built is ready."""

    def close(self) -> None:
        self._module.close()


def embedded(build: Path, policy: Policy) -> WasmPolicyEngine:
    """Return the engine of the policy artefacts in the folder `build`."""
    return WasmPolicyEngine((build / "policy.wasm").read_bytes(), (build / "data.json").read_bytes(), policy)
