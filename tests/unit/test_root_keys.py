"""The settings choose the key ring."""

from pathlib import Path

import pytest

from service.kernel import TenantId
from service.root_keys import root_keys
from service.settings import read
from service.vault.domain import KeyContext, KeyPurpose, RingUnavailable
from service.vault.ring_aws import AwsRing
from service.vault.ring_file import FileRing
from service.vault.ring_transit import TransitRing

CONTEXT = KeyContext(tenant=TenantId("acme"), purpose=KeyPurpose.TENANT, version=1)


def files(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


async def test_without_settings_the_ring_is_a_file_in_the_data_folder(tmp_path: Path):
    data = tmp_path / "data"
    async with root_keys(read({"VOLENS_DATA_DIR": str(data)})) as ring:
        wrapped = await ring.wrap(b"k" * 32, CONTEXT)
    async with root_keys(read({"VOLENS_DATA_DIR": str(data)})) as ring:
        assert await ring.unwrap(wrapped, CONTEXT) == b"k" * 32

    assert isinstance(ring, FileRing)
    assert files(data) == ["root.keys"]


async def test_the_file_can_lie_elsewhere(tmp_path: Path):
    place = tmp_path / "safe" / "ring"
    async with root_keys(read({"VOLENS_DATA_DIR": str(tmp_path / "data"), "VOLENS_KEY_RING_PATH": str(place)})):
        assert place.exists()
    assert not (tmp_path / "data").exists()


async def test_a_file_that_others_can_read_is_refused(tmp_path: Path):
    (tmp_path / "root.keys").write_text("{}")
    (tmp_path / "root.keys").chmod(0o644)

    with pytest.raises(RingUnavailable, match="0600"):
        async with root_keys(read({"VOLENS_DATA_DIR": str(tmp_path)})):
            pass


async def test_a_ring_elsewhere_is_not_asked_until_it_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    remote = {
        "VOLENS_DATA_DIR": str(tmp_path),
        "VOLENS_KEY_RING_URL": "https://nobody.example",
        "VOLENS_KEY_RING_KEY": "volens",
    }
    async with root_keys(read({**remote, "VOLENS_KEY_RING": "transit", "VOLENS_KEY_RING_TOKEN": "t"})) as ring:
        assert isinstance(ring, TransitRing)
    async with root_keys(read({**remote, "VOLENS_KEY_RING": "aws-kms"})) as ring:
        assert isinstance(ring, AwsRing)
    assert files(tmp_path) == []
