"""A stored policy that was changed behind our back governs nobody, and its file mends it."""

import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from service.decisions.revisions import PAUSE
from tests.journeys.commands import refusal, typed
from tests.journeys.conftest import Installation
from tests.journeys.packed import pack, parts
from tests.journeys.processes import Client, running

QUESTION = {"subject": "anna", "channel": "email", "purpose": "marketing"}
STRANGER = {
    "jurisdiction": "DE", "channel": "email", "purpose": "marketing",
    "at": "2026-11-20T11:00:00+01:00", "expect": {"allow": False, "basis": "none"},
}  # fmt: skip


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("policies")
    (folder / "cases.jsonl").write_text(json.dumps(STRANGER))
    return pack(folder, "stricter", {"periods": {"stale": {"other": 24, "DE": 6, "FR": 36}}})


@pytest.fixture(scope="module")
def revision(file: Path) -> str:
    return parts(file)["revision"].decode().strip()


@pytest.fixture
def activate(installation: Installation, file: Path):
    def command(name: str):
        cases = str(file.parent / "cases.jsonl")
        return typed("policy", "activate", "--cases", cases, name, env=installation.env)

    yield command
    assert command("shipped").exit_code == 0


@pytest.fixture
def client(installation: Installation) -> Iterator[Client]:
    """A process that loads what is stored now."""
    with (
        running("serve", "--port", "0", env=installation.env) as service,
        closing(Client(service.url, installation.token)) as client,
    ):
        yield client


@pytest.fixture
def damaged(activate, file: Path, revision: str, installation: Installation) -> None:
    """Half a year became three in the data of the active revision, which still reads well."""
    assert activate(str(file)).exit_code == 0
    with psycopg.connect(installation.urls.owner, autocommit=True) as owner:
        owner.execute("ALTER TABLE policy_revision DISABLE TRIGGER USER")
        changed = owner.execute(
            """
            UPDATE policy_revision
            SET data = convert_to(replace(convert_from(data, 'UTF8'), '"DE":6', '"DE":36'), 'UTF8')
            WHERE revision = %s AND position('"DE":6' IN convert_from(data, 'UTF8')) > 0
            """,
            (revision,),
        )
        owner.execute("ALTER TABLE policy_revision ENABLE TRIGGER USER")
        assert changed.rowcount == 1


@pytest.mark.usefixtures("damaged")
def test_it_is_a_no_and_not_ready_until_its_file_is_activated_again(
    activate, client: Client, file: Path, revision: str
):
    status, answer = client("POST", "/v1/decisions", QUESTION)
    assert (status, answer["decision"]) == (503, "deny")
    assert client("GET", "/health/ready")[0] == 503
    assert "damaged" in refusal(activate(revision))

    assert activate(str(file)).exit_code == 0
    time.sleep(PAUSE)  # so long is what could not be loaded left alone
    status, answer = client("POST", "/v1/decisions", QUESTION)
    assert (status, answer["policy_revision"].partition("+")[0]) == (200, revision)
    assert client("GET", "/health/ready")[0] == 200


def test_an_active_policy_that_cannot_be_loaded_is_a_no_and_not_ready(
    activate, client: Client, installation: Installation
):
    assert activate("shipped").exit_code == 0
    broken = "sha256:" + "b" * 64
    with psycopg.connect(installation.urls.owner, autocommit=True) as owner:
        owner.execute(
            "INSERT INTO policy_revision SELECT %s, 'no module', data, rules, at, "
            "sha256(sha256('no module') || sha256(data) || sha256(rules)) FROM policy_revision LIMIT 1",
            (broken,),
        )
        owner.execute("INSERT INTO policy_activation (revision, at, actor) VALUES (%s, now(), 'a hand')", (broken,))
    status, answer = client("POST", "/v1/decisions", QUESTION)
    assert (status, answer["decision"]) == (503, "deny")
    status, ready = client("GET", "/health/ready")
    assert (status, ready["checks"]["policy"], ready["policy_revision"]) == (503, False, broken)

    assert activate("shipped").exit_code == 0
    assert client("POST", "/v1/decisions", QUESTION)[0] == 200


def test_a_whole_one_can_be_changed_by_nobody(installation: Installation, activate, file: Path):
    assert activate(str(file)).exit_code == 0
    with psycopg.connect(installation.urls.owner, autocommit=True) as owner:
        for change in ("UPDATE policy_revision SET data = ''", "DELETE FROM policy_revision"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                owner.execute(change)


def test_where_an_activation_vanished_the_shipped_policy_does_not_take_its_place(
    activate, client: Client, file: Path, revision: str, installation: Installation
):
    assert activate(str(file)).exit_code == 0
    assert client("POST", "/v1/decisions", QUESTION)[1]["policy_revision"].partition("+")[0] == revision
    with psycopg.connect(installation.urls.owner, autocommit=True) as owner:
        owner.execute("ALTER TABLE policy_activation DISABLE TRIGGER USER")
        owner.execute("DELETE FROM policy_activation")
        owner.execute("ALTER TABLE policy_activation ENABLE TRIGGER USER")

    status, answer = client("POST", "/v1/decisions", QUESTION)
    assert (status, answer["decision"]) == (503, "deny")
