"""A data broker's round, typed: fetch, match, delete, report, upload, and the next round."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.dropped import BROKER, DAY, base64, download, item
from tests.journeys.commands import refusal, typed
from tests.journeys.conftest import Installation
from tests.journeys.erased import eventually
from tests.journeys.processes import Client, running
from tests.register import KEY, Platform, serving

BROKERS = ("--tenant", "acme")


@pytest.fixture(scope="module")
def placed(installation: Installation) -> Mapping[str, str]:
    place = ("--place", "US-CA", "--time-zone", "America/Los_Angeles")
    typed("tenant", "place", "acme", *place, env=installation.env)
    return installation.env


@pytest.fixture
def platform() -> Iterator[Platform]:
    with serving() as platform:
        yield platform


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "drop.key"
    file.touch(0o600)
    file.write_text(f"{KEY}\n")
    return file


def test_a_round_of_a_broker(
    installation: Installation, placed: Mapping[str, str], platform: Platform, key: Path, tmp_path: Path
):
    at = ("--key-file", str(key), "--url", platform.url)
    zip_file, answers = tmp_path / "download.zip", tmp_path / "answers"
    answers.mkdir()
    lists = {
        "Email": [(item(1), base64("ann@mail.example")), (item(2), base64("nobody@mail.example"))],
        "Phone": [(item(3), base64("4155559317"))],
    }
    platform.batches.append((download(lists).getvalue(), {item(1), item(2), item(3)}))

    def drop(*arguments: str, code: int = 0) -> str:
        result = typed("drop", *arguments, *BROKERS, env=placed)
        assert result.exit_code == code, result.stderr
        return result.stdout

    assert "registered data broker" in refusal(typed("drop", "status", *BROKERS, env=placed))
    assert drop("register", BROKER) == f"acme: broker {BROKER}\n"

    with running("serve", "--port", "0", env=placed) as service, ExitStack() as stack:
        stack.callback((client := Client(service.url, installation.token)).close)
        for subject, name, value in (
            ("ann", "email", "ann@mail.example"),
            ("bob", "phone", "+14155559317"),
            ("cem", "phone", "+14155559317"),
        ):
            assert client("PUT", f"/v1/vault/{subject}/{name}", {"value": value})[0] in {200, 201}
        drop("fetch", "--out", str(zip_file), *at)
        assert zip_file.stat().st_mode & 0o077 == 0

        said = json.loads(drop("match", str(zip_file), "--json"))
        assert said == {"new": 3, "known": 0, "contradicting": 0, "followed": 3}
        (asked,) = accepted(client)
        assert (asked["subject"], asked["right"], asked["via"]) == ("ann", "erasure", "drop")

    assert drop("report", "--out", str(answers), "--list", "Phone", "--list", "Email", code=1).endswith("1 open\n")
    assert (answers / f"{DAY}_{BROKER}_Email.csv").read_text() == f"Id,Status\n{item(2)},5\n"
    assert (answers / f"{DAY}_{BROKER}_Phone.csv").read_text() == f"Id,Status\n{item(3)},4\n"
    assert drop("upload", *map(str, answers.glob("*.csv")), *at) == "2 of 2 files taken, 2 work items\n"
    assert "answered" in refusal(typed("drop", "fetch", "--out", str(tmp_path / "2.zip"), *at, *BROKERS, env=placed))

    assert drop("carry-out") == "1 begun, 0 answered, 0 held, 0 not certified yet\n"
    with running("work", env=placed):
        eventually(lambda: drop("carry-out") == "0 begun, 1 answered, 0 held, 0 not certified yet\n")
    drop("report", "--out", str(answers), "--suffix", "part02")
    last = answers / f"{DAY}_{BROKER}_Email_part02.csv"
    assert last.read_text() == f"Id,Status\n{item(1)},3\n"
    assert drop("upload", str(last), *at) == "1 of 1 files taken, 1 work items\n"

    assert platform.told == {item(1): "3", item(2): "5", item(3): "4"}
    assert drop("fetch", "--out", str(tmp_path / "3.zip"), *at) == "nothing new\n"
    status = json.loads(drop("status", "--json"))
    assert status["counts"] == {"items": 3, "unanswered": 0, "people": 3, "waiting": 0, "unfollowed": 0}
    assert status["overdue"] is False
    with psycopg.connect(installation.urls.admin) as connection:
        connection.execute("UPDATE drop_broker SET accessed_at = now() - interval '47 days'")
    assert "(overdue)" in drop("status", code=1)


def test_what_is_wrong_is_said_in_one_line(placed: Mapping[str, str], platform: Platform, key: Path, tmp_path: Path):
    at = ("--key-file", str(key), "--url", platform.url)
    no_zip = tmp_path / "no.zip"
    no_zip.write_text("nothing")

    assert "no ZIP" in refusal(typed("drop", "match", str(no_zip), *BROKERS, env=placed))
    assert "letters and digits" in refusal(typed("drop", "register", "48-21", *BROKERS, env=placed))
    assert "named" in refusal(typed("drop", "told", str(no_zip), *BROKERS, env=placed))
    key.chmod(0o644)
    assert "0600" in refusal(typed("drop", "fetch", "--out", str(tmp_path / "x.zip"), *at, *BROKERS, env=placed))


def test_the_worker_compares_by_itself(installation: Installation, placed: Mapping[str, str], tmp_path: Path):
    file = tmp_path / "later.zip"
    file.write_bytes(download({"Email": [(item(9), base64("zoe@mail.example"))]}).getvalue())
    typed("drop", "register", BROKER, *BROKERS, env=placed)
    assert typed("drop", "match", str(file), *BROKERS, env=placed).exit_code == 0

    with running("serve", "--port", "0", env=placed) as service, running("work", env=placed), ExitStack() as stack:
        stack.callback((client := Client(service.url, installation.token)).close)
        client("PUT", "/v1/vault/zoe/email", {"value": "zoe@mail.example"})
        eventually(lambda: "zoe" in {each["subject"] for each in accepted(client)})


def accepted(client: Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client("GET", "/v1/requests?state=accepted")[1]["requests"]
    return found
