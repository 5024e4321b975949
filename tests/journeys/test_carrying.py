"""Records carried in files, typed: in from another tool, out, cut off, and into another tenant's Volens."""

import json
import stat
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import pytest

from service.consent import exporting
from tests.journeys.commands import typed
from tests.journeys.conftest import Installation

HEADER = "Customer ID,Email Address,CONFIRM_TIME,UNSUB_TIME"
HERE = ("--tenant", "acme")


@pytest.fixture(scope="module")
def env(installation: Installation) -> Mapping[str, str]:
    return installation.env


def members(place: Path, number: int, first: int = 0) -> Path:
    rows = [f"c-{each},p{each}@mail.example,2026-01-02 10:00:00," for each in range(first, first + number)]
    place.write_text("\n".join([HEADER, *rows]) + "\n")
    return place


def test_a_file_is_tried_and_then_imported_and_goes_on_under_its_id(env: Mapping[str, str], tmp_path: Path):
    file = members(tmp_path / "members.csv", 5)
    how = ("--mapping", "mailchimp", "--subject", "Customer ID", "--set", "evidence=DMS-114")

    tried = typed("import", str(file), *HERE, *how, "--dry-run", env=env)
    done = typed("import", str(file), *HERE, *how, "--json", env=env)
    summary = json.loads(done.stdout)
    members(file, 7)
    more = typed("import", str(file), *HERE, *how, "--import", summary["import"], "--json", env=env)
    again = typed("import", str(file), *HERE, *how, env=env)

    assert tried.stdout == (
        "nothing was kept: 6 lines: 5 stored (5 new records), 0 known, 0 refused, 1 say nothing, 0 dealt with before\n"
    )
    assert (done.exit_code, summary["records"], summary["outcome"]) == (0, 5, "done")
    assert f"--import {summary['import']} goes on with it" in done.stderr
    said = json.loads(more.stdout)
    assert (said["skipped"], said["records"]) == (6, 2)
    assert "0 stored (0 new records), 7 known" in again.stdout


def test_what_is_refused_is_told_by_line_and_ends_with_one(env: Mapping[str, str], tmp_path: Path):
    file = tmp_path / "lines.ndjson"
    good = {"subject": "l-1", "ts": "2026-01-01T10:00:00Z", "channel": "email", "action": "opt_in"}
    file.write_text("\n".join([json.dumps(good), json.dumps({**good, "subject": "ada@mail.example"}), ""]))

    done = typed("import", str(file), *HERE, env=env)
    other = typed("import", str(file), *HERE, "--mapping", "mailchimp", env=env)
    nobody = typed("import", str(file), "--tenant", "nobody", env=env)

    assert done.exit_code == 1
    assert done.stdout.startswith("line 2: refused, line_refused: /subject: ")
    assert "ada@mail.example" not in done.stdout + done.stderr
    assert (other.exit_code, nobody.exit_code) == (1, 1)
    assert "a mapping of columns is for CSV" in other.stderr


def test_an_export_is_for_its_owner_goes_on_where_it_was_cut_off_and_is_taken_elsewhere(
    env: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(exporting, "PEOPLE", 3)
    typed(
        "import",
        str(members(tmp_path / "more.csv", 10, 100)),
        *HERE,
        "--mapping",
        "mailchimp",
        "--subject",
        "Customer ID",
        env=env,
    )
    out = tmp_path / "everything.ndjson"

    whole = typed("export", *HERE, "--out", str(out), "--json", env=env)
    lines = out.read_bytes()
    cut = lines[: lines.index(b'{"kind":"cursor"', len(lines) // 2) + 90]
    out.write_bytes(cut)
    taken = typed("export", *HERE, "--out", str(out), env=env)
    rest = typed("export", *HERE, "--out", str(out), "--go-on", env=env)
    ended = typed("export", *HERE, "--out", str(out), "--go-on", env=env)

    counts = json.loads(whole.stdout)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert (taken.exit_code, rest.exit_code, ended.exit_code) == (1, 0, 1)
    assert out.read_bytes().splitlines()[:-1] == lines.splitlines()[:-1]
    assert counts["records"] >= 10

    elsewhere = f"moved-{uuid4().hex[:8]}"
    assert typed("tenant", "add", elsewhere, env=env).exit_code == 0
    moved = typed("import", str(out), "--tenant", elsewhere, "--mapping", "volens", "--json", env=env)
    back = tmp_path / "back.ndjson"
    typed("export", "--tenant", elsewhere, "--out", str(back), env=env)

    def said(content: bytes) -> list[dict[str, object]]:
        read = [json.loads(line) for line in content.splitlines()]
        return [{name: value for name, value in each.items() if name != "received_at"} for each in read[:-1]]

    assert moved.exit_code == 0, moved.stdout
    assert said(back.read_bytes()) == said(lines)
