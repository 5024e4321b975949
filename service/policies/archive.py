"""Built policies as files: one archive that `tools/policy.py pack` made, or the folder that this version ships.

The archive is a gzipped tar of the files of `policies/build`. The revision is checked against the content that it is
the hash of: the Rego sources and `data.json`, as the bundle for OPA servers holds them. The module is made of those
sources by a compiler, so that it says the same is for cases to show.
"""

import gzip
import hashlib
import io
import re
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from service.policies.domain import Artefacts

FILES: Final = frozenset({"bundle.tar.gz", "data.json", "policy.wasm", "revision", "rules.json"})
LARGEST: Final = 64 * 1024 * 1024
"""Bytes of an archive, unpacked."""

_NAMED: Final = re.compile(r'^[^#\n]*"rule": "([A-Z][A-Z0-9-]+)"', re.MULTILINE)


class NoPolicy(ValueError):
    """The files are no built policy, or a damaged one."""


class Built(Struct, frozen=True, kw_only=True):
    """A built policy, whose revision is the hash of its content."""

    artefacts: Artefacts
    bundle: bytes
    """What an OPA server loads."""


class _Manifest(Struct):
    revision: str


class _Rule(Struct):
    id: str


def read_archive(file: Path) -> Built:
    """Return the policy in an archive.

    Raises:
        NoPolicy: it is none, or is damaged.
        OSError: the file can't be read.
    """
    return _built(_unpacked(file.read_bytes(), "the file"))


def read_folder(build: Path) -> Built:
    """Return the policy in the folder `build`.

    Raises:
        NoPolicy: it is none, or is damaged.
        OSError: a file is missing.
    """
    return _built({name: (build / name).read_bytes() for name in FILES})


def _built(files: Mapping[str, bytes]) -> Built:
    if files.keys() != FILES:
        raise NoPolicy(f"the archive holds other files than {', '.join(sorted(FILES))}")
    content = dict(_unpacked(files["bundle.tar.gz"], "the bundle"))
    try:
        manifest = msgspec.json.decode(content.pop(".manifest", b""), type=_Manifest)
        listed = {rule.id for rule in msgspec.json.decode(files["rules.json"], type=list[_Rule])}
        revision = files["revision"].decode("ascii").strip()
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise NoPolicy("the manifest, the rules or the revision can't be read") from error
    if not revision == manifest.revision == f"sha256:{_digest(content)}":
        raise NoPolicy("the revision is not the hash of the content")
    if content.get("data.json") != files["data.json"]:
        raise NoPolicy("the data are not those of the bundle")
    if unexplained := _named(content) - listed:
        raise NoPolicy(f"rules are named that nothing explains: {', '.join(sorted(unexplained))}")
    artefacts = Artefacts(
        revision=revision, module=files["policy.wasm"], data=files["data.json"], rules=files["rules.json"]
    )
    return Built(artefacts=artefacts, bundle=files["bundle.tar.gz"])


def _unpacked(content: bytes, what: str) -> dict[str, bytes]:
    """Return the files in a gzipped tar by name. Nothing is written anywhere."""
    try:
        with gzip.open(io.BytesIO(content)) as packed:
            plain = packed.read(LARGEST + 1)
        if len(plain) > LARGEST:
            raise NoPolicy(f"{what} is larger than a policy can be")
        with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as archive:
            return {
                entry.name.lstrip("/"): taken.read()
                for entry in archive
                if entry.isfile() and (taken := archive.extractfile(entry)) is not None
            }
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise NoPolicy(f"{what} is no archive of a policy, or is damaged") from error


def _named(sources: Mapping[str, bytes]) -> set[str]:
    return {
        rule
        for name, source in sources.items()
        if name.endswith(".rego")
        for rule in _NAMED.findall(source.decode("utf-8", "replace"))
    }


def _digest(content: Mapping[str, bytes]) -> str:
    """Return the hash of files by name and content, as `tools/policy.py` makes it."""
    digest = hashlib.sha256()
    for name, body in sorted(content.items()):
        digest.update(f"{name}\0{len(body)}\0".encode() + body)
    return digest.hexdigest()
