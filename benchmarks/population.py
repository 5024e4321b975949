"""How many distinct facts a population makes: what the memo and the table of verdicts have to hold.

200,000 people (benchmarks/people.py) go through the real fold, template and fill, and
each is asked about at one instant in the evening.

    python -m benchmarks.population [SUBJECTS]
"""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct, field
from rich.console import Console
from rich.table import Table

from benchmarks.people import AT, Person, Population
from benchmarks.results import Figure, keep
from service.consent import Channel, Purpose
from service.decisions import Policy
from service.decisions.artefacts import read_policy
from service.decisions.asking import content_hash
from service.decisions.clocks import Zones
from service.decisions.context import Context
from service.decisions.domain import Flags, Question
from service.decisions.facts import Situation, fill, template
from service.decisions.memo import KEEP
from service.given import BUILD
from service.kernel import SubjectId

SUBJECTS = 200_000
TARGETS = {(Channel.EMAIL, Purpose.MARKETING): 12_000}
"""Fewer distinct facts than this."""
WHY = "sixty places times what people did; without places and what no rule reads there would be 11,700"
ASKED = ((Channel.EMAIL, Purpose.MARKETING), (Channel.SMS, Purpose.MARKETING))
NOBODY = SubjectId("someone")
CONTEXT = Context(
    similar_product=True,
    same_seller=True,
    optout_in_message=True,
    sender_identified=True,
    postal_address_present=True,
    current_notice_version="v3",
)
PARTS: dict[str, list[list[str]]] = {
    "places": [["places"]],
    "age": [["subject", "age"], ["acts", "age"]],
    "months since the last message": [["subject", "sent"]],
    "months since the last interaction": [["subject", "interaction"]],
    "months since acts": [["acts", "months_past"], ["acts", "months_waited"]],
    "all months": [["subject", "sent"], ["subject", "interaction"], ["acts", "months_past"], ["acts", "months_waited"]],
    "methods": [["acts", "method"]],
    "notices": [["acts", "notice"]],
    "ranks": [["acts", "rank"]],
    "acts": [["acts"]],
}
"""What facts consist of, by name, as paths into them."""


class Counted(Struct):
    """How often each facts came up, and what it took to make them."""

    facts: Counter[bytes] = field(default_factory=Counter)
    seconds: float = 0.0


def ask(person: Person, channel: Channel, purpose: Purpose, policy: Policy) -> bytes:
    """Return the facts of a question about `person` at `AT`."""
    zone = person.facts.time_zone
    situation = Situation(
        question=Question(channel=channel, purpose=purpose, meaning=purpose, at=AT, context=CONTEXT),
        subject=NOBODY,
        facts=person.facts,
        flags=Flags(),
        state=person.state,
        zones=Zones(known=None if zone is None else ZoneInfo(zone)),
    )
    return fill(template(situation, policy.data, policy.is_holiday), AT).facts


def main() -> None:
    subjects = int(sys.argv[1]) if sys.argv[1:] else SUBJECTS
    policy = read_policy(BUILD)
    counted = {asked: Counted() for asked in ASKED}
    for person in Population(policy).people(subjects):
        for asked, count in counted.items():
            began = time.perf_counter()
            facts = ask(person, *asked, policy)
            count.seconds += time.perf_counter() - began
            count.facts[facts] += 1
    show(subjects, counted)
    explain(counted[ASKED[0]].facts)
    if subjects == SUBJECTS:
        keep(
            "population",
            [
                Figure(
                    name=f"distinct facts, {channel} {purpose}",
                    figure=len(counted[asked].facts),
                    unit="",
                    most=goal,
                    why=WHY,
                )
                for asked, goal in TARGETS.items()
                for channel, purpose in [asked]
            ],
        )


def show(subjects: int, counted: Mapping[tuple[Channel, Purpose], Counted]) -> None:
    table = Table(title=f"distinct facts of {subjects:,} subjects")
    table.add_column("", no_wrap=True)
    for channel, purpose in counted:
        table.add_column(f"{channel} {purpose}", justify="right", no_wrap=True)

    def line(name: str, figure: Callable[[Counted], str]) -> None:
        table.add_row(name, *(figure(count) for count in counted.values()))

    def held(count: Counted, most: int) -> str:
        return f"{sum(times for _, times in count.facts.most_common(most)) / subjects:.1%}"

    def met(count: Counted, goal: int | None) -> str:
        if goal is None or subjects < SUBJECTS:
            return ""
        return "yes" if len(count.facts) < goal else "no"

    goals = [TARGETS.get(asked) for asked in counted]
    line("distinct", lambda count: f"{len(count.facts):,}")
    table.add_row(f"target of {SUBJECTS:,}, below", *("" if goal is None else f"{goal:,}" for goal in goals))
    table.add_row("met", *map(met, counted.values(), goals))
    line("of one subject only", lambda count: f"{sum(times == 1 for times in count.facts.values()):,}")
    line("subjects with the commonest", lambda count: held(count, 1))
    line(f"subjects with the {KEEP:,} commonest", lambda count: held(count, KEEP))
    line("microseconds to state them", lambda count: f"{count.seconds / subjects * 1e6:.0f}")
    Console().print(table)


def explain(facts: Iterable[bytes]) -> None:
    """Show which facts make them so many: how many there would be without each part."""
    told = [msgspec.json.decode(each) for each in facts]
    table = Table(title=f"{ASKED[0][0]} {ASKED[0][1]}, had the facts less")
    table.add_column("without")
    table.add_column("distinct", justify="right")
    for name, paths in PARTS.items():
        left = {content_hash(msgspec.json.encode(_without(each, paths), order="sorted")) for each in told}
        table.add_row(name, f"{len(left):,}")
    Console().print(table)


def _without(node: Any, paths: Iterable[Sequence[str]]) -> Any:
    """Return a copy of a document that lacks what stands at `paths`; lists are looked through."""
    if isinstance(node, list):
        return [_without(each, paths) for each in node]
    if not isinstance(node, dict):
        return node
    left = {}
    for name, value in node.items():
        below = [path[1:] for path in paths if path[0] == name]
        if [] not in below:
            left[name] = _without(value, below)
    return left


if __name__ == "__main__":
    main()
