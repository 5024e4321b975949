"""How an explanation looks in a terminal."""

from itertools import groupby
from typing import Any, Final

import msgspec
from rich.text import Text
from rich.tree import Tree

from service.decisions import STAGES, Explanation, LawAsked, Outcome, RuleOutcome, Simulated
from service.decisions.schemas import SimulationView

_STYLES: Final = {
    Outcome.DENIES: "red",
    Outcome.PERMITS: "green",
    Outcome.NO_OBJECTION: "",
    Outcome.DOES_NOT_APPLY: "dim",
}
_ORDER: Final = list(_STYLES)


def as_built_in(name: str, simulated: Simulated) -> dict[str, Any]:
    return {"id": name, **msgspec.to_builtins(SimulationView.of(simulated))}


def tree(name: str, simulated: Simulated, *, everything: bool) -> Tree:
    """Return the answer to a case as a tree; rules that don't apply are counted, or named where `everything` is."""
    answer = f"permit, on {simulated.verdict.basis}" if simulated.permit else "deny"
    root = Tree(Text.assemble((name, "bold"), ": ", (answer, "green" if simulated.permit else "red")))
    for warned in simulated.warnings:
        root.add(Text(f"{warned.code} at {warned.pointer}: judged by the strictest profile", "yellow"))
    explanation = simulated.explanation
    if explanation is not None:
        _fill(root, explanation, everything)
    return root


def _fill(root: Tree, explanation: Explanation, everything: bool) -> None:
    laws = root.add("laws")
    for law in explanation.laws:
        laws.add(_law(law))
    for stage, rules in groupby(explanation.rules, key=lambda said: said.stage):
        _stage(root, stage, list(rules), everything)
    for remedy in explanation.remedies:
        root.add(Text(remedy.sentence, "cyan"))
    if explanation.note is not None:
        root.add(Text(explanation.note, "yellow"))


def _law(law: LawAsked) -> Text:
    regimes = ", ".join(law.regimes)
    if not law.held:
        return Text.assemble(law.place, ": ", (f"{regimes}, not held", "red"))
    basis = {"": "no basis", "none": "asks for no basis"}.get(law.basis, f"basis {law.basis}")
    return Text.assemble(law.place, f": {regimes}; ", (basis, "green" if law.basis else "red"))


def _stage(root: Tree, stage: int, rules: list[RuleOutcome], everything: bool) -> None:
    shown = [said for said in rules if everything or said.outcome is not Outcome.DOES_NOT_APPLY]
    folded = len(rules) - len(shown)
    count = f"{folded} {'does' if folded == 1 else 'do'} not apply"
    if not shown:
        root.add(Text(f"{stage} {STAGES[stage]}: {count}", "dim"))
        return
    branch = root.add(Text(f"{stage} {STAGES[stage]}"))
    for said in sorted(shown, key=lambda said: _ORDER.index(said.outcome)):
        rule = branch.add(Text.assemble((said.rule.id, "bold"), " ", (said.sentence, _STYLES[said.outcome])))
        rule.add(Text(f"{said.rule.title}. {said.rule.citation}", "dim"))
    if folded:
        branch.add(Text(count, "dim"))
