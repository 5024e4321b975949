"""What the documents point to exists."""

import re
from pathlib import Path

import pytest

from service.audit import AuditEvent
from tests.architecture.sources import ROOT, name, tracked

DOCUMENTS = [path for path in tracked() if path.suffix == ".md"]
DECISIONS = [path for path in DOCUMENTS if path.parent == ROOT / "docs" / "adr"]
FOLDERS = ("service", "policies", "tests", "docs", "migrations", "tools", "benchmarks", "deploy", "openapi")

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
PATH = re.compile(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]+)`")
TARGET = re.compile(r"`make ([a-z]+)[^`]*`")


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_link_and_path_in_a_document_leads_somewhere(document: Path):
    text = document.read_text()
    links = [document.parent / link for link in LINK.findall(text) if "://" not in link]
    paths = [ROOT / path for path in PATH.findall(text)]

    assert [str(path) for path in links + paths if not path.exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_make_target_in_a_document_exists(document: Path):
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)

    assert set(TARGET.findall(document.read_text())) <= set(targets)


def test_every_event_of_the_audit_log_is_documented_and_no_other():
    rows = re.findall(r"^\| (`[^|]*`) \|", (ROOT / "docs" / "audit-events.md").read_text(), flags=re.MULTILINE)

    assert sorted(re.findall(r"`([^`]+)`", " ".join(rows))) == sorted(AuditEvent)


def test_every_make_target_of_ours_is_explained_by_make_help():
    makefile = (ROOT / "Makefile").read_text()

    for target in ["help", "setup", "run", "test", "lint", "bench", "openapi", "policy", "lock", "clean"]:
        assert re.search(rf"^{target}:.* ## \S", makefile, flags=re.MULTILINE), target


@pytest.mark.parametrize("decision", DECISIONS, ids=name)
def test_a_decision_ends_with_what_enforces_it(decision: Path):
    title, *_ = decision.read_text().splitlines()
    sections = re.split(r"^## ", decision.read_text(), flags=re.MULTILINE)

    assert title.startswith(f"# {decision.name[:4]}. ")
    assert [section.splitlines()[0] for section in sections[1:]] == [
        "Context", "Decision", "Consequences", "Not chosen", "Enforced by",
    ]  # fmt: skip
    assert PATH.findall(sections[-1]), "name the test or file that enforces it"


def test_decisions_are_numbered_without_gaps():
    assert [path.name[:4] for path in DECISIONS] == [f"{number:04}" for number in range(1, len(DECISIONS) + 1)]
    assert DECISIONS
