"""Runs the benchmarks, all or those that are named, and prints one table of everything that was found.

    python -m benchmarks [NAME…]

A module that fails keeps no other from running. What was found by earlier runs of others is in the table too.
"""

import subprocess
import sys

from benchmarks import results

MODULES = {
    "check": "benchmarks.bench",
    "batch": "benchmarks.batch",
    "vault": "benchmarks.vault",
    "engine": "benchmarks.engine",
    "population": "benchmarks.population",
    "rotation": "benchmarks.rotation",
    "audit": "benchmarks.audit",
    "sequencing": "benchmarks.sequencing",
    "exporting": "benchmarks.exporting",
    "packages": "benchmarks.packages",
    "queue": "benchmarks.queue",
    "erasures": "benchmarks.erasures",
    "drop": "benchmarks.drop",
    "imports": "benchmarks.imports",
    "overload": "benchmarks.overload",
    "steady": "benchmarks.steady",
    "growth": "benchmarks.growth",
    "compare": "benchmarks.compare",
}


def main(names: list[str]) -> int:
    if unknown := set(names) - set(MODULES):
        print(f"no benchmark is named {', '.join(sorted(unknown))}; there are {', '.join(MODULES)}", file=sys.stderr)
        return 2
    failed = []
    for name in names or MODULES:
        print(f"==> {name}", flush=True)
        if subprocess.run([sys.executable, "-m", MODULES[name]]).returncode:
            failed.append(name)
    rows = results.read()
    order = list(MODULES)
    results.show(sorted(rows, key=lambda row: order.index(row.benchmark) if row.benchmark in order else len(order)))
    for name in failed:
        print(f"{name} failed", file=sys.stderr)
    missed = [row.name for row in rows if row.met is False and not row.why]
    if missed:
        print(f"nobody has looked into why these miss their targets: {'; '.join(missed)}", file=sys.stderr)
    return 1 if failed or missed or any(row.errors for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
