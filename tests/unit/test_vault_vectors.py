"""The bytes of the vault, fixed. Whoever changes the format finds out here, and gives it a new version instead.

The vectors were made from the docstrings of `envelope` and `ring_file` by a script that imports neither.
"""

import json
from pathlib import Path
from uuid import UUID

import pytest

from service.kernel import Handle, TenantId
from service.vault.domain import KeyContext, KeyPurpose, Secret, Slot, SubjectKey, TenantKey, Wrapped
from service.vault.envelope import seal, unseal, unwrap_subject_key, wrap_subject_key
from service.vault.ring_file import FileRing

VECTORS = json.loads((Path(__file__).parent / "vault_vectors.json").read_text())
FROM_HEX = bytes.fromhex


@pytest.fixture
def nonce(monkeypatch):
    """Make the next nonce that of a vector."""

    def fix(vector):
        monkeypatch.setattr("service.vault.envelope.os.urandom", lambda size: FROM_HEX(vector["nonce"])[:size])

    return fix


@pytest.mark.parametrize("vector", VECTORS["values"], ids=lambda vector: vector["sealed"][-8:])
def test_a_value_is_sealed_as_ever(vector, nonce):
    nonce(vector)
    key = SubjectKey(id=FROM_HEX(vector["key_id"]), secret=Secret(FROM_HEX(vector["key"])))
    slot = Slot(
        tenant=TenantId(vector["tenant"]),
        handle=Handle(UUID(vector["handle"])),
        field=vector["field"],
        label=vector["label"],
        version=vector["version"],
    )

    assert unseal(key, slot, FROM_HEX(vector["sealed"])) == vector["plaintext"].encode()
    assert seal(key, slot, vector["plaintext"].encode()).hex() == vector["sealed"]


@pytest.mark.parametrize("vector", VECTORS["subject_keys"], ids=lambda vector: vector["wrapped"][-8:])
def test_a_subject_key_is_wrapped_as_ever(vector, nonce):
    nonce(vector)
    by = TenantKey(
        tenant=TenantId(vector["tenant"]),
        version=vector["tenant_key_version"],
        secret=Secret(FROM_HEX(vector["tenant_key"])),
    )
    handle = Handle(UUID(vector["handle"]))
    key = unwrap_subject_key(by, handle, FROM_HEX(vector["key_id"]), FROM_HEX(vector["wrapped"]))

    assert key.secret.expose().hex() == vector["key"]
    assert wrap_subject_key(by, handle, key).hex() == vector["wrapped"]


@pytest.mark.parametrize("vector", VECTORS["file_ring"], ids=lambda vector: vector["purpose"])
async def test_a_ring_in_a_file_wraps_as_ever(vector, nonce, tmp_path):
    nonce(vector)
    place, version = tmp_path / "root.keys", vector["root_version"]
    place.write_text(json.dumps({"format": "volens.ring/1", "current": version, "keys": {version: vector["root_key"]}}))
    place.chmod(0o600)
    ring = FileRing.open(place)
    context = KeyContext(
        tenant=TenantId(vector["tenant"]),
        purpose=KeyPurpose(vector["purpose"]),
        version=vector["version"],
        field=vector["field"],
    )
    wrapped = Wrapped(ring="file", version=version, body=FROM_HEX(vector["wrapped"]))

    assert (await ring.unwrap(wrapped, context)).hex() == vector["key"]
    assert await ring.wrap(FROM_HEX(vector["key"]), context) == wrapped
