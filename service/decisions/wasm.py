"""The embedded engine: the policy that OPA compiled to WebAssembly, run in this process."""

from collections.abc import Collection
from pathlib import Path
from typing import Final

from opapywasm import UNDEFINED, OpaWasmError, OpaWasmPolicy, PolicyConfig

from service.decisions.domain import DecisionUnavailable, Verdict, verdict_of

ENTRYPOINT: Final = "volens/decision/verdict"


class WasmPolicyEngine:
    """Evaluates in-process and fails closed.

    A call blocks the thread for a millisecond or so. That is less than a hop to
    another thread and back costs under load, and the memo keeps it rare.
    """

    def __init__(
        self, module: bytes, data: bytes, revision: str, rules: Collection[str], *, limit: float = 1.0
    ) -> None:
        self.revision = revision
        self._rules = rules
        self._policy = OpaWasmPolicy.from_wasm_bytes(
            module,
            PolicyConfig(
                pool_size=1,
                default_entrypoint=ENTRYPOINT,
                borrow_timeout_seconds=limit,
                eval_timeout_seconds=limit,
                max_input_bytes=256 * 1024,
                max_result_bytes=256 * 1024,
                max_memory_pages=1024,
                parse_raw_json_input=False,
            ),
        )
        # `opa build -t wasm` leaves base documents out of the module.
        self._policy.set_data(data)

    async def evaluate(self, facts: bytes) -> Verdict:
        try:
            answer = self._policy.evaluate(facts)
        except OpaWasmError as error:
            raise DecisionUnavailable("policy engine failed") from error
        if answer is UNDEFINED:
            raise DecisionUnavailable("policy engine gave no verdict")
        return verdict_of(answer, facts, self._rules)

    async def check(self) -> None:
        """An engine that was built is ready."""

    def close(self) -> None:
        self._policy.close()


def embedded(build: Path, rules: Collection[str]) -> WasmPolicyEngine:
    """Return the engine of the policy artefacts in the folder `build`."""
    return WasmPolicyEngine(
        (build / "policy.wasm").read_bytes(),
        (build / "data.json").read_bytes(),
        (build / "revision").read_text().strip(),
        rules,
    )
