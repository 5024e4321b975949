"""Witnesses, anchors and time-stamps over real processes: what an operator sets up, and what an auditor finds."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import Result

from service.audit.log_keys import FILE, LogKeys
from service.audit.notes import LOG, Checkpoint, Key
from service.audit.signing import checkpoint_text, signed, verifier_key
from tests.journeys.commands import typed
from tests.journeys.conftest import Installation
from tests.journeys.processes import Client, environment, running, volens
from tests.journeys.test_audit import decide, until
from tests.timestamping import Authority, served
from tests.witnessing import go_witness, policy_text

ORIGIN = "volens.example/acme"


def verify(env: Mapping[str, str], *arguments: str) -> Result:
    return typed("audit", "verify", *arguments, env=env)


def anchor(installation: Installation, *arguments: str) -> Result:
    return typed("audit", "anchor", *arguments, env=installation.env)


@pytest.fixture(scope="module")
def log_key(installation: Installation) -> str:
    """The verifier key of the log, which a witness has to know before it is asked."""
    keys = LogKeys.open(Path(installation.env["VOLENS_DATA_DIR"]) / FILE, make=True)
    return verifier_key(Key(ORIGIN, LOG, keys.public[-1]))


def test_what_the_log_signs_is_cosigned_stamped_and_anchored_and_an_auditor_verifies_all_of_it(
    installation: Installation, log_key: str, tmp_path: Path
):
    authority = Authority(tmp_path / "authority")
    (tmp_path / "keys").write_text(f"{log_key}\n")
    with go_witness(log_key) as witness, served(authority) as tsa:
        (tmp_path / "policy").write_text(policy_text(witness))
        env = dict(installation.env) | {
            "VOLENS_WITNESSES_PATH": str(tmp_path / "policy"),
            "VOLENS_WITNESS_SECONDS": "1",
            "VOLENS_TSA_URL": tsa,
            "VOLENS_TSA_ROOTS_PATH": str(authority.roots),
        }
        with running("serve", "--port", "0", env=env) as service, running("work", env=env):
            decision = decide(service, installation.token)
            client = Client(service.url, installation.token)

            def proof() -> str | None:
                cosigned = client.text("/v1/audit/checkpoint?cosigners=1")
                if "\n— " not in cosigned:
                    return None
                size = Checkpoint.parse(cosigned).size
                text = client.text(f"/v1/audit/proofs/inclusion?decision={decision}&size={size}")
                return text if text.startswith("c2sp.org/") else None

            def stamp() -> Any:
                status, answer = client("GET", "/v1/audit/timestamp")
                return answer if status == 200 else None

            (tmp_path / "proof").write_text(until(proof))
            (tmp_path / "stamp").write_text(json.dumps(until(stamp)))
            client.close()
    told = anchor(installation, "--to", f"{tmp_path}/elsewhere/", "--json")
    nowhere = environment(tmp_path / "nowhere")
    anchors = tmp_path / "elsewhere" / "acme.anchors"
    trusted = ("--keys", str(tmp_path / "keys"), "--anchor", str(anchors), "--witnesses", str(tmp_path / "policy"))

    held = verify(nowhere, *trusted, str(tmp_path / "proof"))
    stamped = verify(nowhere, *trusted, "--tsa-roots", str(authority.roots), str(tmp_path / "stamp"))
    unbelieved = verify(nowhere, *trusted, str(tmp_path / "stamp"))
    (tmp_path / "proof").write_text("".join((tmp_path / "proof").read_text().splitlines(keepends=True)[:-1]))
    unwitnessed = verify(nowhere, *trusted, str(tmp_path / "proof"))

    assert [each["added"] for each in json.loads(told.stdout)] == [True]
    assert (held.exit_code, "2 proved, 0 wrong" in held.stdout) == (0, True), held.stdout
    assert (stamped.exit_code, "had signed a tree of" in stamped.stdout) == (0, True), stamped.stdout
    assert (unbelieved.exit_code, "TIMESTAMP" in unbelieved.stdout) == (1, True)
    assert (unwitnessed.exit_code, "UNWITNESSED" in unwitnessed.stdout) == (1, True)


def test_a_database_that_forked_from_its_anchors_is_found_and_not_anchored(
    installation: Installation, log_key: str, tmp_path: Path
):
    with running("serve", "--port", "0", env=installation.env) as service, running("work", env=installation.env):
        decide(service, installation.token)
        until(lambda: "checkpoints, 0 waiting" in verify(installation.env).stdout)
    anchors = tmp_path / "acme.anchors"
    anchor(installation, "--tenant", "acme", "--to", str(anchors))
    again = anchor(installation, "--tenant", "acme", "--to", str(anchors))
    assert "anchored before" in again.stdout
    assert verify(installation.env, "--anchor", str(anchors)).exit_code == 0
    [line] = anchors.read_bytes().splitlines()
    size = Checkpoint.parse(json.loads(line)["checkpoint"]).size
    keys = LogKeys.open(Path(installation.env["VOLENS_DATA_DIR"]) / FILE, make=False)

    def forged(size: int) -> str:
        note = signed(checkpoint_text(ORIGIN, size, bytes(32)), [keys.signer(ORIGIN)])
        return json.dumps(json.loads(line) | {"checkpoint": note}) + "\n"

    for text, words in (
        (forged(size), "another tree of"),
        (forged(size + 1), "and the database has one of"),
    ):
        anchors.write_text(text)
        found = verify(installation.env, "--anchor", str(anchors))
        refused = anchor(installation, "--to", str(anchors))
        assert (found.exit_code, words in found.stdout) == (1, True), found.stdout
        assert (refused.exit_code, "nothing was added" in refused.stderr) == (1, True)
        assert anchors.read_text() == text
    anchors.write_text(line.decode().replace(":", " :", 1).replace("\\n", "\\n\\n", 1) + "\n")
    broken = verify(installation.env, "--anchor", str(anchors))
    assert (broken.exit_code, "line 1" in broken.stderr) == (1, True)


def test_a_worker_with_a_policy_that_is_none_does_not_start(installation: Installation, tmp_path: Path):
    (tmp_path / "policy").write_text("quorum nobody\n")

    told = volens("work", env=dict(installation.env) | {"VOLENS_WITNESSES_PATH": str(tmp_path / "policy")}, check=False)

    assert told.returncode == 1
    assert "holds no policy of witnesses: line 1" in told.stderr


def test_the_application_adds_nothing_to_what_others_said(installation: Installation):
    with psycopg.connect(installation.urls.app) as app, pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute("INSERT INTO audit_timestamp (tenant, size, token, at) VALUES ('acme', 1, '', now())")
