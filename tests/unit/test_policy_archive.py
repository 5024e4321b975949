"""Only an archive whose revision is the hash of its content is a policy."""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from service.policies import archive
from service.policies.archive import NoPolicy, read_archive, read_folder
from tests.journeys.packed import packed_again

REGO = b'package volens\n\n# a comment names {"rule": "XX-COM-01"}\ndeny contains {"rule": "EU-EPD-01", "stage": 10}\n'
DATA = b'{"volens":{}}\n'


def revision_of(content: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, body in sorted(content.items()):
        digest.update(f"{name}\0{len(body)}\0".encode() + body)
    return f"sha256:{digest.hexdigest()}"


def built(*, rego: bytes = REGO, **changes: bytes) -> dict[str, bytes]:
    """Return the files of a policy that is whole, but for the changes (`policy_wasm` is `policy.wasm`)."""
    content = {"volens/deny.rego": rego, "data.json": DATA}
    revision = revision_of(content)
    manifest = json.dumps({"revision": revision, "roots": ["volens"]}).encode()
    files = {
        "bundle.tar.gz": packed_again({"/.manifest": manifest, **content}),
        "data.json": DATA,
        "policy.wasm": b"\0asm",
        "revision": f"{revision}\n".encode(),
        "rules.json": b'[{"id": "EU-EPD-01", "title": "Electronic mail needs prior consent"}]',
    }
    return files | {name.replace("_", ".", 1).replace("_", "."): content for name, content in changes.items()}


def written(folder: Path, files: dict[str, bytes]) -> Path:
    file = folder / "policy.tar.gz"
    file.write_bytes(packed_again(files))
    return file


def test_a_whole_archive_is_a_policy(tmp_path: Path):
    files = built()
    read = read_archive(written(tmp_path, files))

    assert read.artefacts.revision == files["revision"].decode().strip()
    assert (read.artefacts.module, read.artefacts.data) == (files["policy.wasm"], DATA)
    assert read.bundle == files["bundle.tar.gz"]


def test_a_folder_with_the_same_files_is_the_same_policy(tmp_path: Path):
    files = built()
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)

    assert read_folder(tmp_path) == read_archive(written(tmp_path, files))


def test_a_rule_that_only_a_comment_names_needs_no_explanation(tmp_path: Path):
    assert b"XX-COM-01" in REGO
    read_archive(written(tmp_path, built()))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"revision": b"sha256:" + b"0" * 64}, "not the hash of the content"),
        ({"revision": b"\xff"}, "can't be read"),
        ({"data_json": b'{"volens":{"more":1}}\n'}, "not those of the bundle"),
        ({"rules_json": b'[{"id": "DE-UWG-01"}]'}, "nothing explains: EU-EPD-01"),
        ({"rules_json": b"{}"}, "can't be read"),
        ({"bundle_tar_gz": b"no bundle"}, "the bundle is no archive"),
        ({"bundle_tar_gz": packed_again({"data.json": DATA})}, "can't be read"),
        ({"malice_sh": b"echo"}, "the archive holds other files than"),
    ],
    ids=["revision", "unreadable", "data", "rules", "no rules", "no bundle", "half a bundle", "more"],
)
def test_what_is_not_whole_is_no_policy(tmp_path: Path, changes: dict[str, Any], said: str):
    with pytest.raises(NoPolicy, match=said):
        read_archive(written(tmp_path, built(**changes)))


def test_a_changed_rule_under_the_old_revision_is_no_policy(tmp_path: Path):
    files = built()
    content = {"volens/deny.rego": REGO.replace(b"deny", b"note"), "data.json": DATA}
    manifest = json.dumps({"revision": files["revision"].decode().strip()}).encode()

    with pytest.raises(NoPolicy, match="not the hash"):
        read_archive(written(tmp_path, files | {"bundle.tar.gz": packed_again({".manifest": manifest, **content})}))


def test_whatever_byte_is_lost_the_archive_is_no_policy(tmp_path: Path):
    file = written(tmp_path, built())
    whole = file.read_bytes()
    for end in range(0, len(whole), 37):
        file.write_bytes(whole[:end])
        with pytest.raises(NoPolicy):
            read_archive(file)


def test_an_archive_that_unpacks_to_more_than_a_policy_can_be_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(archive, "LARGEST", 1000)

    with pytest.raises(NoPolicy, match="larger than a policy can be"):
        read_archive(written(tmp_path, built(policy_wasm=bytes(5000))))


def test_links_and_folders_in_an_archive_are_no_files(tmp_path: Path):
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as packed:
        link = tarfile.TarInfo("policy.wasm")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        packed.addfile(link)
    (tmp_path / "policy.tar.gz").write_bytes(target.getvalue())

    with pytest.raises(NoPolicy):
        read_archive(tmp_path / "policy.tar.gz")
