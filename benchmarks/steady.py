"""Whether a worker's memory stays what it is over a million checks, each logged.

python -m benchmarks.steady [CHECKS]
"""

import sys
import tempfile
from itertools import count
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.bench import load, requests
from benchmarks.load import measure
from benchmarks.results import Figure, keep
from benchmarks.site import site

CHECKS = 1_000_000
CONNECTIONS = 32
SECONDS = 3.0
"""Between two looks at the memory."""
SHOWN = 10
MOST = 250.0
"""MiB."""
FLAT = 1.05
"""Most times the memory of the first tenth at the end."""


def main() -> None:
    wanted = int(sys.argv[1]) if sys.argv[1:] else CHECKS
    sent, errors, first = 0, 0, count(step=1_000_000)
    looks: list[tuple[int, float]] = []
    with tempfile.TemporaryDirectory() as folder, site(Path(folder)) as where:
        load(where.port, where.token)
        check = requests(where.token)["check"]
        while sent < wanted:
            found = measure(where.port, CONNECTIONS, SECONDS, check, first=next(first))
            sent, errors = sent + found.count, errors + found.errors
            looks.append((sent, where.memory()))
        most = where.peak()
    early = next(memory for checks, memory in looks if checks >= wanted / 10)
    table = Table("checks", "MiB", title=f"{sent:,} checks over {CONNECTIONS} connections, one worker")
    for checks, memory in looks[:: max(1, len(looks) // SHOWN)]:
        table.add_row(f"{checks:,}", f"{memory:.0f}")
    Console().print(table)
    keep(
        "steady",
        [
            Figure(name=f"memory after {sent:,} checks", figure=looks[-1][1] / early, unit="times", most=FLAT),
            Figure(name="the most memory of a worker", figure=most, unit="MiB", most=MOST, errors=errors),
        ],
    )
    if errors:
        raise SystemExit("some requests failed")


if __name__ == "__main__":
    main()
