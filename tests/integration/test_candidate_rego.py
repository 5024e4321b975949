"""What OPA is asked to compile for a trial, and what never reaches it."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from service.decisions.wasm import VERDICT
from service.given import BUILD, POLICIES
from service.opa_process import find
from service.trials import CandidateRefused
from service.trials.rego import Compiled, compiled

HEAD = "package volens.try\n"


def compile_(text: str, file: str = "volens/try.rego") -> Compiled:
    rows = msgspec.json.decode((POLICIES / "catalogue.json").read_bytes())
    known = frozenset(row["id"] for row in rows)
    bundle = (BUILD / "bundle.tar.gz").read_bytes()
    return compiled(find(), bundle, POLICIES / "schemas", {file: text}, VERDICT, known)


def refusal(text: str) -> Mapping[str, str]:
    with pytest.raises(CandidateRefused) as refused:
        compile_(text)
    error: Mapping[str, str] = refused.value.details["errors"][0]
    assert error["pointer"] == "/modules/volens~1try.rego"
    return error


def test_a_file_that_fits_becomes_a_module_and_tells_which_rules_it_names():
    made = compile_(f'{HEAD}a contains {{"rule": "DE-UWG-01", "stage": 10}}\n')

    assert made.module.startswith(b"\0asm")
    assert made.rules == {"DE-UWG-01": 2}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('a := http.send({"method": "get", "url": "http://127.0.0.1"})', "line 2: rego_type_error"),
        ("a := opa.runtime()", "line 2: rego_type_error"),
        ("a := time.now_ns()", "line 2: rego_type_error"),
        ("a if {", "rego_parse_error"),
        ("a := b\nb := a", "rego_recursion_error"),
        ("a := input.no_such_fact", "line 2: rego_type_error"),
        ('a contains {"rule": "ZZ-NONE-99", "stage": 1}', "line 2: the catalogue has no rule of this id"),
    ],
    ids=lambda value: value[:24],
)
def test_a_file_that_does_not_fit_is_refused_with_its_line(text: str, said: str):
    assert said in refusal(HEAD + text)["detail"]


@pytest.mark.parametrize("where", ["file://{file}", "http://127.0.0.1:1/schema.json"])
def test_an_annotation_makes_opa_read_nothing(tmp_path: Path, where: str):
    secret = tmp_path / "key.json"
    secret.write_text('"not of the policy"')
    schema = f'{{"$ref": "{where.format(file=secret)}"}}'

    said = refusal(f"# METADATA\n# scope: package\n# schemas:\n# - input: {schema}\n{HEAD}a := input.b\n")

    assert said["detail"] == "line 1: a schema is named, not defined here"
