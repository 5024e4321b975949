"""A backup of before brings nobody back: what the runbook tells an operator to do does what it says."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from service.postgres import DatabaseUrls
from tests.conftest import at
from tests.journeys.commands import shown_in, typed
from tests.journeys.conftest import Installation
from tests.journeys.erased import ask, certified, decided, eventually, execute, keys_of, record, revealed, settle_in
from tests.journeys.processes import Client, environment, running

WHO = ("erased", "objecting", "withdrawing", "pending", "staying")


def backed_up(urls: DatabaseUrls, name: str) -> DatabaseUrls:
    """Return a copy of a database that nobody is connected to."""
    source = urlsplit(urls.app).path.strip("/")
    with psycopg.connect(at(urls, "postgres").admin, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} OWNER volens_owner TEMPLATE {source}")
    return at(urls, name)


def placed(urls: DatabaseUrls) -> bool:
    """Say whether every entry has its place in the tree."""
    with psycopg.connect(urls.admin) as database:
        return database.execute("SELECT FROM audit_pending LIMIT 1").fetchone() is None


@contextmanager
def serving(env: Mapping[str, str], token: str) -> Iterator[Client]:
    with running("serve", "--port", "0", env=env) as service, closing(Client(service.url, token)) as client:
        yield client


@pytest.mark.parametrize("form", ["pack", "ndjson"])
def test_the_runbook_lets_a_backup_bring_nobody_back(installation: Installation, tmp_path: Path, form: str) -> None:
    people = {name: f"{name}-{form}" for name in WHO}
    export, keys, kept = tmp_path / "pack.zip", tmp_path / "keys.txt", tmp_path / "certificate.json"
    words = {"example-shop": "acme", "pack.zip": str(export), "pack": form}

    def follow(command: list[str], env: Mapping[str, str]) -> str:
        done = typed(*(words.get(word, word) for word in command), env=env)
        assert done.exit_code == 0, done.output
        return done.output

    with running("serve", "--port", "0", env=installation.env) as service, running("work", env=installation.env):
        with closing(Client(service.url, installation.token)) as client:
            for subject in people.values():
                settle_in(client, subject)
            eventually(lambda: placed(installation.urls))
    backup = backed_up(installation.urls, f"backup_{form}")
    with running("serve", "--port", "0", env=installation.env) as service, running("work", env=installation.env):
        with closing(Client(service.url, installation.token)) as client:
            request = ask(client, people["erased"])
            execute(client, request)
            kept.write_text(json.dumps(certified(client, request)))
            ask(client, people["objecting"], "objection")
            withdrawn = record(people["withdrawing"], "opt_out", method="unsubscribe_link")
            assert client("POST", "/v1/records", {"records": [withdrawn]})[0] == 201
            lost = ask(client, people["pending"])
            keys_of(client, keys)
            eventually(lambda: placed(installation.urls))
    make, migrate, replay, recover, verify = shown_in("restore.md")
    follow(make, installation.env)

    data = tmp_path / "data"
    shutil.copytree(installation.env["VOLENS_DATA_DIR"], data)
    env = environment(data, backup)
    with (
        running("serve", "--port", "0", env=env) as service,
        closing(Client(service.url, installation.token)) as client,
    ):
        assert {decided(client, subject) for subject in people.values()} == {"permit"}, "without it they all come back"
    follow(migrate, env)
    assert "1 erased again" in follow(replay, env)
    assert f"request {lost} is lost" in follow(replay, env)

    with (
        running("serve", "--port", "0", env=env) as service,
        closing(Client(service.url, installation.token)) as client,
    ):
        assert {name for name, subject in people.items() if decided(client, subject) == "permit"} == {"staying"}
        assert revealed(client, people["erased"]) == 410
        assert client("PUT", f"/v1/vault/b-{form}/email", {"value": f"{people['erased']}@mail.example"})[0] == 409
    assert typed("audit", "verify", "--keys", str(keys), str(kept), env={}).exit_code == 0, "its proof outlives that"
    with running("work", env=env):
        eventually(lambda: typed(*(words.get(word, word) for word in recover), env=env).exit_code == 0)
        assert "holds" in follow(verify, env)


def test_a_file_that_does_not_hold_changes_nothing(installation: Installation, tmp_path: Path) -> None:
    with running("serve", "--port", "0", env=installation.env) as service, running("work", env=installation.env):
        with closing(Client(service.url, installation.token)) as client:
            settle_in(client, "zoe")
            eventually(lambda: placed(installation.urls))
    export = tmp_path / "export.ndjson"
    made = ("audit", "export", "--tenant", "acme", "--format", "ndjson", "--out", str(export))
    assert typed(*made, env=installation.env).exit_code == 0
    export.write_bytes(export.read_bytes().replace(b"record.stored", b"vault.lookedup", 1))

    refused = typed("restore", "replay", str(export), env=installation.env)

    assert (refused.exit_code, refused.stderr) == (
        1,
        "volens: the file does not hold: `volens audit verify` says why\n",
    )
