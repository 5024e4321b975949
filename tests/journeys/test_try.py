"""`volens policy try`, and the page that shows it step by step."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.journeys.commands import refusal, typed
from tests.journeys.conftest import Installation
from tests.journeys.packed import parts
from tests.journeys.processes import Client, running
from tests.toy_policy import opa

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "policies" / "README.md"
COMMANDS = ("sed ", "volens ", "cp ")
PEOPLE = {"old": timedelta(days=549), "new": timedelta(days=7)}
BORN = {"old": f"{datetime.now(UTC) - timedelta(days=18 * 365.25 + 30):%Y-%m-%d}", "new": "1986-03-01"}


@pytest.fixture(scope="module")
def client(installation: Installation) -> Iterator[Client]:
    with running("serve", "--port", "0", env=installation.env) as service:
        with closing(Client(service.url, installation.token)) as client:
            yield client


@pytest.fixture(scope="module")
def asked(client: Client) -> dict[str, str]:
    """Ids of decisions about two people in Austria, of whom one consented 18 months ago, at sixteen."""
    decided: dict[str, str] = {}
    for name, ago in PEOPLE.items():
        facts = {"residence": "AT", "birth_date": BORN[name], "time_zone": "Europe/Vienna"}
        client("PUT", f"/v1/subjects/{name}", facts)
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
        status, answer = client("POST", "/v1/decisions", {"subject": name, "channel": "email", "purpose": "marketing"})
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
        if block.startswith(COMMANDS):
            yield block, "" if following.startswith(COMMANDS) else following


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the present folder: a copy of what the page changes, with the cases of one country."""
    shutil.copytree(ROOT / "policies", tmp_path / "policies")
    shutil.copytree(ROOT / "tools", tmp_path / "tools", ignore=shutil.ignore_patterns("bin"))
    cases = tmp_path / "tests" / "policy" / "cases"
    cases.mkdir(parents=True)
    shutil.copy(ROOT / "tests/policy/cases/ireland.jsonl", cases)
    monkeypatch.setattr("service.activation.CASES", cases)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_page_is_played_step_by_step_and_back(
    installation: Installation, asked: dict[str, str], checkout: Path, client: Client,
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    before = governing(client)
    blocks = list(steps())
    (change, _), (first, told), (second, told_of_log), (take, refused), (govern, _), (back, _) = blocks
    play(change, checkout, installation)
    for command, shown, rule in ((first, told, "ENG-STALE-01"), (second, told_of_log, "EU-CON-08")):
        (result,) = play(command.replace("demo", "acme"), checkout, installation)
        assert (result.exit_code, shown in result.stdout) == (0, True), result.output
        assert rule in result.stdout
    people, logged = (play(each.replace("demo", "acme"), checkout, installation)[0].stdout for each in (first, second))
    assert asked["old"] in logged
    assert f"against   {before}, which governs\n" in people
    assert f"against   what was answered then\n          2 under {before}\n" in logged

    (dry,) = play(take, checkout, installation)
    assert dry.exit_code == 1
    assert re.search(pattern(refused), dry.stdout, re.DOTALL), dry.stdout
    failing = {line.split()[0] for line in dry.stdout.splitlines()[:-1]}
    mean_it(checkout / "tests/policy/cases/ireland.jsonl", failing)
    build(checkout)  # as who takes step 6 before step 5: what was shipped is in no file any more
    monkeypatch.setattr("service.given.BUILD", checkout / "policies" / "build")
    activated, listed = play(govern, checkout, installation)
    assert activated.exit_code == 0, activated.output
    assert governing(client) != before
    assert typed("policy", "activate", "shipped", env=installation.env).stdout.endswith(" governs already\n")

    assert f"{before}  kept, never activated" in listed.stdout
    (again,) = play(back.replace("sha256:…", before), checkout, installation)
    assert again.exit_code == 0, again.output
    assert governing(client) == before


def play(block: str, checkout: Path, installation: Installation) -> list[Any]:
    """Play each line: ours in this process, others in a shell, and `make pack` as the Makefile does it."""
    results = []
    for line in block.splitlines():
        if line.startswith("volens "):
            results.append(typed(*shlex.split(line)[1:], env=installation.env))
            continue
        packing = f"{sys.executable} tools/policy.py pack policy.tar.gz"
        command = packing if line == "make pack FILE=policy.tar.gz" else line
        env = {**os.environ, "PYTHONPATH": str(checkout), "OPA": str(opa())}
        subprocess.run(command, shell=True, check=True, cwd=checkout, env=env, capture_output=True)
    return results


def build(checkout: Path) -> None:
    """Put into `build` what `make policy` would."""
    for name, content in parts(checkout / "policy.tar.gz").items():
        (checkout / "policies" / "build" / name).write_bytes(content)


def pattern(shown: str) -> str:
    return ".*".join(re.escape(part) for part in shown.split("…"))


def mean_it(file: Path, cases: set[str]) -> None:
    """Let these cases expect the denial that the change means."""
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    for case in lines:
        if case["id"] in cases:
            case["expect"] = {"allow": False, "basis": "none"}
    file.write_text("\n".join(map(json.dumps, lines)))


def governing(client: Client) -> str:
    return str(client("GET", "/v1/policy")[1]["revision"])


def tried(installation: Installation, *options: str) -> Any:
    result = typed("policy", "try", "--tenant", "acme", "--json", *options, env=installation.env)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_machines_are_told_all_of_it(installation: Installation, asked: dict[str, str], shorter: Path):
    options = ["--tenant", "acme", "--table", f"periods={shorter}", "--since", "2026-01-01"]
    assert "try other ones over `subjects`" in refusal(typed("policy", "try", *options, env=installation.env))
    people = tried(installation, "--table", f"periods={shorter}", "--subjects", "email:marketing")
    assert [change["subject"] for change in people["changes"]] == ["old"]
    assert people["trial"]["result"]["to_deny"] == 1


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
