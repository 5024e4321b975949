"""The verifier as one file, for machines that have nothing but Python."""

from importlib import import_module
from inspect import getsource
from typing import Final

PARTS: Final = (
    "findings",
    "tree",
    "ed25519",
    "notes",
    "commitments",
    "manifests",
    "ranges",
    "grouped",
    "receipted",
    "selections",
    "payloads",
    "quorum",
    "anchors",
    "timestamps",
    "verifier",
    "verify",
)
"""In the order of their imports. They import the standard library and one another, and share no names."""
_FUTURE: Final = "from __future__ import annotations\n"


def verifier() -> str:
    """Return the source of `verify.py`: the parts as they are, one after another, without their mutual imports."""
    whole = [_doc(PARTS[-1]), _FUTURE]
    for part in PARTS:
        source = getsource(import_module(f"service.audit.{part}")).replace(_FUTURE, "")
        lines = [line for line in source.splitlines() if not line.startswith("from service.audit.")]
        whole.append(f"# --- {part} {'-' * (90 - len(part))}\n\n" + "\n".join(lines).strip() + "\n")
    return "\n\n".join(whole)


def _doc(part: str) -> str:
    return f'"""{import_module(f"service.audit.{part}").__doc__}"""\n'
