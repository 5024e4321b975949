"""What the benchmarks found, in one shape, one file and one table: each figure beside its target.

Every module hands its figures to `keep`, which writes them into `results.json` in the place of those that it found
before. `python -m benchmarks` runs modules and shows them all.
"""

import os
import resource
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).with_name("results.json")
LOADED = 0.25
"""Cores that others used meanwhile, from which on a figure is marked: it is worse than an idle machine would show."""
_TICK = os.sysconf("SC_CLK_TCK")


class Figure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that was measured, and what it should be."""

    name: str
    figure: float | None
    """None: it can't be measured here; `why` says why."""
    unit: str
    """`ratio` is to a Litestar GET in the same run, unless the name says to what."""
    least: float | None = None
    most: float | None = None
    errors: int = 0
    """Requests that failed, or answers that were wrong."""
    spread: tuple[float, float] | None = None
    """The least and most of the rounds."""
    why: str = ""
    """What was found when it was investigated why it misses its target."""

    @property
    def target(self) -> str:
        if self.least is not None:
            return f"≥ {self.least:,g}"
        return "" if self.most is None else f"≤ {self.most:,g}"

    @property
    def met(self) -> bool | None:
        """Whether it meets its target; None where it has none, or nothing was measured."""
        if self.figure is None or not self.target:
            return None
        return (self.least is None or self.figure >= self.least) and (self.most is None or self.figure <= self.most)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What a figure is in the file."""

    benchmark: str
    name: str
    figure: float | None
    unit: str
    target: str
    met: bool | None
    errors: int
    spread: tuple[float, float] | None
    why: str
    at: datetime
    others: float
    """Cores that other processes of the machine used while it was measured."""


def keep(benchmark: str, figures: Sequence[Figure]) -> None:
    """Write what a benchmark found into the results, in the place of what it found before."""
    at, others = datetime.now(UTC), round(_others(), 2)
    rows = [
        Row(
            benchmark=benchmark,
            name=each.name,
            figure=None if each.figure is None else float(f"{each.figure:.4g}"),
            unit=each.unit,
            target=each.target,
            met=each.met,
            errors=each.errors,
            spread=each.spread,
            why="" if each.met else each.why,
            at=at,
            others=others,
        )
        for each in figures
    ]
    new = {(row.benchmark, row.name) for row in rows}
    held = [row for row in read() if (row.benchmark, row.name) not in new]
    RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode([*held, *rows]), indent=1) + b"\n")
    show(rows)


def read() -> list[Row]:
    """Return what is kept; nothing, where another version wrote the file."""
    try:
        return msgspec.json.decode(RESULTS.read_bytes(), type=list[Row])
    except (FileNotFoundError, msgspec.MsgspecError):
        return []


def show(rows: Sequence[Row]) -> None:
    """Print rows, then the reason of each that misses its target."""
    table = Table(title="figures and targets; * while others used the machine")
    for column in ("benchmark", "name", "figure", "unit", "target", "met", "errors"):
        table.add_column(column, justify="right" if column in {"figure", "target", "errors"} else "left")
    for row in rows:
        figure = _written(row.figure)
        met = {True: "yes", False: "no", None: ""}[row.met]
        mark = "*" if row.others > LOADED else ""
        table.add_row(row.benchmark, row.name, figure + mark, row.unit, row.target, met, f"{row.errors}")
    console = Console(width=130)
    console.print(table)
    for row in rows:
        if row.met is False or row.figure is None:
            why = row.why or f"not yet; others used {row.others:.1f} cores meanwhile"
            console.print(f"{row.benchmark}, {row.name}: investigated: {why}", highlight=False)


def _written(figure: float | None) -> str:
    if figure is None:
        return "not measured"
    return f"{figure:,.4g}" if figure < 1e4 else f"{figure:,.0f}"


def _busy() -> float:
    """Return the seconds that the cores of this machine have worked."""
    user, nice, system, _, _, interrupts, soft, steal, *_ = map(
        int, Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    )
    return (user + nice + system + interrupts + soft + steal) / _TICK


def _ours() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


_BEGAN = time.monotonic(), _busy(), _ours()


def _others() -> float:
    """Return the cores that others used since this module was imported. What we started has ended by then."""
    at, busy, ours = _BEGAN
    return max(0.0, (_busy() - busy - (_ours() - ours)) / (time.monotonic() - at))
