"""Somebody is erased, over HTTP and by the worker, and the runbook finds out what keeps an erasure."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import sleep

import pytest

from tests.journeys.commands import shown_in, typed
from tests.journeys.conftest import Installation
from tests.journeys.erased import ask, certified, decided, execute, keys_of, move, revealed, settle_in
from tests.journeys.processes import Client, running


@pytest.fixture(scope="module")
def serving(installation: Installation) -> Iterator[Client]:
    with running("serve", "--port", "0", env=installation.env) as service:
        with closing(Client(service.url, installation.token)) as client:
            yield client


def test_somebody_is_erased_and_anybody_can_verify_it(
    serving: Client, installation: Installation, tmp_path: Path
) -> None:
    agreed = settle_in(serving, "anna")
    request = ask(serving, "anna")
    assert decided(serving, "anna") == "deny", "contact stops with the receipt"
    plan = serving("GET", f"/v1/requests/{request}/plan")[1]
    assert (plan["state"], plan["steps"]) == ("clear", [])

    with running("work", env=installation.env):
        execute(serving, request)
        certificate = certified(serving, request)
    assert move(serving, request, "complete")[1]["state"] == "answered"
    assert move(serving, request, "close")[1]["subject"] is None

    place = tmp_path / "certificate.json"
    place.write_text(json.dumps(certificate))
    keys = keys_of(serving, tmp_path / "keys.txt")
    judged = typed("audit", "verify", "--keys", str(keys), str(place), env={})
    assert judged.exit_code == 0, judged.output
    assert f"stands for the erasure of request {request}" in judged.output
    whole = typed("audit", "verify", "--tenant", "acme", env=installation.env)
    assert whole.exit_code == 0, whole.output
    assert (decided(serving, "anna"), revealed(serving, "anna")) == ("deny", 410)
    assert serving("POST", "/v1/records", {"records": [agreed]})[0] == 410, "a replayed event stays gone"
    assert serving("PUT", "/v1/vault/anne/email", {"value": "ANNA@mail.example"})[0] == 409


def test_the_runbook_finds_out_what_keeps_an_erasure(
    serving: Client, installation: Installation, tmp_path: Path
) -> None:
    settle_in(serving, "bea")
    request = ask(serving, "bea")
    look, take, judge = shown_in("erasure-stuck.md")

    def followed(command: list[str]) -> str:
        changed = {"01939b66-0000-7000-8000-00000000e001": request, "example-shop": "acme"}
        files = {name: str(tmp_path / name) for name in ("certificate.json", "keys.txt")}
        done = typed(*((changed | files).get(word, word) for word in command), env=installation.env)
        assert done.exit_code == 0, done.output
        return done.stdout

    execute(serving, request)
    assert serving("PUT", "/v1/audit/holds/order-1", {"reason": "contract", "subject": "bea"})[0] == 201
    with running("work", env=installation.env) as worker:
        assert "held   contract order-1" in followed(look)
        sleep(2)
        assert serving("GET", f"/v1/requests/{request}/plan")[1]["steps"] == []
        worker.stop(15)
    assert serving("DELETE", "/v1/audit/holds/order-1")[0] == 200
    with running("work", env=installation.env):
        certified(serving, request)
    assert "done   certified" in followed(look)
    followed(take)
    keys_of(serving, tmp_path / "keys.txt")
    assert f"request {request}" in followed(judge)
