"""What has governed is kept, so that it can govern again, whatever the files of the policy say by now."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest

from service import given
from service.postgres import DatabaseUrls
from tests.journeys.commands import typed
from tests.journeys.packed import pack, parts
from tests.journeys.processes import environment

SHIPPED = (given.BUILD / "revision").read_text().strip()
STRANGER = {
    "jurisdiction": "DE",
    "channel": "email",
    "purpose": "marketing",
    "at": "2026-11-20T11:00:00+01:00",
    "expect": {"allow": False, "basis": "none"},
}


@pytest.fixture(scope="module")
def another(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pack(tmp_path_factory.mktemp("policies"), "another", {"periods": {"spain": 12}})


def revisions(env: Mapping[str, str]) -> Any:
    return json.loads(typed("policy", "revisions", "--json", env=env).stdout)


def test_what_is_replaced_is_kept_though_it_was_never_activated(
    new_database: Callable[..., DatabaseUrls], another: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    env = environment(tmp_path, new_database())  # migrated by other means than `volens migrate`
    revision = parts(another)["revision"].decode().strip()
    (tmp_path / "cases.jsonl").write_text(json.dumps(STRANGER))
    activated = typed("policy", "activate", "--cases", str(tmp_path / "cases.jsonl"), str(another), env=env)
    assert activated.exit_code == 0, activated.output
    (tmp_path / "build").mkdir()
    for name, content in parts(another).items():
        (tmp_path / "build" / name).write_bytes(content)
    monkeypatch.setattr("service.given.BUILD", tmp_path / "build")  # what `make policy` does

    listed = revisions(env)
    assert ([each["revision"] for each in listed["kept"]], listed["shipped"]) == ([SHIPPED], revision)
    in_words = typed("policy", "revisions", env=env).stdout
    assert f"{SHIPPED}  kept, never activated" in in_words
    again = ["policy", "activate", "--cases", str(tmp_path / "cases.jsonl"), "shipped"]
    assert typed(*again, env=env).stdout == f"{revision} governs already\n"
    assert typed("policy", "activate", SHIPPED, env=env).exit_code == 0
    listed = revisions(env)
    assert ([each["revision"] for each in listed["activations"]], listed["kept"]) == ([SHIPPED, revision], [])


def test_a_migration_keeps_what_the_version_ships_once(new_database: Callable[..., DatabaseUrls], tmp_path: Path):
    urls = new_database()
    for _ in range(2):
        assert typed("migrate", env=environment(tmp_path, urls)).exit_code == 0
    with psycopg.connect(urls.owner) as owner:
        assert owner.execute("SELECT revision FROM policy_revision").fetchall() == [(SHIPPED,)]
