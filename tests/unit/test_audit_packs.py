"""Files and packs; and the verifier as one file, on a machine that has only Python."""

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from service.audit.evidence import receipt_text
from service.audit.signing import verifier_key
from service.audit.standalone import verifier
from service.audit.verify import main
from tests.audited import (
    KEY_LINES,
    a_consistency,
    a_log,
    a_manifest,
    a_proof,
    a_receipt,
    a_signer,
)

LOG = a_log(300)
EVIDENCE = {
    "checkpoint": LOG.checkpoint().encode(),
    "entry.tlog-proof": a_proof(7, 300, LOG).encode(),
    "consistency.json": a_consistency(100, 300, LOG).encode(),
    "receipt.json": receipt_text(a_receipt(LOG.entries[7]), a_proof(7, 300, LOG)).encode(),
    "entries.ndjson": LOG.export(),
    "part.ndjson": LOG.export(100, 200, LOG.checkpoint(250)),
}

PACK = EVIDENCE | {"keys": KEY_LINES.encode(), "index.html": b"<p>a page</p>", "x.bin": b"\xff"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in EVIDENCE.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "keys").write_text(KEY_LINES)
    (tmp_path / "verify.py").write_text(verifier())
    packed(tmp_path / "pack.zip", PACK | {"manifest": a_manifest(PACK)})
    return tmp_path


def packed(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "w", method) as pack:
        for name, content in members.items():
            pack.writestr(name, content)


def alone(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the one file with nothing but the standard library."""
    return subprocess.run(
        [sys.executable, "-I", "-S", "verify.py", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def test_a_machine_with_only_python_verifies_everything(folder: Path):
    ran = alone(folder, "--keys", "keys", "--known", "checkpoint", *EVIDENCE.keys() - {"part.ndjson"})

    assert ran.stderr == ""
    assert ran.stdout.endswith("5 proved, 0 wrong\n")
    assert ran.returncode == 0


def test_a_machine_with_only_python_verifies_a_pack(folder: Path):
    ran = alone(folder, "pack.zip")

    assert "on the word of the pack alone" in ran.stdout
    assert "its 9 members are those that the log signed for" in ran.stdout
    assert ran.stdout.endswith("7 proved, 0 wrong\n")
    assert ran.returncode == 0


def test_a_flipped_byte_in_a_pack_is_found_with_its_place(folder: Path):
    packed(folder / "stored.zip", EVIDENCE, zipfile.ZIP_STORED)
    content = bytearray((folder / "stored.zip").read_bytes())
    content[content.index(b'"r-123"', content.index(b"entries.ndjson")) + 3] ^= 1
    (folder / "stored.zip").write_bytes(content)
    ran = alone(folder, "--keys", "keys", "stored.zip")

    assert "WRONG   stored.zip, entries.ndjson, entry 123: LEAF: " in ran.stdout
    assert ran.stdout.endswith("5 proved, 1 wrong\n")
    assert ran.returncode == 1


def test_a_member_that_cannot_be_unpacked_is_named(folder: Path, capsys: pytest.CaptureFixture[str]):
    content = bytearray((folder / "pack.zip").read_bytes())
    start = content.index(b"entries.ndjson") + 200
    content[start : start + 300] = bytes(300)
    (folder / "broken.zip").write_bytes(content)

    assert main(["--keys", str(folder / "keys"), str(folder / "broken.zip")]) == 1
    assert "broken.zip, entries.ndjson: FORMAT" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_one_too_many(folder: Path, capsys: pytest.CaptureFixture[str]):
    with zipfile.ZipFile(folder / "pack.zip", "a") as pack:
        pack.writestr("checkpoint", EVIDENCE["checkpoint"])

    assert main([str(folder / "pack.zip")]) == 1
    assert "pack.zip, checkpoint: FORMAT" in capsys.readouterr().out


def test_keys_that_are_given_are_believed_and_not_the_pack(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "others").write_text(verifier_key(a_signer(seed=66).key) + "\n")

    assert main(["--keys", str(folder / "others"), str(folder / "pack.zip")]) == 1
    assert capsys.readouterr().out.count(": UNKNOWN_KEY: ") == 7


def test_the_whole_can_be_asked_for(folder: Path, capsys: pytest.CaptureFixture[str]):
    keys = ["--keys", str(folder / "keys")]

    assert main([*keys, str(folder / "part.ndjson")]) == 0
    assert main([*keys, "--whole", str(folder / "entries.ndjson")]) == 0
    capsys.readouterr()
    assert main([*keys, "--whole", str(folder / "part.ndjson")]) == 1
    assert "RANGE_INCOMPLETE" in capsys.readouterr().out


def test_what_is_no_evidence_proves_nothing(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "page.html").write_text("<p>a page</p>")
    packed(folder / "empty.zip", {"index.html": b"<p>a page</p>"})
    (folder / "latin").write_bytes(EVIDENCE["checkpoint"].replace("—".encode(), b"\xff"))

    for name in ("page.html", "empty.zip", "latin"):
        assert main(["--keys", str(folder / "keys"), str(folder / name)]) == 1
    assert capsys.readouterr().out.count(": FORMAT: ") == 2


def test_what_is_larger_than_any_honest_piece_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]):
    largest = EVIDENCE["consistency.json"].ljust(1 << 24)
    packed(folder / "large.zip", {"keys": KEY_LINES.encode(), "a.json": largest, "b.json": largest + b" "})
    (folder / "many").write_text(KEY_LINES + "\n" * (1 << 24))

    assert main([str(folder / "large.zip")]) == 1
    said = capsys.readouterr().out
    assert "large.zip, a.json: the 100 entries" in said
    assert "large.zip, b.json: FORMAT: not in the format; too large" in said
    assert main(["--keys", str(folder / "many"), str(folder / "checkpoint")]) == 2


def test_what_cannot_be_read_is_said(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "nonsense").write_text("nonsense\n")

    assert main([str(folder / "absent")]) == 2
    assert main(["--keys", str(folder / "nonsense"), str(folder / "pack.zip")]) == 2
    assert capsys.readouterr().err.count("can't verify: ") == 2


def test_evidence_does_not_steer_the_terminal(folder: Path, capsys: pytest.CaptureFixture[str]):
    packed(folder / "pack.zip", {"\x1b[2Jcheckpoint\u202e": EVIDENCE["checkpoint"], "keys": KEY_LINES.encode()})

    assert main([str(folder / "pack.zip")]) == 0
    assert "\\x1b[2Jcheckpoint\\u202e" in capsys.readouterr().out


# --- the one file -----------------------------------------------------------------------------


def test_the_one_file_imports_the_standard_library_alone():
    imported = set()
    for node in ast.walk(ast.parse(verifier(), feature_version=(3, 9))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(str(node.module))

    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names


def test_no_name_in_the_one_file_means_two_things():
    names: list[str] = []
    for node in ast.parse(verifier()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names += [ast.unparse(target) for target in targets]

    assert len(names) == len(set(names))
