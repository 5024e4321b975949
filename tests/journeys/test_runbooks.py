"""What the runbooks tell an operator to do does what they say."""

import asyncio
import json
import re
import time
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from service import given, operations
from service.kernel import Caller, SubjectId, TenantId
from service.root_keys import guarded_root_keys, root_keys, root_uses
from service.settings import Settings
from service.vault import OpenValues
from service.vault.domain import Unreadable
from service.vault.envelope import seal, unseal
from service.vault.fields import BUILT_IN, Name
from service.vault.keys import Keys
from service.vault.values import Write
from service.vault.writing import WriteValues
from tests.builders import a_record_body
from tests.journeys.commands import RUNBOOKS, typed
from tests.journeys.commands import shown_in as commands
from tests.journeys.conftest import Installation
from tests.journeys.processes import Client, running

ACME = TenantId("acme")
VALUES = {f"s{number}": f"a{number}@mail.example" for number in range(5)}


def ring(installation: Installation) -> Path:
    return Path(installation.env["VOLENS_DATA_DIR"]) / "root.keys"


def settings(installation: Installation) -> Settings:
    return Settings(data_dir=installation.env["VOLENS_DATA_DIR"])


async def fill(installation: Installation) -> None:
    by = Caller(tenant=ACME, actor="crm", request="req-1")
    async with operations.transactions(installation.urls.app) as begin:
        async with guarded_root_keys(settings(installation), root_uses(begin)) as root:
            keys = Keys(root, begin, given.utc_now, keep=timedelta())
            email = BUILT_IN["email"]
            await WriteValues(begin, keys, seal, given.utc_now)(
                ACME,
                [
                    Write(subject=SubjectId(who), name=Name("email"), field=email, value=value, by=by)
                    for who, value in VALUES.items()
                ],
            )


async def read(installation: Installation) -> dict[str, str]:
    """Return what opens for a process that has just started."""
    async with operations.transactions(installation.urls.app) as begin:
        async with root_keys(settings(installation), make=False) as root:
            keys = Keys(root, begin, given.utc_now, keep=timedelta())
            async with begin(ACME) as tx:
                handles = {who: await tx.subjects.handle_of(SubjectId(who)) for who in VALUES}
            opened = await OpenValues(begin, keys, unseal, given.utc_now)(
                ACME, {handle: ["email"] for handle in handles.values() if handle}
            )
    return {
        who: opened.values[handle]["email"].value
        for who, handle in handles.items()
        if handle and "email" in opened.values[handle]
    }


@pytest.fixture
def filled(installation: Installation) -> Installation:
    """A vault with values, and processes that remember no key."""
    installation.env["VOLENS_VAULT_KEY_CACHE_SECONDS"] = "0"
    asyncio.run(fill(installation))
    return installation


def test_keys_are_replaced_as_the_runbook_says(filled: Installation, monkeypatch: pytest.MonkeyPatch):
    from service import rotation

    monkeypatch.setattr(rotation, "MARGIN", timedelta(seconds=1))
    for command in commands("key-rotation.md"):
        result = typed(*command, env=filled.env)
        assert result.exit_code == 0, result.output
    shown = json.loads(typed("keys", "status", "--json", env=filled.env).stdout)
    [acme] = shown["tenants"]

    assert [use["version"] for use in shown["roots"]] == [shown["current"]]
    versions = {(key["purpose"], key["field"]): key["version"] for key in acme["keys"]}
    assert len(versions) == len(acme["keys"]), "of each key one version"
    assert versions[("tenant_key", "")] == versions[("index_key", "email")] == 2
    assert asyncio.run(read(filled)) == VALUES


def test_after_a_compromise_the_stolen_root_key_opens_nothing_and_can_go(
    filled: Installation, monkeypatch: pytest.MonkeyPatch
):
    from service import rotation

    monkeypatch.setattr(rotation, "MARGIN", timedelta(seconds=1))
    stolen = ring(filled).read_bytes()
    for command in commands("key-compromise.md"):
        assert typed(*command, env=filled.env).exit_code == 0
    mine = json.loads(ring(filled).read_bytes())
    mine["keys"] = {mine["current"]: mine["keys"][mine["current"]]}
    ring(filled).write_text(json.dumps(mine))
    assert typed("keys", "status", env=filled.env).exit_code == 0
    assert asyncio.run(read(filled)) == VALUES

    ring(filled).write_bytes(stolen)
    with pytest.raises(Unreadable):
        asyncio.run(read(filled))
    ring(filled).write_text(json.dumps(mine))


