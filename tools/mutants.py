"""Tries every small mistake in the verifier of the audit log: a test must notice each. `make mutants` calls it.

    python -m tools.mutants [--anew] [PART.FUNCTION…]

mutmut makes the mutants; what runs them is here, since it has to be fast and mutmut leaves out code beside functions
and decorated ones. The tests are imported once. Then for each mutant a child is forked, gets the mutated function in
the place of the true one, and runs the tests that execute the changed line, the quickest first, until one fails.

What is only in words for people is not mutated, and neither are annotations. A mutant that no test notices has to
stand in `tests/unit/audit_mutants.toml` with the reason why it changes no outcome; the command fails otherwise, and
where the list has one that is none any more. What it found is kept in `.cache/mutants.ndjson`: stop it at any time, and
the next run goes on. Who was noticed isn't tried again while the function is what it was; all others are.
"""

import argparse
import gc
import hashlib
import json
import os
import resource
import signal
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from functools import cache
from io import StringIO
from mmap import mmap
from pathlib import Path
from typing import Final

import pytest
from coverage import Coverage
from hypothesis import HealthCheck, Phase, settings

from service.audit.standalone import PARTS
from tools.mutations import Mutant, mutants_of

ROOT: Final = Path(__file__).parents[1]
LISTED: Final = ROOT / "tests/unit/audit_mutants.toml"
KEPT: Final = ROOT / ".cache/mutants.ndjson"
TESTS: Final = sorted(str(path) for path in (ROOT / "tests/unit").glob("test_audit_*.py"))
ROOM: Final = 2 << 30
"""Bytes of memory that a mutant may take beyond what it has from the start."""
PARAMETERS, EXAMPLES = 40, 20
SETTINGS: Final = "_hypothesis_internal_use_settings"
NOTICED, BROKEN = 1, 2


def path_of(part: str) -> Path:
    return ROOT / "service/audit" / f"{part}.py"


