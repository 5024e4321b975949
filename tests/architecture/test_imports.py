"""The dependency rule of docs/architecture.md, as code: its tables are in `rooms.py`, and this is the machinery."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.rooms import (
    ADAPTERS,
    BESIDE,
    FURTHER,
    IMPURE_STDLIB,
    OUTER,
    PURE,
    PURE_LIBRARIES,
    PURE_MODULES,
    ROLES,
    ROOTS,
    SLICES,
)
from tests.architecture.sources import ROOT, SERVICE, imports, name, python


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
