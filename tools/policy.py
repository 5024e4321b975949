"""Builds, tests and checks the policies. `make policy` and `make test` call it.

The artefacts come from `policies/` and the pinned OPA (`$OPA`, or tools/bin/opa) alone, byte for
byte the same on every machine: no clock, no file order, no compressor has a say. So does
`docs/policies.md`, which counts the cases in `tests/policy/cases` as well.
"""

import hashlib
import io
import os
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from tools import policy_docs

ROOT: Final = Path(__file__).parents[1]
POLICIES: Final = ROOT / "policies"
BUILD: Final = POLICIES / "build"
PAGE: Final = ROOT / "docs/policies.md"
CASES: Final = ROOT / "tests/policy/cases"
OPA: Final = os.environ.get("OPA", str(ROOT / "tools/bin/opa"))
ENTRYPOINTS: Final = ("volens/decision/verdict", "volens/decision/considered", "volens/overlay/refusals")
_RULE_KEYS: Final = ("citation", "stage", "confidence", "in_force")
_STORED_BLOCK: Final = 0xFFFF


class NoOpa(Exception):
    """There is no OPA to build with."""


def main(arguments: Sequence[str]) -> int:
    """Run `build`, `check`, `test`, or `pack` with the name of a file."""
    commands = {"build": build, "check": check, "test": test}
    try:
        match arguments:
            case ["pack", file]:
                return pack(Path(file))
            case [name] if name in commands:
                return commands[name]()
    except NoOpa as error:
        print(error, file=sys.stderr)
        return 3
    print(f"usage: policy.py {'|'.join(commands)}|pack FILE", file=sys.stderr)
    return 2


def build() -> int:
    """Write the artefacts to `policies/build`, and the page about the rules."""
    for file, content in _written().items():
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
    return 0


def pack(file: Path) -> int:
    """Write all artefacts, built from the sources as they are now, into one archive for `volens policy activate`."""
    built = artefacts()
    file.write_bytes(_gzip(_tar(built, root="")))
    print(built["revision"].decode().strip())
    return 0


def check() -> int:
    """Say which committed files differ from what their source makes."""
    stale = [file for file, content in _written().items() if _read(file) != content]
    for file in stale:
        print(f"{file.relative_to(ROOT)} is not what its source makes; run make policy", file=sys.stderr)
    return 1 if stale else 0


def test() -> int:
    """Run the Rego tests; every line of every rule must be covered."""
    with tempfile.TemporaryDirectory() as folder:
        _need_opa()
        loaded = [str(POLICIES / "volens"), str(POLICIES / "checks"), *_documents(Path(folder))]
        plain = subprocess.run([OPA, "test", *loaded], check=False)
        if plain.returncode:
            return plain.returncode
        report = msgspec.json.decode(_opa("test", "--coverage", "--format", "json", *loaded))
    missed = sorted(
        f"{Path(file).relative_to(POLICIES)}:{span['start']['row']}"
        for file, lines in report["files"].items()
        for span in lines.get("not_covered", ())
        if file.endswith(".rego")
    )
    print(f"coverage of rule lines: {report['coverage']:.2f} %")
    for line in missed:
        print(f"not covered: policies/{line}", file=sys.stderr)
    return 1 if missed else 0


def artefacts() -> dict[str, bytes]:
    """Return the content of every file of `policies/build` by its name."""
    sources = {str(file.relative_to(POLICIES)): file.read_bytes() for file in rules()}
    data = _json({"volens": tables()})
    content = {**sources, "data.json": data}
    revision = "sha256:" + _digest(content)
    manifest = _json({"revision": revision, "rego_version": 1, "roots": ["volens"]})
    return {
        "policy.wasm": _module(sources),
        "data.json": data,
        "bundle.tar.gz": _gzip(_tar({".manifest": manifest, **content})),
        "rules.json": _lines(described()),
        "revision": f"{revision}\n".encode(),
    }


def page() -> bytes:
    """Return the content of `docs/policies.md`."""
    tests = sorted((POLICIES / "volens").rglob("*_test.rego"))
    cases = [file for file in sorted(CASES.glob("*.jsonl")) if file.name != "shared.jsonl"]
    return policy_docs.page(catalogue(), annotations(), tests, cases)


def rules() -> Iterator[Path]:
    """Yield the Rego files that decide: no tests, no checks."""
    return (file for file in sorted((POLICIES / "volens").rglob("*.rego")) if not file.name.endswith("_test.rego"))


def tables() -> dict[str, Any]:
    """Return the data documents by name."""
    return {file.stem: msgspec.json.decode(file.read_bytes()) for file in sorted((POLICIES / "data").glob("*.json"))}


def catalogue() -> list[dict[str, Any]]:
    """Return the rules of the law, in Rego here or not."""
    rows: list[dict[str, Any]] = msgspec.json.decode((POLICIES / "catalogue.json").read_bytes())
    return rows