class Tests:
    """A plugin that collects the tests once, learns which lines each executes, and runs them for mutants."""

    def __init__(self, mutants: Sequence[Mutant]) -> None:
        self.survivors: list[Mutant] = []
        self.mutants = mutants
        self._failed = False
        self._failing = mmap(-1, 4)
        """The place of the test that failed, as the child leaves it for its parent."""
        self._failed_before: dict[str, dict[str, None]] = {}
        """The tests that noticed mutants of a function, the last one last."""
        self._items: list[pytest.Item] = []
        self._takes: dict[str, float] = {}
        self._executed_by: dict[tuple[str, int], set[str]] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Of a test with very many parameters, and of generated examples, take some."""
        of_one: dict[str, list[pytest.Item]] = {}
        for item in items:
            function = getattr(item, "function", None)
            if given := getattr(function, SETTINGS, None):
                setattr(function, SETTINGS, settings(given, max_examples=min(given.max_examples, EXAMPLES)))
            of_one.setdefault(item.nodeid.partition("[")[0], []).append(item)
        items[:] = [each for group in of_one.values() for each in group[:: len(group) // PARAMETERS + 1]]

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._items = session.items
        self._learn()
        for number, mutant in enumerate(self.mutants, start=1):
            began = time.monotonic()
            noticed = self._try(mutant)
            if noticed:
                keep(mutant, survived=False)
            else:
                keep(mutant, survived=True)
                self.survivors.append(mutant)
                print(f"\r\033[Ksurvived {time.monotonic() - began:.1f} s of tests: {mutant.id}")
            print(f"\r\033[K{number} of {len(self.mutants)}, {len(self.survivors)} survived", end="", flush=True)
        print()
        return True

    def _learn(self) -> None:
        """Run all tests as they are."""
        print(f"\nrun {len(self._items)} tests once", flush=True)
        coverage = Coverage(data_file=None, include=[str(path_of(part)) for part in PARTS], config_file=False)
        coverage.start()
        for item in self._items:
            coverage.switch_context(item.nodeid)
            began = time.process_time()
            with redirect_stdout(StringIO()):
                passed = self._passes(item)
            if not passed:
                raise pytest.UsageError(f"{item.nodeid} fails without any mutant")
            self._takes[item.nodeid] = time.process_time() - began
        coverage.stop()
        gc.collect()
        gc.freeze()  # or every child would copy what its collector looks at
        data = coverage.get_data()
        for part in PARTS:
            for line, tests in data.contexts_by_lineno(str(path_of(part))).items():
                self._executed_by[part, line] = {*tests} & self._takes.keys()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._failed |= report.failed

    def _passes(self, item: pytest.Item) -> bool:
        self._failed = False
        item.ihook.pytest_runtest_protocol(item=item, nextitem=None)
        return not self._failed

    def _of(self, mutant: Mutant) -> list[pytest.Item]:
        """Return the tests that execute a line of the mutant."""
        names: set[str] = set()
        for (part, line), tests in self._executed_by.items():
            if part == mutant.part and line in mutant.lines:
                names |= tests
        chosen = [item for item in self._items if item.nodeid in names]
        before = list(self._failed_before.get(mutant.place, {}))
        first = {name: -place for place, name in enumerate(before, start=1)}
        return sorted(chosen, key=lambda item: (first.get(item.nodeid, 0), self._takes[item.nodeid]))

    def _try(self, mutant: Mutant) -> bool:
        """Return whether a test fails, or takes far longer than it does, with this mutant."""
        chosen = self._of(mutant)
        self._failing[:] = bytes(4)
        child = os.fork()
        if child == 0:
            self._run(mutant, chosen)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == BROKEN:
            raise pytest.UsageError(f"can't be tried: {mutant}")
        if status and chosen:
            name = chosen[int.from_bytes(self._failing[:], "big")].nodeid
            before = self._failed_before.setdefault(mutant.place, {})
            before.pop(name, None)
            before[name] = None
        return status != 0

    def _run(self, mutant: Mutant, chosen: Sequence[pytest.Item]) -> None:
        """Run the tests in the child, which ends here."""
        gc.disable()
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, used + ROOM))
        signal.setitimer(signal.ITIMER_PROF, 5)
        try:
            mutant.install()
        except BaseException:  # noqa: BLE001, a part that can't even be imported is noticed
            os._exit(BROKEN if mutant.function else NOTICED)
        try:
            for place, item in enumerate(chosen):
                self._failing[:] = place.to_bytes(4, "big")
                signal.setitimer(signal.ITIMER_PROF, 2 + 10 * self._takes[item.nodeid])
                if not self._passes(item):
                    os._exit(NOTICED)
        except BaseException:  # noqa: BLE001, whatever a mutant does beyond failing a test is noticed
            os._exit(NOTICED)
        os._exit(0)


# --- what is kept, and what is listed -----------------------------------------------------------


def keep(mutant: Mutant, survived: bool) -> None:
    KEPT.parent.mkdir(exist_ok=True)
    with KEPT.open("a") as file:
        file.write(json.dumps([mutant.id, fingerprint(mutant, survived)]) + "\n")


def kept() -> set[tuple[str, str]]:
    """Return the mutants that were tried, each with the fingerprint of what it met."""
    return {tuple(json.loads(line)) for line in KEPT.read_text().splitlines()} if KEPT.exists() else set()


def fingerprint(mutant: Mutant, survived: bool) -> str:
    """Return what has to be the same for an outcome to hold: the function, and for who survived all tests."""
    return hashlib.sha256(mutant.source.encode() + (all_tests() if survived else b"")).hexdigest()


@cache
def all_tests() -> bytes:
    return hashlib.sha256(b"".join(Path(path).read_bytes() for path in TESTS)).digest()


def listed() -> dict[str, str]:
    """Return the reason why each mutant in the list changes no outcome."""
    held = tomllib.loads(LISTED.read_text())["equivalent"] if LISTED.exists() else []
    return {f"{place}: {line} => {mutant}": each["because"] for each in held for place, line, mutant in each["mutants"]}


def wanted(places: Sequence[str]) -> Iterator[Mutant]:
    for place in places or PARTS:
        part = place.partition(".")[0]
        for mutant in mutants_of(part, path_of(part).read_text()):
            if f"{mutant.place}.".startswith(f"{place}."):
                yield mutant


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Try every small mistake in the verifier of the audit log.")
    parser.add_argument("--anew", action="store_true", help="try those again that were noticed before")
    parser.add_argument("places", nargs="*", metavar="PART.FUNCTION", help="only these")
    asked = parser.parse_args(arguments)
    settings.register_profile(
        "mutants",
        derandomize=True,
        database=None,
        max_examples=EXAMPLES,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],  # a failure is enough; what is the smallest one doesn't matter
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("mutants")
    mutants, reasons = sorted(wanted(asked.places), key=lambda each: not each.function), listed()
    before = set() if asked.anew else kept()
    survivors = [each for each in mutants if (each.id, fingerprint(each, survived=True)) in before]
    tried = {each.id for each in mutants if (each.id, fingerprint(each, survived=False)) in before}
    plugin = Tests([each for each in mutants if each not in survivors and each.id not in tried])
    options = ["-q", "-s", "-n0", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:cov", *TESTS]
    if plugin.mutants and (code := pytest.main(options, plugins=[plugin])) != pytest.ExitCode.OK:
        return int(code)
    survivors += plugin.survivors
    alive = {each.id for each in survivors}
    new = [each for each in survivors if each.id not in reasons]
    gone = [] if asked.places else [each for each in reasons if each not in alive]
    for each in new:
        print(f"\n# survived, and is not listed\n{each}")
    for name in gone:
        print(f"\n# listed, and is noticed or no mutant any more\n# {name}")
    noticed, equivalent = len(mutants) - len(alive), len(alive) - len(new)
    print(f"\n{len(mutants)} mutants: {noticed} noticed, {equivalent} listed, {len(new)} new")
    return 1 if new or gone else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
