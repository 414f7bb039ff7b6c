"""Who may include whom in csrc/, read from the `#include` lines.

The map is DESIGN section 2: a folder sees the folders below it and no other;
the headers of LLVM, CUDA and PJRT stay in the backend that needs them.
"""

import pathlib
import re

import pytest

CSRC = pathlib.Path(__file__).resolve().parent.parent / "csrc"

# Direct edges; what a folder may include is the closure of them.
EDGES = {
    "base": [],
    "ir": ["base"],
    "trace": ["ir"],
    "transforms": ["trace"],
    "passes": ["trace"],
    "emit": ["ir"],
    "runtime": ["ir"],
    "ops": ["trace", "transforms", "emit"],
    "jnp": ["ops"],
    # Of ops, a backend sees the registry, not the families.
    "backends/cpu": ["emit", "runtime", "passes"],
    "backends/cuda": ["emit", "runtime", "passes"],
    "backends/pjrt": ["emit", "runtime", "passes"],
    "api": ["jnp", "passes", "runtime", "backends/cpu", "backends/pjrt"],
    "python": ["api"],
}
# Single headers beyond the map, each with its reason.
EXTRA = {
    "backends": {"ops/registry.h"},  # the list of primitives
}
# Matched against the path of an include; the folders that may have it.
SDK = {
    r"(llvm|llvm-c|clang|mlir)/": {"backends/cpu"},
    r"(cuda|nvrtc|cublas|cudnn|cufft|cusolver|nccl|nvToolsExt)": {
        "backends/cuda"
    },
    r"(pjrt|xla)[/_]": {"backends/pjrt"},
    r"(Python\.h|pybind11/|numpy/)": {"python"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.MULTILINE)


def closure(folder):
    seen, todo = {folder}, [folder]
    while todo:
        for below in EDGES[todo.pop()]:
            if below not in seen:
                seen.add(below)
                todo.append(below)
    return seen


def folder_of(path):
    """`backends/cpu/x.h` is in backends/cpu, `ops/a/b.h` in ops."""
    parts = pathlib.PurePath(path).parts
    return "/".join(parts[: 2 if parts[0] == "backends" else 1])


def includes(text):
    """The pairs (quote, path) of a source text."""
    return INCLUDE.findall(text)


def faults(path, text):
    """What the file at `path` (relative to csrc/) includes and should not."""
    here = folder_of(path)
    allowed = closure(here)
    extra = EXTRA.get(here.split("/")[0], set())
    for quote, name in includes(text):
        there = folder_of(name)
        if there in EDGES and there not in allowed and name not in extra:
            yield f"csrc/{path} includes {name}: {here} may not see {there}"
        if quote == '"' and "/" not in name and here != "python":
            yield f'csrc/{path} includes "{name}": write the path from csrc/'
        for pattern, homes in SDK.items():
            if re.match(pattern, name) and here not in homes:
                yield f"csrc/{path} includes <{name}>, which is for {homes}"


def reached(path):
    """All that a file includes, directly or through headers of ours."""
    seen, todo = set(), [path]
    while todo:
        for _, name in includes((CSRC / todo.pop()).read_text()):
            if name not in seen:
                seen.add(name)
                if (CSRC / name).exists():
                    todo.append(name)
    return seen


def sources():
    kinds = {".h", ".cpp", ".cu", ".cuh"}
    return sorted(p for p in CSRC.rglob("*") if p.suffix in kinds)


def test_every_include_follows_the_map():
    found = [
        fault
        for path in sources()
        for fault in faults(path.relative_to(CSRC).as_posix(), path.read_text())
    ]
    assert not found, "\n".join(found)


def test_no_sdk_leaks_through_a_header():
    """backends/cpu/compiler.h is for everybody, so it must not need LLVM."""
    found = [
        f"csrc/{path} gets {name}"
        for path in (p.relative_to(CSRC).as_posix() for p in sources())
        for name in reached(path)
        for pattern, homes in SDK.items()
        if re.match(pattern, name) and folder_of(path) not in homes
    ]
    assert not found, "\n".join(found)


def test_every_folder_is_on_the_map():
    listed = {folder_of(p.relative_to(CSRC).as_posix()) for p in sources()}
    assert listed <= set(EDGES)


def test_quoted_includes_exist():
    """No header of ours is included by a path that is not there."""
    generated = {"_dispatch_api.h", "_dispatch.h"}
    missing = [
        f"{path.relative_to(CSRC)}: {name}"
        for path in sources()
        for quote, name in includes(path.read_text())
        if quote == '"' and name not in generated
        if not (CSRC / name).exists() and not (path.parent / name).exists()
    ]
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize(
    "path, line",
    [
        ("transforms/jvp.cpp", '#include "ops/math.h"'),
        ("ops/math.cpp", '#include "backends/cpu/lower.h"'),
        ("backends/cpu/lower.cpp", '#include "backends/cuda/driver.h"'),
        ("backends/cpu/lower.cpp", '#include "ops/math.h"'),
        ("ir/aval.h", '#  include "trace/value.h"'),
        ("api/jit.cpp", "#include <llvm/IR/Module.h>"),
        ("runtime/device.cpp", '#include "cuda.h"'),
        ("api/jit.h", "#include <Python.h>"),
        ("base/error.cpp", '#include "error.h"'),
    ],
)
def test_a_wrong_include_is_found(path, line):
    assert list(faults(path, line + "\n"))


def test_right_includes_pass():
    text = '#include "ops/registry.h"\n#include <llvm/IR/Module.h>\n'
    assert not list(faults("backends/cpu/lower.cpp", text))
