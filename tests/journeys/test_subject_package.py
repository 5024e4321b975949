"""`volens subject package`, as an operator types it."""

import asyncio
import json
import zipfile

import pytest

from service import given, operations
from service.kernel import SubjectId, TenantId
from tests.journeys.commands import refusal, typed
from tests.journeys.conftest import Installation

ACME = TenantId("acme")
TYPED = ("subject", "package", "--tenant", "acme")


@pytest.fixture(scope="module")
def anna(installation: Installation) -> Installation:
    async def store() -> None:
        async with operations.transactions(installation.urls.app) as begin, begin(ACME) as tx:
            await tx.subjects.ensure([SubjectId("anna")], given.utc_now())

    asyncio.run(store())
    return installation


def test_a_package_is_written_and_counted(anna: Installation, tmp_path):
    declared = tmp_path / "declared.json"
    declared.write_text(json.dumps({"contact": {"controller": "Acme <b>Ltd"}, "sources": ["A fair"]}))
    out = tmp_path / "anna.zip"

    result = typed(
        *TYPED,
        "--subject",
        "anna",
        "--lang",
        "ar",
        "--declared",
        str(declared),
        "--out",
        str(out),
        "--json",
        env=anna.env,
    )

    assert result.exit_code == 0
    told = json.loads(result.stdout)
    assert told == {
        "tenant": "acme", "subject": "anna", "language": "ar", "file": str(out), "bytes": out.stat().st_size,
        "values": 0, "records": 0, "decisions": 0, "reveals": 0,
    }  # fmt: skip
    page = zipfile.ZipFile(out).read("index.html").decode()
    assert '<html lang="ar" dir="rtl">' in page
    assert "Acme &lt;b&gt;Ltd" in page
    plain = typed(*TYPED, "--subject", "anna", "--out", str(tmp_path / "again.zip"), env=anna.env).stdout
    assert plain == f"{tmp_path / 'again.zip'}: 0 values, 0 records, 0 decisions, 0 reveals\n"


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        pytest.param(["--subject", "nobody"], 1, "there is no such subject", id="nobody"),
        pytest.param(["--subject", "a@b.example"], 2, "a subject is", id="an address"),
        pytest.param(["--subject", "anna", "--tenant", "other"], 1, "there is no tenant other", id="no tenant"),
    ],
)
def test_a_refusal_is_one_line_and_leaves_no_file(anna: Installation, tmp_path, options, code, said):
    result = typed(*TYPED, *options, "--out", str(tmp_path / "out.zip"), env=anna.env)

    assert result.exit_code == code
    assert said in refusal(result)
    assert list(tmp_path.iterdir()) == []


def test_a_language_without_words_is_wrong_usage_and_a_damaged_declaration_a_refusal(anna: Installation, tmp_path):
    out = tmp_path / "out.zip"
    (tmp_path / "declared.json").write_text('{"contact": 1}')

    assert typed(*TYPED, "--subject", "anna", "--lang", "xx", "--out", str(out), env=anna.env).exit_code == 2
    refused = typed(
        *TYPED, "--subject", "anna", "--declared", str(tmp_path / "declared.json"), "--out", str(out), env=anna.env
    )
    assert refused.exit_code == 1
    assert "declared.json: Expected `object`" in refusal(refused)
    assert not out.exists()


def test_the_languages_that_can_be_asked_for_are_those_there_are_words_for():
    from service.cli.subjects import LANGUAGES
    from service.packages import Language

    assert tuple(Language) == LANGUAGES
