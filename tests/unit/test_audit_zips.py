"""Packs as files: whatever byte of the ZIP was changed, the verifier says so or what is in it is what it was."""

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.audit.verify import main
from tests.audited import KEY_LINES, a_log, a_manifest, a_proof

LOG = a_log(9)
MEMBERS = {
    "HOW-TO-VERIFY.md": b"# How to\n",
    "keys": KEY_LINES.encode(),
    "export.ndjson": LOG.export(),
    "entry.tlog-proof": a_proof(7, 9, LOG).encode(),
}


def a_zip(method: int) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as pack:
        for name, held in {**MEMBERS, "manifest": a_manifest(MEMBERS)}.items():
            pack.writestr(name, held)
    return content.getvalue()


ZIPS = [a_zip(zipfile.ZIP_STORED), a_zip(zipfile.ZIP_DEFLATED)]
DIRECTORY = ZIPS[1].index(b"PK\x01\x02")
NAME = 46
"""Where a name begins in an entry of the directory; encrypted, method and version are before it."""


def inside(content: bytes) -> dict[str, bytes]:
    """Return what is in a ZIP, whatever its checksums say."""
    held = {}
    with zipfile.ZipFile(io.BytesIO(content)) as pack:
        for member in pack.infolist():
            with pack.open(member) as file:
                file._expected_crc = None
                held[member.filename] = file.read()
    return held


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("zips")
    (path / "keys").write_text(KEY_LINES)
    return path


@settings(deadline=None, max_examples=400)
@given(st.sampled_from(ZIPS), st.data())
def test_whatever_byte_of_a_zip_is_changed_it_is_said_or_changes_nothing(
    folder: Path, pack: bytes, data: st.DataObject
):
    content = bytearray(pack)
    place = data.draw(st.integers(0, len(content) - 1) | st.integers(pack.index(b"PK\x01\x02"), len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    (folder / "pack.zip").write_bytes(content)
    keys = data.draw(st.sampled_from([["--keys", str(folder / "keys")], []]))

    code = main([*keys, str(folder / "pack.zip")])

    assert code in (0, 1, 2)
    assert code or inside(bytes(content)) == inside(pack)


def test_a_changed_byte_is_found_by_the_proof_and_not_by_the_checksum(folder: Path, capsys: pytest.CaptureFixture[str]):
    content = bytearray(ZIPS[0])
    content[content.index(b'"r-3"') + 3] ^= 1
    (folder / "pack.zip").write_bytes(content)

    assert main(["--keys", str(folder / "keys"), str(folder / "pack.zip")]) == 1
    wrong = [line.partition("pack.zip, ")[2] for line in capsys.readouterr().out.splitlines() if line[:5] == "WRONG"]
    assert [line.split(": ")[:2] for line in wrong] == [["export.ndjson", "MEMBER"], ["export.ndjson, entry 3", "LEAF"]]


@pytest.mark.parametrize(
    ("at", "byte", "code"),
    [
        pytest.param(6, 65, 2, id="of a version that nobody has"),
        pytest.param(8, 1, 1, id="encrypted"),
        pytest.param(10, 12, 1, id="packed by bzip2"),
        pytest.param(10, 14, 1, id="packed by LZMA"),
        pytest.param(10, 99, 1, id="packed by a method that nobody has"),
    ],
)
def test_what_cannot_be_unpacked_is_named(
    folder: Path, at: int, byte: int, code: int, capsys: pytest.CaptureFixture[str]
):
    content = bytearray(ZIPS[1])
    content[DIRECTORY + at] = byte
    (folder / "pack.zip").write_bytes(content)

    assert main(["--keys", str(folder / "keys"), str(folder / "pack.zip")]) == code
    said = capsys.readouterr()
    assert "pack.zip, HOW-TO-VERIFY.md: FORMAT: " in said.out or "can't verify: " in said.err


@pytest.mark.parametrize("change", [(10, 14), (8, 1)])
def test_keys_that_cannot_be_unpacked_are_no_keys(
    folder: Path, change: tuple[int, int], capsys: pytest.CaptureFixture[str]
):
    content = bytearray(ZIPS[1])
    at, byte = change
    content[content.index(b"keys", DIRECTORY) - NAME + at] = byte
    (folder / "pack.zip").write_bytes(content)

    assert main([str(folder / "pack.zip")]) == 2
    assert "can't verify: " in capsys.readouterr().err


def test_keys_whose_packed_bytes_were_changed_are_no_keys(folder: Path, capsys: pytest.CaptureFixture[str]):
    content = bytearray(ZIPS[1])
    start = content.index(b"keys") + 4
    content[start : start + 60] = b"\xff" * 60
    (folder / "pack.zip").write_bytes(content)

    assert main([str(folder / "pack.zip")]) == 2
    assert "can't verify: " in capsys.readouterr().err