def described() -> list[dict[str, Any]]:
    """Return each rule of the law that some rule here is annotated with, once, where it first stands."""
    regimes = {rule["id"]: rule["regime"] for rule in catalogue()}
    found: dict[str, dict[str, Any]] = {}
    for entry in sorted(annotations(), key=lambda entry: (entry["location"]["file"], entry["location"]["row"])):
        annotation = entry["annotations"]
        custom = annotation.get("custom", {})
        if (rule := custom.get("id")) is None or rule in found:
            continue
        found[rule] = {
            "id": rule,
            "title": annotation["title"],
            "regime": regimes[rule],
            "file": "policies/" + entry["location"]["file"],
            "line": entry["location"]["row"],
            **{key: custom[key] for key in _RULE_KEYS if key in custom},
        }
    return [found[rule] for rule in sorted(found)]


def annotations() -> list[dict[str, Any]]:
    """Return what OPA reads out of the METADATA of the rules, files named from `policies/` on."""
    report = msgspec.json.decode(_opa("inspect", "-a", "-f", "json", "volens", cwd=POLICIES))
    entries: list[dict[str, Any]] = report["annotations"]
    return [entry for entry in entries if not entry["location"]["file"].endswith("_test.rego")]


def stated() -> Iterator[dict[str, Any]]:
    """Yield each reason that a rule states, an object with `rule` and `stage`, as it stands in the syntax."""
    for file in rules():
        tree = msgspec.json.decode(_opa("parse", "--format", "json", str(file)))
        package = ".".join(part["value"] for part in tree["package"]["path"][1:])
        for reason in _reasons(tree.get("rules", [])):
            yield {"package": package, **reason}


def _reasons(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if node.get("type") == "object":
            fields = {key["value"]: value for key, value in node["value"]}
            if {"rule", "stage"} <= fields.keys() and fields["rule"]["type"] == "string":
                yield {"rule": fields["rule"]["value"], "stage": fields["stage"]["value"]}
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _reasons(child)


def _written() -> dict[Path, bytes]:
    return {**{BUILD / name: content for name, content in artefacts().items()}, PAGE: page()}


def _documents(folder: Path) -> list[str]:
    """Write what tests and checks read besides the policies, and return the paths to load."""
    (folder / "data.json").write_bytes(
        _json(
            {
                "volens": tables(),
                "catalogue": catalogue(),
                "annotated": annotations(),
                "stated": list(stated()),
            }
        )
    )
    return [str(folder / "data.json")]


def _module(sources: Mapping[str, bytes]) -> bytes:
    """Compile the rules to WebAssembly. Base documents stay outside: the engine is given `data.json`."""
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "bundle.tar.gz"
        _opa(
            "build",
            "-t",
            "wasm",
            *(f"--entrypoint={each}" for each in ENTRYPOINTS),
            "-o",
            str(bundle),
            *sources,
            cwd=POLICIES,
        )
        with tarfile.open(bundle) as archive:
            module = archive.extractfile("/policy.wasm")
            if module is None:
                raise SystemExit("opa build made no module")
            return module.read()


def _tar(files: Mapping[str, bytes], root: str = "/") -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(root + name)
            entry.size, entry.mode, entry.mtime = len(content), 0o644, 0
            archive.addfile(entry, io.BytesIO(content))
    return target.getvalue()


def _gzip(content: bytes) -> bytes:
    """Wrap `content` in gzip without compressing it: compressors differ from machine to machine."""
    blocks = [content[start : start + _STORED_BLOCK] for start in range(0, len(content), _STORED_BLOCK)] or [b""]
    stored = b"".join(
        struct.pack("<BHH", block is blocks[-1], len(block), len(block) ^ 0xFFFF) + block for block in blocks
    )
    header = b"\x1f\x8b\x08\x00" + bytes(4) + b"\x00\xff"
    return header + stored + struct.pack("<II", zlib.crc32(content), len(content))


def _digest(content: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, body in sorted(content.items()):
        digest.update(f"{name}\0{len(body)}\0".encode() + body)
    return digest.hexdigest()


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value, order="sorted") + b"\n"


def _lines(entries: Sequence[dict[str, Any]]) -> bytes:
    return b"[\n" + b",\n".join(msgspec.json.encode(entry) for entry in entries) + b"\n]\n"


def _read(file: Path) -> bytes | None:
    return file.read_bytes() if file.exists() else None


def _need_opa() -> None:
    if shutil.which(OPA) is None:
        raise NoOpa(f"{OPA} is no program that can be run: `make opa` builds it, and OPA=/path/to/opa names another")


def _opa(*arguments: str, cwd: Path = ROOT) -> bytes:
    _need_opa()
    return subprocess.run([OPA, *arguments], cwd=cwd, check=True, stdout=subprocess.PIPE).stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
