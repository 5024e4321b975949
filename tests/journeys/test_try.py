"""`volens policy try`, and the page that shows it step by step."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.journeys.commands import refusal, typed
from tests.journeys.conftest import Installation
from tests.journeys.processes import Client, running

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "policies" / "README.md"
PEOPLE = {"old": timedelta(days=549), "new": timedelta(days=7)}


@pytest.fixture(scope="module")
def asked(installation: Installation) -> dict[str, str]:
    """Ids of decisions about two people in Austria, of whom one consented 18 months ago."""
    decided: dict[str, str] = {}
    with running("serve", "--port", "0", env=installation.env) as service:
        with closing(Client(service.url, installation.token)) as client:
            for name, ago in PEOPLE.items():
                client("PUT", f"/v1/subjects/{name}", {"residence": "AT", "age": 40, "time_zone": "Europe/Vienna"})
                record = {
                    "id": str(uuid4()),
                    "subject": name,
                    "ts": (datetime.now(UTC) - ago).isoformat(),
                    "channel": "email",
                    "purpose": "marketing",
                    "action": "opt_in",
                    "method": "double_opt_in",
                    "evidence": "form+ip+wording",
                    "notice_version": "v1",
                }
                assert client("POST", "/v1/records", {"records": [record]})[0] == 201
                status, answer = client(
                    "POST", "/v1/decisions", {"subject": name, "channel": "email", "purpose": "marketing"}
                )
                assert (status, answer["decision"]) == (200, "permit"), answer
                decided[name] = answer["id"]
    return decided


@pytest.fixture
def shorter(tmp_path: Path) -> Path:
    periods = json.loads((ROOT / "policies/data/periods.json").read_text())
    periods["stale"]["other"] = 12
    (tmp_path / "periods.json").write_text(json.dumps(periods))
    return tmp_path / "periods.json"


def steps() -> Iterator[tuple[str, str]]:
    """Yield each command of the section, and what the page says that it prints."""
    section = PAGE.read_text().split("## A change of a table value", 1)[1].split("\n## ", 1)[0]
    blocks = [
        "\n".join(line.strip() for line in block.splitlines())
        for block in re.findall(r"^   ```\n(.*?)^   ```$", section, flags=re.MULTILINE | re.DOTALL)
    ]
    for block, following in zip(blocks, [*blocks[1:], ""], strict=True):
        if block.startswith(("sed ", "volens ")):
            yield block, "" if following.startswith(("sed ", "volens ")) else following


def test_the_page_is_played_step_by_step(
    installation: Installation, asked: dict[str, str], tmp_path: Path, monkeypatch
):
    (tmp_path / "policies").symlink_to(ROOT / "policies")
    monkeypatch.chdir(tmp_path)
    played = 0
    for command, shown in steps():
        if command.startswith("sed "):
            subprocess.run(command, shell=True, check=True, cwd=tmp_path)
            continue
        result = typed(*shlex.split(command.replace("demo", "acme"))[1:], env=installation.env)
        assert result.exit_code == 0, result.stderr
        assert shown in result.stdout
        assert "ENG-STALE-01" in result.stdout
        played += 1
    assert played == 2
    options = ["--table", "periods=periods.json", "--since", "2026-01-01"]
    assert asked["old"] in typed("policy", "try", "--tenant", "acme", *options, env=installation.env).stdout


def tried(installation: Installation, *options: str) -> Any:
    result = typed("policy", "try", "--tenant", "acme", "--json", *options, env=installation.env)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_machines_are_told_all_of_it(installation: Installation, asked: dict[str, str], shorter: Path):
    told = tried(installation, "--table", f"periods={shorter}", "--since", "2026-01-01")

    assert [change["decision"] for change in told["changes"]] == [asked["old"]]
    assert told["trial"]["result"]["to_deny"] == 1
    people = tried(installation, "--table", f"periods={shorter}", "--subjects", "email:marketing")
    assert [change["subject"] for change in people["changes"]] == ["old"]


def test_an_overlay_can_be_tried_and_nothing_of_it_governs(installation: Installation, asked, tmp_path: Path):
    (tmp_path / "overlay.json").write_text('{"denied": [{"channel": "email"}]}')
    told = tried(installation, "--overlay", str(tmp_path / "overlay.json"), "--since", "2026-01-01T00:00:00+01:00")

    assert {change["decision"] for change in told["changes"]} == set(asked.values())
    again = tried(installation, "--overlay", str(tmp_path / "overlay.json"), "--subjects", "email:marketing")
    assert again["trial"]["policy_revision"] == told["trial"]["policy_revision"]
    assert len(again["changes"]) == 2


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--overlay", "{good}"], 2, "--since or --subjects"),
        (["--overlay", "{good}", "--since", "2026-01-01", "--subjects", "email:marketing"], 2, "--since or --subjects"),
        (["--overlay", "{good}", "--since", "yesterday"], 2, "no instant"),
        (["--overlay", "{good}", "--since", "2026-01-01T10:00:00"], 2, "no offset"),
        (["--table", "periods", "--since", "2026-01-01"], 2, "NAME=FILE"),
        (["--overlay", "{good}", "--subjects", "email"], 2, "email:marketing"),
        (["--overlay", "{broken}", "--since", "2026-01-01"], 1, "no JSON"),
        (["--overlay", "{odd}", "--since", "2026-01-01"], 1, "unknown field"),
        (["--table", "laws={good}", "--since", "2026-01-01"], 1, "no table"),
        (["--module", "volens/gdpr/x.rego={good}", "--since", "2026-01-01"], 1, "VOLENS_OPA_BINARY"),
        (["--since", "2026-01-01"], 1, "name what is to be tried"),
    ],
)
def test_what_can_not_be_tried_is_one_line_and_an_exit_code(
    installation: Installation, tmp_path: Path, options: list[str], code: int, said: str
):
    files = {"good": "{}", "broken": "{", "odd": '{"denies": []}'}
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    named = [option.format(**{name: tmp_path / name for name in files}) for option in options]
    result = typed("policy", "try", "--tenant", "acme", *named, env=installation.env)

    assert result.exit_code == code, result.output
    assert said in result.output
    if code == 1:
        assert said in refusal(result)


def test_a_tenant_that_there_is_not_is_refused(installation: Installation, tmp_path: Path):
    (tmp_path / "overlay.json").write_text("{}")
    options = ["--overlay", str(tmp_path / "overlay.json"), "--since", "2026-01-01"]
    result = typed("policy", "try", "--tenant", "nobody", *options, env=installation.env)

    assert (result.exit_code, "no tenant nobody" in refusal(result)) == (1, True)
