"""Writes `docs/policies.md`: every rule of the law in words, where it stands, and how much tests it.

It is made of the catalogue, the METADATA of the rules, the Rego tests and the cases, and of nothing else.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from service.decisions.policy import STAGES

Row = Mapping[str, Any]

_TEST: Final = re.compile(r"^test_.*\n(?:[ \t})\]].*\n|\n)*", re.MULTILINE)
_ID: Final = re.compile(r'"([A-Z][A-Z0-9]*(?:-[A-Z0-9]+)+)"')

_HEAD: Final = """\
# The rules of the law

Written by `make policy` from the catalogue, the METADATA of the rules and their tests: change those, not this page.
It is a reading of the law by engineers, not legal advice. [Where it is only a reading](legal-basis.md) ·
[how to change a rule](../policies/README.md)

Of {count} rules {rego} are in Rego, {elsewhere} are [kept elsewhere](#kept-elsewhere), {people} are
[for people to judge](#for-people-to-judge).

- **Stage**: the place in the order of decision. {stages}.
- **When**: the condition in the catalogue's words, and what its package adds.
- **Conf.**: how sure we are. V seen in a source · K settled, cited from knowledge · G guidance of an authority ·
  D disputed, the safer answer · P our policy.
- **In force**: the day from which the rule holds, or holds as it is. Days within a rule, such as those of single
  states, are in `policies/data/`.
- **Tests**: the Rego tests that name the rule, plus the cases in `tests/policy/cases/` that must mention it, without
  those in `shared.jsonl`.

{regimes} · [Kept elsewhere](#kept-elsewhere) · [For people to judge](#for-people-to-judge)"""


def page(catalogue: Sequence[Row], annotations: Sequence[Row], tests: Iterable[Path], cases: Iterable[Path]) -> bytes:
    """Return the page. `annotations` are what OPA reads out of METADATA, files named from `policies/` on."""
    kept = [rule for rule in catalogue if rule["status"] in {"rego", "own"}]
    regimes = {regime: _package(regime, annotations) for regime in dict.fromkeys(rule["regime"] for rule in kept)}
    notes = {rule["id"]: _notes(rule["id"], annotations) for rule in kept}
    tested, played = _tested(tests), _played(cases)
    lines = [_head(catalogue, [package["title"] for package in regimes.values()])]
    for regime, package in regimes.items():
        within = [rule for rule in kept if rule["regime"] == regime]
        lines += _opening(package)
        lines += _table("Stage", "Rule", "When", "Citation", "Conf.", "In force", "Source", "Tests")
        lines += [
            _line(*_kept(rule, notes[rule["id"]]), f"{tested[rule['id']]} + {played[rule['id']]}")
            for rule in sorted(within, key=lambda rule: _stages(notes[rule["id"]]))
        ]
    lines += _left(catalogue, "elsewhere", "Kept elsewhere", "Volens keeps these, but not in Rego.")
    lines += _left(catalogue, "not_checkable", "For people to judge", "Nothing in Volens can check these.")
    return ("\n".join(lines) + "\n").encode()


def _head(catalogue: Sequence[Row], titles: Sequence[str]) -> str:
    status = Counter(rule["status"] for rule in catalogue)
    return _HEAD.format(
        count=len(catalogue),
        rego=status["rego"] + status["own"],
        elsewhere=status["elsewhere"],
        people=status["not_checkable"],
        stages=" · ".join(f"{number} {stage}" for number, stage in enumerate(STAGES)),
        regimes=" · ".join(f"[{title}](#{_anchor(title)})" for title in titles),
    )


def _opening(package: Row) -> list[str]:
    links = [f"[Text]({resource['ref']})" for resource in package.get("related_resources", ())]
    told = " ".join([_sentence(package.get("description", "")), *links]).strip()
    return ["", f"## {package['title']}", *([told] if told else []), ""]


def _kept(rule: Row, notes: Sequence[Row]) -> tuple[str, ...]:
    """Return the cells that say what a rule is and where it stands."""
    customs = [note["custom"] for note in notes]
    own = [note for note in notes if note["file"].startswith(f"volens/{rule['regime']}/")]
    descriptions = _distinct(note.get("description", "") for note in own)
    return (
        ", ".join(str(stage) for stage in _stages(notes)),
        _name(rule),
        " ".join(_sentence(words) for words in (rule["condition"], *descriptions)),
        rule["citation"],
        rule["confidence"],
        ", ".join(_distinct(custom.get("in_force", "") for custom in customs)),
        ", ".join(_source(file) for file in _distinct(note["file"] for note in notes)),
    )


def _left(catalogue: Sequence[Row], status: str, title: str, told: str) -> list[str]:
    rows = [
        _line(
            _name(rule),
            _sentence(rule["condition"]),
            rule["citation"],
            rule["confidence"],
            " ".join([rule["reason"], *([f"[Table](../{rule['where']})"] if "where" in rule else [])]),
        )
        for rule in catalogue
        if rule["status"] == status
    ]
    return ["", f"## {title}", "", told, "", *_table("Rule", "When", "Citation", "Conf.", "Why"), *rows]


def _package(regime: str, annotations: Sequence[Row]) -> Row:
    packages: dict[str, Row] = {
        entry["path"][-1]["value"]: entry["annotations"]
        for entry in annotations
        if entry["annotations"].get("scope") == "package"
    }
    return packages.get(regime, {"title": regime})


def _notes(rule: str, annotations: Sequence[Row]) -> list[Row]:
    """Return what METADATA says of a rule, wherever it is stated, in the order of stages and files."""
    notes = [
        {**entry["annotations"], "file": entry["location"]["file"]}
        for entry in annotations
        if entry["annotations"].get("custom", {}).get("id") == rule
    ]
    return sorted(notes, key=lambda note: (note["custom"]["stage"], note["file"]))


def _stages(notes: Iterable[Row]) -> list[int]:
    return sorted({note["custom"]["stage"] for note in notes})


def _tested(files: Iterable[Path]) -> Counter[str]:
    """Count the Rego tests that name each rule."""
    return Counter(
        rule for file in files for test in _TEST.findall(file.read_text()) for rule in set(_ID.findall(test))
    )


def _played(files: Iterable[Path]) -> Counter[str]:
    """Count the cases that must mention each rule."""
    cases = (msgspec.json.decode(line) for file in files for line in file.read_bytes().splitlines() if line.strip())
    return Counter(rule for case in cases for rule in set(case["expect"].get("must_mention", ())))


def _name(rule: Row) -> str:
    return f"**{rule['id']}** {rule['title']}"


def _source(file: str) -> str:
    return f"[{file.removeprefix('volens/').removesuffix('.rego')}](../policies/{file})"


def _sentence(words: str) -> str:
    """Return `words` on one line, with a capital and a full stop."""
    words = " ".join(words.split())
    return words if not words else words[0].upper() + words[1:].removesuffix(".") + "."


def _distinct(values: Iterable[str]) -> list[str]:
    return [value for value in dict.fromkeys(values) if value]


def _table(*heads: str) -> list[str]:
    return [_line(*heads), "|" + "---|" * len(heads)]


def _line(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("<", "\\<") for cell in cells) + " |"


def _anchor(title: str) -> str:
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