def test_a_file_that_is_put_back_or_joined_opens_everything(filled: Installation):
    backup = ring(filled).read_bytes()
    ring(filled).unlink()
    assert "which is not there" in typed("keys", "status", env=filled.env).stdout
    ring(filled).write_text(json.dumps({"format": "volens.ring/1", "current": "b", "keys": {"b": "00" * 32}}))
    ring(filled).chmod(0o600)
    assert "which this ring does not have" in typed("keys", "status", env=filled.env).stdout

    mine, others = json.loads(backup), json.loads(ring(filled).read_bytes())
    others["keys"] |= mine["keys"]
    ring(filled).write_text(json.dumps(others))
    assert typed("keys", "status", env=filled.env).exit_code == 0
    assert asyncio.run(read(filled)) == VALUES
    ring(filled).write_bytes(backup)


def test_backups_without_subject_keys_open_nothing_and_with_them_everything(filled: Installation):
    with psycopg.connect(filled.urls.admin, autocommit=True) as database:
        database.execute("CREATE TABLE short_lived AS SELECT * FROM vault_subject_key")
        database.execute("TRUNCATE vault_subject_key")
        with pytest.raises(Unreadable):
            asyncio.run(read(filled))
        database.execute("INSERT INTO vault_subject_key SELECT * FROM short_lived")
        database.execute("DROP TABLE short_lived")

    assert asyncio.run(read(filled)) == VALUES


def test_after_a_total_loss_the_vault_begins_anew(filled: Installation):
    [start_over] = re.findall(r"```sql\n(.*?)```", (RUNBOOKS / "lost-ring.md").read_text(), flags=re.DOTALL)
    ring(filled).unlink()
    with psycopg.connect(filled.urls.owner, autocommit=True) as owner:
        owner.execute(start_over)
        tables = {
            name
            for (name,) in owner.execute(
                r"SELECT relname FROM pg_class WHERE relname LIKE 'vault\_%' AND relkind = 'r'"
            )
        }
    kept = {"vault_field", "vault_import"}  # what fields there are, and how far imports got: no key and no value
    assert {*re.findall(r"vault_\w+", start_over)} == tables - kept

    asyncio.run(fill(filled))
    assert ring(filled).exists()
    assert asyncio.run(read(filled)) == VALUES


def signed_receipts(installation: Installation, record: str) -> tuple[int, str, str]:
    """Return what a process that has just started answers: the status, the receipt, the public keys."""
    with running("serve", "--port", "0", env=installation.env) as service, running("work", env=installation.env):
        client = Client(service.url, installation.token)
        status, receipt = client("GET", f"/v1/records/{record}/receipt")
        while status == 409:
            time.sleep(0.1)
            status, receipt = client("GET", f"/v1/records/{record}/receipt")
        _, keys = client("GET", "/.well-known/volens/log-keys?tenant=acme")
        client.close()
    return status, json.dumps(receipt), "".join(f"{key['verifier_key']}\n" for key in keys["keys"])


def test_a_lost_file_of_receipt_keys_is_replaced_by_an_operator_alone_and_old_receipts_stay_good(
    installation: Installation, tmp_path: Path
):
    place = Path(installation.env["VOLENS_DATA_DIR"]) / "receipts.keys"
    with running("serve", "--port", "0", env=installation.env) as service:
        client = Client(service.url, installation.token)
        body = a_record_body(subject="anna")
        assert client("POST", "/v1/records", {"records": [body]})[0] == 201
        client.close()
    _, before, _ = signed_receipts(installation, body["id"])
    backup = place.read_bytes()

    place.unlink()
    status, _, _ = signed_receipts(installation, body["id"])
    assert (status, place.exists()) == (503, False)
    make_another, add_one = commands("lost-receipt-keys.md")
    assert "--lost" in make_another
    assert typed(*add_one, env=installation.env).exit_code == 1
    assert typed(*make_another, env=installation.env).exit_code == 0
    assert typed(*make_another, env=installation.env).exit_code == 1, "a file that counts is not replaced"
    _, after, keys = signed_receipts(installation, body["id"])
    assert typed(*add_one, env=installation.env).exit_code == 0
    _, later, keys = signed_receipts(installation, body["id"])

    (tmp_path / "keys").write_text(keys)
    for number, receipt in enumerate((before, after, later)):
        file = tmp_path / f"{number}.json"
        file.write_text(receipt)
        judged = typed("audit", "verify", "--keys", str(tmp_path / "keys"), str(file), env=installation.env)
        assert judged.exit_code == 0, judged.output
    assert len({json.loads(receipt)["receipt"].partition(".")[0] for receipt in (before, after, later)}) == 3

    place.write_bytes(backup)
    assert signed_receipts(installation, body["id"])[0] == 503, "the copy that turns up later signs no more"
