"""Compiles candidate Rego: in a process of its own, with no more built-ins, time or memory than our law needs.

OPA sees one empty folder with the bundle in it and no environment. What it compiles runs as WebAssembly in this
process, where it reaches nothing, and is stopped when it takes too long.
"""

import io
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from service.kernel import DomainError, Unavailable
from service.trials.domain import CandidateRefused

SECONDS: Final = 20
"""Of computing, for each step. The whole law takes one."""
MEMORY: Final = 4 * 1024**3
"""Of addresses, which Go's runtime is generous with."""
_MOST: Final = 20
"""Faults that are told."""

_LIMITED: Final = f"""
import os, resource, sys
resource.setrlimit(resource.RLIMIT_CPU, ({SECONDS}, {SECONDS}))
resource.setrlimit(resource.RLIMIT_AS, ({MEMORY}, {MEMORY}))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
os.execve(sys.argv[1], sys.argv[1:], {{"GOMAXPROCS": "1", "HOME": os.getcwd()}})
"""


class Compiled(Struct, frozen=True, kw_only=True):
    """A bundle that compiles."""

    module: bytes
    rules: Mapping[str, int]
    """The rules of the law that the candidate names, each with the line where it first does."""


class _Location(Struct):
    file: str = ""
    row: int = 0


class _Error(Struct):
    message: str
    code: str = ""
    location: _Location | None = None


class _Errors(Struct):
    errors: list[_Error] = []


def compiled(
    opa: Path, bundle: bytes, schemas: Path, modules: Mapping[str, str], entrypoint: str, known: frozenset[str]
) -> Compiled:
    """Return what `modules`, laid over the Rego of `bundle`, compile to. `known` are the ids of the catalogue.

    Raises:
        CandidateRefused: with OPA's messages and lines.
        Unavailable: the program doesn't do what OPA does.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        law = {file: content for file, content in _sources(bundle) if file.endswith(".rego")}
        _write(folder / "law", law)
        allowed = _allowed(opa, folder / "law")
        (folder / "capabilities.json").write_bytes(allowed)
        _write(folder / "candidate", law | {file: text.encode() for file, text in modules.items()})
        options = ["--capabilities", str(folder / "capabilities.json")]
        inside = folder / "candidate"
        trees = {file: _parsed(opa, inside, modules, file) for file in modules}
        if own := [(file, line) for file, tree in trees.items() for line in _own_schemas(tree)]:
            raise refused([(file, f"line {line}: a schema is named, not defined here") for file, line in own])
        checking = ["check", "--strict", "--format", "json", "--max-errors", str(_MOST), "--schema", str(schemas)]
        _opa(opa, inside, modules, *checking, *options, "volens")
        named = _named(trees)
        if unknown := [(file, line, rule) for rule, (file, line) in named.items() if rule not in known]:
            raise refused([(file, f"line {line}: the catalogue has no rule of this id") for file, line, _ in unknown])
        built = folder / "built.tar.gz"
        _opa(opa, inside, modules, "build", "-t", "wasm", *options, "-e", entrypoint, "-o", str(built), "volens")
        with tarfile.open(built) as archive:
            module = archive.extractfile("/policy.wasm")
            if module is None:
                raise refused([(file, "OPA made no module of it") for file in modules])
            return Compiled(module=module.read(), rules={rule: line for rule, (_, line) in named.items()})


def refused(faults: Sequence[tuple[str, str]]) -> DomainError:
    """Return the refusal of files, each with what is wrong with it."""
    errors = [{"detail": detail, "pointer": f"/modules/{file.replace('/', '~1')}"} for file, detail in faults]
    return CandidateRefused("the candidate does not compile", errors=errors)


def _sources(bundle: bytes) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(bundle)) as archive:
        for entry in archive.getmembers():
            content = archive.extractfile(entry)
            if content is not None:
                yield entry.name.removeprefix("/"), content.read()


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def _allowed(opa: Path, law: Path) -> bytes:
    """Return OPA's capabilities, of the built-ins those alone that our law uses, and no network."""
    everything = msgspec.json.decode(_opa(opa, law, {}, "capabilities", "--current"))
    own = msgspec.json.decode(_opa(opa, law, {}, "inspect", "-f", "json", "."))["capabilities"]
    used = {builtin["name"] for builtin in own["builtins"]}
    builtins = [builtin for builtin in everything["builtins"] if builtin["name"] in used]
    return msgspec.json.encode({**everything, "builtins": builtins, "allow_net": []})


def _parsed(opa: Path, folder: Path, modules: Mapping[str, str], file: str) -> Any:
    options = ["--format", "json", "--json-include", "locations"]
    return msgspec.json.decode(_opa(opa, folder, modules, "parse", *options, file))


def _own_schemas(tree: Any) -> Iterator[int]:
    """Yield the lines of annotations that define a schema: a `$ref` in it reaches every file that OPA may read."""
    for note in tree.get("annotations", []):
        if any("definition" in schema for schema in note.get("schemas", [])):
            yield note["location"]["row"]


def _named(trees: Mapping[str, Any]) -> dict[str, tuple[str, int]]:
    """Return each rule of the law that files are annotated with or give as a reason, and where."""
    named: dict[str, tuple[str, int]] = {}
    for file, tree in trees.items():
        for rule, line in _reasons(tree):
            named.setdefault(rule, (file, line))
    return named


def _reasons(node: Any) -> Iterator[tuple[str, int]]:
    if isinstance(node, dict):
        row = node.get("location", {}).get("row", 0) if isinstance(node.get("location"), dict) else 0
        custom = node.get("custom")
        if isinstance(custom, dict) and isinstance(custom.get("id"), str):
            yield custom["id"], row
        if node.get("type") == "object" and isinstance(node.get("value"), list):
            for key, value in node["value"]:
                if key.get("value") == "rule" and value.get("type") == "string":
                    yield value["value"], value.get("location", {}).get("row", row)
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _reasons(child)


def _opa(opa: Path, folder: Path, modules: Mapping[str, str], *arguments: str) -> bytes:
    """Run OPA in `folder`, and return what it says.

    Raises:
        CandidateRefused: it finds fault with the candidate, or is not done in time.
    """
    command = [sys.executable, "-I", "-c", _LIMITED, str(opa), *arguments]
    try:
        run = subprocess.run(command, cwd=folder, env={}, capture_output=True, timeout=2 * SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise refused([(file, "needs more than its share of time to compile") for file in modules]) from None
    if run.returncode == 0:
        return run.stdout
    if not modules:
        raise Unavailable("the OPA program does not work")
    if run.returncode < 0:
        raise refused([(file, "needs more than its share of time or memory to compile") for file in modules])
    raise refused(list(_faults(run, modules))[:_MOST] or [(file, "does not compile") for file in modules])


def _faults(run: subprocess.CompletedProcess[bytes], modules: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield what OPA complains about, by file. What it says of our own files is due to the candidate as a whole."""
    for said in (run.stdout, run.stderr):
        try:
            errors = msgspec.json.decode(said, type=_Errors).errors
        except msgspec.MsgspecError:
            continue
        for error in errors:
            where = error.location or _Location()
            told = f"line {where.row}: {error.code}: {error.message}"
            if where.file in modules:
                yield where.file, told
            else:
                yield from ((file, f"{where.file}, {told}") for file in modules)
