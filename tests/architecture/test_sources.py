"""Rules about single files that no linter holds for us."""

import re
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, calls, name, python, tracked

LONGEST = 400
SPLIT = {".py", ".rego", ".md", ".yaml", ".toml"}

# Who may tell the time; everyone else gets a `Clock`.
CLOCKS = {"service/given.py"}
TELLS_THE_TIME = re.compile(r"(date(time)?\.(now|today|utcnow))|(time\.(time|time_ns|gmtime|localtime))")

# Who may begin or end a transaction; stores get a connection and never commit.
COMMITTERS = {
    "service/transaction.py",
    "service/migrate.py",  # all migrations in one transaction of the owner
    "service/audit/attesting_store.py",  # the worker's: what others said stands alone
    "service/audit/tree_store.py",  # the worker's, who has no part in anybody's transaction
    "service/consent/profiles.py",  # reads, on connections that commit by themselves
    "service/decisions/log.py",  # appends groups, each in one pipeline that PostgreSQL treats as a transaction
    "service/decisions/narrow_rows.py",  # likewise: reads, and keeps what can be lost
    "service/decisions/walking.py",  # likewise: reads
    "service/decisions/packed_log.py",  # likewise, a chunk at a time
    "service/reveals/log.py",  # likewise
}
ENDS_A_TRANSACTION = re.compile(r"lease|.*\.(commit|rollback|begin|begin_nested|lease|set_autocommit)")

PRINTERS = {
    "service/audit/verify.py",  # runs by itself on an auditor's machine: what it prints is its answer
    "service/postgres_process.py",  # a script run as a child process: standard error is how it says why it failed
    "service/listening.py",  # the line `ready http://…` that scripts wait for
}

SOURCES_OF_PACKAGES = re.compile(
    r"(?:--(?:extra-)?index-url|--find-links|--registry|GOPROXY|PIP_INDEX_URL)\b[= ]*\S*://"
)
"""A line that binds whoever installs to one place. Which one serves them is theirs to say."""
LEFTOVERS = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")


@pytest.mark.parametrize("path", python(), ids=name)
def test_only_the_clock_tells_the_time(path: Path):
    if name(path) not in CLOCKS:
        assert [call for call in calls(path) if TELLS_THE_TIME.fullmatch(call)] == []


@pytest.mark.parametrize("path", python(), ids=name)
def test_only_the_transaction_commits(path: Path):
    if name(path) not in COMMITTERS:
        assert [call for call in calls(path) if ENDS_A_TRANSACTION.fullmatch(call)] == []


@pytest.mark.parametrize("path", python(), ids=name)
def test_the_service_prints_nothing(path: Path):
    if name(path) not in PRINTERS:
        assert "print" not in set(calls(path))


def test_no_file_is_too_long_to_read():
    written = [path for path in tracked() if path.suffix in SPLIT]

    assert [name(path) for path in written if len(path.read_text().splitlines()) > LONGEST] == []


def test_no_folder_or_file_is_named_after_nothing():
    homeless = {"utils", "helpers", "common", "core", "misc", "models", "managers", "base"}

    assert [
        name(path) for path in tracked() if homeless & {Path(part).stem for part in path.relative_to(ROOT).parts}
    ] == []


def test_no_file_binds_to_a_package_index_or_leaves_work_behind():
    for path in tracked():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        assert SOURCES_OF_PACKAGES.findall(text) == [], name(path)
        assert LEFTOVERS.findall(text) == [], name(path)


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-test.lock"])
def test_every_locked_package_has_an_exact_version_and_a_hash_and_no_address(lock: str):
    text = (ROOT / lock).read_text()
    packages = [block for block in re.split(r"\n(?=\S)", text.strip()) if not block.startswith("#")]

    assert "://" not in text
    assert all("==" in block.splitlines()[0] for block in packages)
    assert all("--hash=sha256:" in block for block in packages)


def test_what_runs_and_what_is_tested_are_the_same_versions():
    def pins(lock: str) -> set[str]:
        return set(re.findall(r"^\S+==\S+", (ROOT / lock).read_text(), flags=re.MULTILINE))

    assert pins("requirements.lock") <= pins("requirements-test.lock")
