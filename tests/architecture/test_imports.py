"""The dependency rule of docs/architecture.md, as code.

Read the tables; everything below them is machinery.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, SERVICE, imports, name, python

# A slice may import the face (`service.<slice>`) of the slices before it.
SLICES = [
    "events", "audit", "vault", "subjects", "consent", "decisions", "policies", "trials", "reveals", "exports",
    "downstreams", "requests", "doors", "erasures", "drop", "timeline", "packages",
]  # fmt: skip

# Pure files with a name of their own. They count as `domain`.
PURE_MODULES = {
    "audit": {
        "anchors",
        "commitments",
        "ed25519",
        "evidence",
        "findings",
        "keeping",
        "manifests",
        "notes",
        "pack_pages",
        "payloads",
        "quorum",
        "ranges",
        "receipted",
        "selections",
        "sheet",
        "signing",
        "tiles",
        "timestamps",
        "tree",
        "verifier",
        "verify",
    },
    "subjects": {"merging"},
    "consent": {"committed", "fold", "keeping", "receipts", "signatures", "union", "vocabulary"},
    "decisions": {
        "acts",
        "asking",
        "attempts",
        "bands",
        "cases",
        "clocks",
        "context",
        "explaining",
        "facts",
        "measures",
        "memo",
        "overlay",
        "permits",
        "policy",
        "simulation",
        "supposing",
        "told",
        "what_if",
    },
    "trials": {"edges", "tally"},
    "reveals": {"approval", "lines", "token"},
    "doors": {"drp", "opendsr"},
    "downstreams": {"files", "messages", "opendsr", "signatures"},
    "vault": {"blind", "fields", "retention", "rotation", "values"},
    "requests": {"case", "check", "identity", "letters", "lifecycle", "periods", "rights", "statutes"},
    "erasures": {"grounds"},
    "drop": {"answering", "letters", "people", "reading", "standard"},
    "packages": {"declared", "document", "markup", "page", "parcels", "sheets", "spoken", "telling", "wording"},
}
# Files of a usual role that would be too long in one.
FURTHER = {
    "audit": {
        "anchoring": "usecases",
        "attesting_ports": "ports",
        "cosigning": "usecases",
        "examining": "usecases",
        "expiring": "usecases",
        "hold_api": "api",
        "hold_schemas": "schemas",
        "holding": "usecases",
        "keeping_ports": "ports",
        "growing": "usecases",
        "proof_api": "api",
        "proof_schemas": "schemas",
        "proving": "usecases",
        "stamping": "usecases",
        "tree_ports": "ports",
    },
    "consent": {
        "expiring": "usecases",
        "keeping_ports": "ports",
        "issuing": "usecases",
        "merging": "usecases",
        "receipt_api": "api",
        "receipt_schemas": "schemas",
    },
    "subjects": {"directory": "store"},
    "decisions": {
        "inquiries": "usecases",
        "law_schemas": "schemas",
        "permit_api": "api",
        "permit_ports": "ports",
        "permit_schemas": "schemas",
        "permit_store": "store",
        "permitting": "usecases",
    },
    "trials": {"running": "usecases", "sources": "usecases"},
    "packages": {
        "asking": "usecases",
        "collecting": "usecases",
        "connected": "usecases",
        "fetching": "usecases",
        "keeping": "usecases",
        "parcel_ports": "ports",
    },
    "reveals": {
        "approving": "usecases",
        "batches": "usecases",
        "disclosing": "usecases",
        "tokens": "usecases",
    },
    "requests": {
        "carrying": "usecases",
        "executing": "usecases",
        "identity_api": "api",
        "identity_ports": "ports",
        "identity_schemas": "schemas",
        "letter_api": "api",
        "letter_schemas": "schemas",
        "marking": "usecases",
        "moving": "usecases",
        "proving": "usecases",
        "reading": "usecases",
        "telling": "usecases",
        "writing": "usecases",
    },
    "erasures": {"planning": "usecases", "running": "usecases"},
    "doors": {"agents": "usecases", "drp_api": "api", "processing": "usecases", "telling": "usecases"},
    "drop": {"finding": "usecases"},
    "exports": {"filtering": "usecases", "linking": "usecases"},
    "downstreams": {
        "answering": "usecases",
        "assigning": "usecases",
        "bringing": "usecases",
        "handing": "usecases",
        "introducing": "usecases",
        "pulling": "usecases",
        "speaking": "usecases",
        "task_api": "api",
        "task_schemas": "schemas",
    },
    "vault": {
        "destroying": "usecases",
        "expiring": "usecases",
        "importing": "usecases",
        "letters": "usecases",
        "lookup": "usecases",
        "matching": "usecases",
        "moving": "usecases",
        "moving_ports": "ports",
        "opening": "usecases",
        "reindexing": "usecases",
        "retention_ports": "ports",
        "rotating": "usecases",
        "rotation_ports": "ports",
        "value_ports": "ports",
        "writing": "usecases",
    },
}
# Files that do I/O and have a name of their own. They implement ports.
ADAPTERS = {
    "audit": {
        "anchor_files",
        "anchor_s3",
        "asked",
        "attesting_store",
        "keeping_store",
        "log_keys",
        "published",
        "rfc3161",
        "standalone",
        "tree_store",
    },
    "vault": {
        "ahead",
        "grouped",
        "normal",
        "boxes",
        "pace",
        "parcel",
        "envelope",
        "key_store",
        "letter_store",
        "moving_store",
        "keys",
        "ring_aws",
        "ring_calls",
        "ring_file",
        "ring_guard",
        "ring_transit",
        "retention_store",
        "rotation_store",
    },
    "consent": {"keeping_store", "profiles"},
    "decisions": {"artefacts", "calendar_of", "log", "opa", "revisions", "wasm", "watched"},
    "trials": {"rego", "runner", "shapes"},
    "policies": {"archive", "governing", "recent"},
    "reveals": {"log"},
    "doors": {"directory", "signing"},
    "downstreams": {"brought_store", "certificates", "ed25519", "outgoing"},
    "exports": {"files", "recipients", "running"},
    "requests": {"artefacts", "calendar_of", "couriers", "identity_store", "telling_store"},
    "erasures": {"artefacts"},
    "drop": {"artefacts", "portal"},
    "packages": {"catalogues", "making", "parcel_store", "sealed", "spool"},
}

# What a file may import from its own slice, by its role.
ROLES = {
    "domain": {"domain"},
    "ports": {"domain", "ports"},
    "usecases": {"domain", "ports", "usecases"},
    "schemas": {"domain", "schemas"},
    "tables": set(),
    "store": {"domain", "ports", "tables", "store"},
    "adapter": {"domain", "ports", "tables", "adapter"},
    "api": {"domain", "schemas", "usecases"},
    "__init__": {"domain", "ports", "usecases"},
}
# What it may import from beside the slices.
OUTER = {"store": {"db", "trips"}, "tables": {"db"}, "adapter": {"db", "own_files", "trips", "wire"}, "api": {"web"}}

# The files and folders beside the slices, and what of ours each may import.
BESIDE = {
    "addresses": set(),
    "arguments": set(),
    "kernel": set(),
    "db": {"kernel"},
    "migrate": set(),
    "opa_process": {"kernel"},
    "own_files": {"kernel"},
    "packing": {"audit"},
    "progress": set(),
    "postgres": {"kernel", "postgres_files", "postgres_process", "postgres_programs"},
    "postgres_files": {"kernel"},
    "postgres_process": set(),
    "postgres_programs": {"kernel", "postgres_files", "postgres_process"},
    "telemetry": {"kernel"},
    "tenants": {"kernel", "db"},
    "tracing": set(),
    "web": {"kernel", "own_files", "tracing", "web"},
    "settings": {"addresses", "kernel", "web"},
    "transaction": {"kernel", "db", "tenants", "trips", "wire", *SLICES},
    "trips": {"kernel", "wire"},
    "wire": set(),
    "demo": {"kernel", "own_files"},
}
# The composition roots: they import everything, and nothing but a root imports them.
ROOTS = {
    "access",
    "activation",
    "anchoring",
    "app",
    "attesting",
    "auditing",
    "bridges",
    "brought",
    "candidates",
    "certifying",
    "choosing",
    "clocks",
    "connecting",
    "courier",
    "desk",
    "worker",
    "workers",
    "cli",
    "committed",
    "databases",
    "dossiers",
    "dropping",
    "eraser",
    "erasing",
    "export_parts",
    "exporter",
    "exporting",
    "extents",
    "laws",
    "listening",
    "operations",
    "porch",
    "pack_attested",
    "package_parts",
    "permit_parts",
    "packager",
    "pack_receipts",
    "packs",
    "processes",
    "readiness",
    "refused_tokens",
    "receipt_keys",
    "restoring",
    "retention",
    "routes",
    "root_keys",
    "rotation",
    "sequencer",
    "standing",
    "replies",
    "stopping",
    "teller",
    "trying",
}

PURE = {"domain", "ports", "usecases", "schemas", "__init__"}
PURE_LIBRARIES = {"msgspec"}
IMPURE_STDLIB = {
    "asyncio", "http", "io", "multiprocessing", "os", "random", "secrets", "shutil", "signal", "socket", "sqlite3",
    "subprocess", "tempfile", "threading", "time", "urllib",
}  # fmt: skip


def role(slice_: str, module: str) -> str:
    if module in PURE_MODULES.get(slice_, ()):
        return "domain"
    if module in ADAPTERS.get(slice_, ()):
        return "adapter"
    return FURTHER.get(slice_, {}).get(module, module)


def in_slices() -> list[Path]:
    return [path for slice_ in SLICES for path in python(SERVICE / slice_)]


def beside() -> list[Path]:
    return [path for path in python() if path not in in_slices() and path != SERVICE / "__init__.py"]


@pytest.mark.parametrize("path", in_slices(), ids=name)
def test_a_file_of_a_slice_imports_only_what_its_role_allows(path: Path):
    slice_ = path.parent.name
    mine = role(slice_, path.stem)
    assert mine in ROLES, f"say in PURE_MODULES, FURTHER or ADAPTERS what {name(path)} is"
    earlier = set(SLICES[: SLICES.index(slice_)])

    for module in imports(path):
        top, *rest = module.split(".")
        if top != "service":
            pure = (sys.stdlib_module_names | PURE_LIBRARIES) - IMPURE_STDLIB
            assert mine not in PURE or top in pure, f"{name(path)} does no I/O, so no {top}"
        elif rest[0] == slice_:
            assert len(rest) > 1, "the face is for others"
            assert role(slice_, rest[1]) in ROLES[mine], f"{name(path)} may not import {module}"
        elif rest[0] in earlier:
            assert len(rest) == 1, f"{name(path)} imports {module} instead of the face service.{rest[0]}"
        else:
            assert rest[0] in {"kernel"} | OUTER.get(mine, set()), f"{name(path)} may not import {module}"


@pytest.mark.parametrize("path", beside(), ids=name)
def test_a_file_beside_the_slices_imports_only_what_its_place_allows(path: Path):
    place = path.relative_to(SERVICE).parts[0].removesuffix(".py")
    ours = {module.split(".")[1] for module in imports(path) if module.startswith("service.")}

    if place in ROOTS:
        assert ours <= set(SLICES) | BESIDE.keys() | ROOTS
        return
    assert place in BESIDE, f"say in BESIDE what {name(path)} may import"
    assert ours <= BESIDE[place], f"{name(path)} may not import {sorted(ours - BESIDE[place])}"


@pytest.mark.parametrize("slice_", SLICES)
def test_the_face_of_a_slice_loads_no_library_that_does_io(slice_: str):
    probe = f"import sys, service.{slice_}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    loaded = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, check=True, capture_output=True, text=True)

    assert not set(loaded.stdout.split()) & {"sqlalchemy", "psycopg", "litestar", "aiohttp", "wasmtime", "uvicorn"}
