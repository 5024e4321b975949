"""What holds the policies and their artefacts together. The rules themselves are tested in Rego, beside them."""

import io
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft7Validator
from opapywasm import OpaWasmPolicy

from service.decisions import Policy
from tests.toy_policy import opa
from tools import policy as tool

POLICIES = Path(__file__).parents[2] / "policies"


@pytest.fixture(scope="module")
def fresh() -> dict[str, bytes]:
    opa()
    return tool.artefacts()


def schema(name: str) -> Any:
    return json.loads((POLICIES / "schemas" / f"{name}.json").read_text())


def test_the_committed_artefacts_are_what_their_source_makes(fresh: dict[str, bytes]):
    for name, content in fresh.items():
        assert (POLICIES / "build" / name).read_bytes() == content, name


def test_without_opa_each_command_says_in_one_line_how_to_get_one(tmp_path: Path, monkeypatch, capsys):
    (tmp_path / "opa").touch(mode=0o644)
    for program in (tmp_path / "opa", tmp_path / "none"):
        monkeypatch.setattr(tool, "OPA", str(program))
        for command in (["pack", str(tmp_path / "policy.tar.gz")], ["build"], ["check"], ["test"]):
            assert tool.main(command) == 3
            (line,) = capsys.readouterr().err.splitlines()
            assert "`make opa` builds it" in line
    assert not (tmp_path / "policy.tar.gz").exists()


def test_make_packs_what_the_sources_say():
    told = subprocess.run(
        ["make", "-n", "-o", "opa", "pack", "FILE=new.tar.gz"], cwd=POLICIES.parent, capture_output=True
    )

    assert b'.venv/bin/python tools/policy.py pack "new.tar.gz"' in told.stdout


def test_the_committed_page_about_the_rules_is_what_its_source_makes():
    opa()

    assert tool.PAGE.read_bytes() == tool.page()


def test_building_twice_gives_the_same_bytes(fresh: dict[str, bytes]):
    assert tool.artefacts() == fresh


def test_the_bundle_is_whole_and_dated_by_nobody(fresh: dict[str, bytes]):
    with tarfile.open(fileobj=io.BytesIO(fresh["bundle.tar.gz"])) as archive:
        entries = archive.getmembers()
        manifest = json.load(archive.extractfile("/.manifest") or io.BytesIO())

    assert {entry.mtime for entry in entries} == {0}
    assert [entry.name for entry in entries] == sorted(entry.name for entry in entries)
    assert not any(entry.name.endswith("_test.rego") for entry in entries)
    assert manifest["roots"] == ["volens"]
    assert manifest["revision"] == fresh["revision"].decode().strip()


def test_the_revision_names_the_content():
    content = {"a": b"1", "b": b"2"}

    assert tool._digest(content) == tool._digest({"b": b"2", "a": b"1"})
    assert tool._digest(content) != tool._digest({"a": b"12", "b": b""})


def test_the_compiled_policy_asks_the_host_for_nothing(fresh: dict[str, bytes]):
    module = OpaWasmPolicy.from_wasm_bytes(fresh["policy.wasm"])

    assert module.builtins == {}
    module.close()


def test_the_policy_knows_neither_time_nor_network_nor_secrets():
    forbidden = ("time.", "http.", "crypto.", "net.", "rand.", "uuid.", "opa.runtime", "sprintf")
    for file in tool.rules():
        code = [line for line in file.read_text().splitlines() if not line.lstrip().startswith("#")]
        assert not [line for line in code if any(f"{word}" in line.split('"')[0] for word in forbidden)], file


@pytest.mark.parametrize("file", sorted((POLICIES / "data").glob("*.json")), ids=lambda file: file.stem)
def test_a_table_has_the_shape_of_its_schema(file: Path):
    Draft7Validator(schema(file.stem)).validate(json.loads(file.read_text()))


def test_every_schema_but_those_of_the_facts_and_the_catalogue_has_its_table():
    schemas = {file.stem for file in (POLICIES / "schemas").glob("*.json")}

    assert schemas - {"input", "catalogue"} == {file.stem for file in (POLICIES / "data").glob("*.json")}


def test_the_catalogue_has_the_shape_of_its_schema_and_points_to_what_exists():
    rows = json.loads((POLICIES / "catalogue.json").read_text())

    Draft7Validator(schema("catalogue")).validate(rows)
    assert [row["id"] for row in rows if not (POLICIES.parent / row.get("where", "policies")).exists()] == []


def test_the_catalogue_holds_the_whole_law_and_one_rule_of_ours():
    rows = json.loads((POLICIES / "catalogue.json").read_text())

    assert len({row["id"] for row in rows if row["status"] != "own"}) == 195
    assert [row["id"] for row in rows if row["status"] == "own"] == ["ENG-OWN-01"]


def test_a_reference_to_a_fact_that_does_not_exist_does_not_compile(tmp_path: Path):
    (tmp_path / "typo.rego").write_text("package volens.typo\n\nmistaken if input.question.chanel\n")

    checked = subprocess.run(
        [opa(), "check", "--strict", "--schema", POLICIES / "schemas", POLICIES / "volens", tmp_path],
        capture_output=True,
        text=True,
    )

    assert checked.returncode == 1
    assert "chanel" in checked.stderr


def test_directory_is_package():
    for file in (POLICIES / "volens").rglob("*.rego"):
        package = next(line for line in file.read_text().splitlines() if line.startswith("package ")).split()[1]
        expected = ".".join(["volens", *file.parent.relative_to(POLICIES / "volens").parts])
        if file.name.endswith("_test.rego"):
            assert package.startswith(expected), file
            assert package.endswith("_test"), file
        else:
            assert package == expected, file


def test_every_place_of_the_table_is_held():
    places = json.loads((POLICIES / "data/places.json").read_text())

    assert [code for code, place in places.items() if place["implemented"] is not True] == []


def test_every_rule_of_a_verdict_can_be_explained(policy: Policy):
    for note in policy.rules.values():
        assert all((note.title, note.citation, note.regime, note.confidence))
        line = (POLICIES.parent / note.file).read_text().splitlines()[note.line - 1]
        assert not line.startswith(("#", "\t"))
    catalogue = msgspec.json.decode((POLICIES / "catalogue.json").read_bytes(), type=list[dict[str, str]])
    assert policy.rules.keys() <= {rule["id"] for rule in catalogue}
