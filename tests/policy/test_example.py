"""The facts that policies/README.md starts from, and the commands that it shows."""

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

from tests.journeys.commands import typed
from tests.toy_policy import opa

ROOT = Path(__file__).parents[2]
SHOWN = (ROOT / "policies" / "README.md").read_text()
EXAMPLE = ROOT / "policies" / "example.json"


def evaluated(facts: Path) -> dict[str, Any]:
    """Return the verdict that the documented command gives on `facts`."""
    (command,) = re.findall(r"^tools/bin/opa (eval .*)$", SHOWN, flags=re.MULTILINE)
    words = [str(facts) if word == "policies/example.json" else word for word in shlex.split(command)]
    ran = subprocess.run([opa(), *words], cwd=ROOT, check=True, capture_output=True, text=True)
    verdict: dict[str, Any] = json.loads(ran.stdout)
    return verdict


def test_the_example_is_permitted_with_its_act_and_denied_without(tmp_path: Path):
    (tmp_path / "facts.json").write_text(json.dumps({**json.loads(EXAMPLE.read_text()), "acts": []}))

    assert (evaluated(EXAMPLE)["allow"], evaluated(EXAMPLE)["basis"]) == (True, "consent")
    assert evaluated(tmp_path / "facts.json")["allow"] is False


def test_the_cases_are_played_as_documented():
    (arguments,) = re.findall(r"^volens (policy check .*)$", SHOWN, flags=re.MULTILINE)
    words = [str(ROOT / word) if word.endswith(".jsonl") else word for word in arguments.split()]

    assert typed(*words).exit_code == 0
