"""Play cases of the law against an engine, and say where they differ."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from service.consent import UnknownPurpose
from service.decisions.asking import Engine, answer
from service.decisions.domain import Basis, DecisionUnavailable, InstantOutOfRange
from service.decisions.facts import template
from service.decisions.memo import Memo
from service.decisions.simulation import Case, described
from service.kernel import Instant

ABOUT: Final = ("id", "expect", "cite", "why", "disputed")
"""What a line says about its case. The rest is the case."""


class Expected(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The least that must come back."""

    allow: bool
    basis: Basis
    must_mention: tuple[str, ...] = ()
    obligations: tuple[str, ...] = ()
    retry_after: Instant | msgspec.UnsetType | None = msgspec.UNSET
    """Compared where a case says it, null included."""


class Failure(Struct, frozen=True, kw_only=True):
    """A case that came out otherwise than it says, and in what."""

    case: str
    differences: tuple[str, ...]


class CheckResult(Struct, frozen=True, kw_only=True):
    passed: int
    failures: tuple[Failure, ...]

    @property
    def failed(self) -> int:
        return len(self.failures)

    @property
    def differences(self) -> tuple[str, ...]:
        """Each difference as a line that begins with the name of its case."""
        return tuple(f"{failure.case}: {each}" for failure in self.failures for each in failure.differences)


async def check_cases(lines: Iterable[str], engine: Engine) -> CheckResult:
    """Play each line, a case in JSON with what is `expect`ed of it."""
    memo = Memo(engine)
    passed, failures = 0, list[Failure]()
    for number, line in enumerate(lines, 1):
        try:
            case = msgspec.json.decode(line, type=dict[str, Any])
        except msgspec.MsgspecError as error:
            found = [str(error)]
            name = f"line {number}"
        else:
            name = str(case.get("id", f"line {number}"))
            found = await play(case, memo)
        if found:
            failures.append(Failure(case=name, differences=tuple(found)))
        else:
            passed += 1
    return CheckResult(passed=passed, failures=tuple(failures))


async def play(case: Mapping[str, Any], memo: Memo) -> list[str]:
    """Return how the answer to `case` differs from what it expects."""
    question = {name: value for name, value in case.items() if name not in ABOUT}
    if "expect" not in case:
        return ['expect: a case says what must come back, such as {"allow": false, "basis": "none"}']
    try:
        expected = msgspec.convert(case["expect"], Expected)
        asked = msgspec.convert(question, Case)
        if asked.at is None:
            return ["at: a case that is checked says when"]
        situation = described(asked, memo.policy, None, asked.at).situation
        answered = await answer(template(situation, memo.policy.data, memo.policy.is_holiday), asked.at, memo.judge)
    except (msgspec.ValidationError, UnknownPurpose, InstantOutOfRange, DecisionUnavailable) as error:
        return [str(error)]
    verdict = answered.judged.verdict
    differences = []
    if verdict.allow is not expected.allow:
        differences.append(f"allow: expected {expected.allow}, got {verdict.allow}")
    if verdict.basis is not expected.basis:
        differences.append(f"basis: expected {expected.basis}, got {verdict.basis}")
    mentioned = [reason.rule for reason in verdict.reasons]
    if missing := [rule for rule in expected.must_mention if rule not in mentioned]:
        differences.append(_missing("must_mention", missing, mentioned))
    if missing := [name for name in expected.obligations if name not in verdict.obligations]:
        differences.append(_missing("obligations", missing, verdict.obligations))
    if expected.retry_after is not msgspec.UNSET and answered.retry_after != expected.retry_after:
        differences.append(f"retry_after: expected {expected.retry_after}, got {answered.retry_after}")
    return differences


def _missing(what: str, missing: Sequence[str], found: Sequence[str]) -> str:
    named = " ".join(missing)
    return f"{what}: {named} not among {' '.join(found)}" if found else f"{what}: {named} missing, there are none"
