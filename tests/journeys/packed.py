"""Policies that an operator has changed, packed as `tools/policy.py` packs them."""

import gzip
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.toy_policy import opa

ROOT = Path(__file__).parents[2]


def pack(folder: Path, name: str, tables: Mapping[str, Any]) -> Path:
    """Return the archive of our policy with members of its tables changed: `{"periods": {"spain": 12}}`."""
    checkout = folder / name
    shutil.copytree(ROOT / "policies", checkout / "policies", ignore=shutil.ignore_patterns("build"))
    shutil.copytree(ROOT / "tools", checkout / "tools", ignore=shutil.ignore_patterns("bin"))
    for table, changes in tables.items():
        file = checkout / "policies" / "data" / f"{table}.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    archive = folder / f"{name}.tar.gz"
    subprocess.run(
        [sys.executable, checkout / "tools" / "policy.py", "pack", archive],
        env={**os.environ, "PYTHONPATH": str(checkout), "OPA": str(opa())},
        check=True,
        capture_output=True,
    )
    return archive


def parts(archive: Path) -> dict[str, bytes]:
    """Return the files in an archive by name."""
    with tarfile.open(archive) as packed:
        return {
            entry.name.lstrip("/"): taken.read() for entry in packed if (taken := packed.extractfile(entry)) is not None
        }


def packed_again(files: Mapping[str, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(target.getvalue())
