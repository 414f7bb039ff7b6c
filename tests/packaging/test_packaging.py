"""The wheel: what is in it, what it exports, and what users build on it."""

import importlib.util
import os
import pathlib
import re
import subprocess
import sys
import textwrap
import zipfile

import pytest

from tests.support import run

pytestmark = pytest.mark.slow
MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def unpacked(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(folder)
    return folder


def symbols(library, *flags):
    return run("nm", *flags, library).splitlines()


def test_size(wheel):
    assert wheel.stat().st_size <= 30 * MEGABYTE


def test_contents(unpacked):
    package = unpacked / "cotan"
    assert (package / "__init__.py").exists()
    assert (package / "lib" / "libcotan.so").exists()
    assert (package / "lib" / "cmake" / "cotan" / "cotanConfig.cmake").exists()
    assert (package / "include" / "cotan" / "base" / "ref.h").exists()
    assert len(list(package.glob("_core.*.so"))) == 1
    assert len(list(package.glob("_dispatch.*.so"))) == 1
    # Nothing of the build, the tests or the backends' insides.
    top = {path.name for path in unpacked.iterdir()}
    assert {name.split("-")[0] for name in top} == {"cotan"}
    stray = [
        path
        for pattern in ("*.o", "*.a", "*.pyx", "*.cpp", "*.pyc", "backends/*")
        for path in package.rglob(pattern)
    ]
    assert not stray


def test_every_python_file_is_packed(unpacked, root):
    listing = run("git", "ls-files", "python/cotan", cwd=root).split()
    missing = [
        name
        for name in listing
        if (root / name).exists()
        and not (unpacked / pathlib.Path(name).relative_to("python")).exists()
    ]
    assert not missing


def test_libraries_are_stripped(unpacked):
    for library in unpacked.rglob("*.so"):
        assert any("no symbols" in line for line in symbols(library)), library


def test_no_llvm_symbol_is_visible(unpacked):
    library = unpacked / "cotan" / "lib" / "libcotan.so"
    lines = symbols(library, "-D", "--defined-only")
    assert any("5cotan" in line for line in lines)
    foreign = [
        line
        for line in lines
        if "llvm" in line.lower() or " deflate" in line or " ZSTD_" in line
    ]
    assert not foreign


def test_modules_keep_no_state_of_the_core(root):
    """An inline variable or a static in an inline function of a header would
    exist once per extension module, and once more in libcotan. What is in
    cotan::python and cotan::pytree is the module's own."""
    for library in (root / "python" / "cotan").glob("*.so"):
        state = [
            line
            for line in symbols(library, "-C", "--defined-only")
            if re.search(
                r" [bBdDuV] (guard variable for )?cotan::(?!python::|pytree::)",
                line,
            )
        ]
        assert not state, library


def test_thread_local_block_is_small(unpacked):
    """It is static: glibc has under 2 KB of that for all libraries loaded
    late, and refuses the import of the one that does not fit."""
    library = unpacked / "cotan" / "lib" / "libcotan.so"
    for line in run("readelf", "-lW", library).splitlines():
        if line.split()[:1] == ["TLS"]:
            assert int(line.split()[5], 16) <= 256


def test_needs_only_system_libraries(unpacked):
    for library in unpacked.rglob("*.so"):
        needed = {
            line.split("[")[1].rstrip("]").split(".so")[0]
            for line in run("readelf", "-d", library).splitlines()
            if "(NEEDED)" in line
        }
        assert needed <= {
            *("libcotan", "libstdc++", "libgcc_s", "libm", "libc"),
            *("libpthread", "libdl", "librt", "ld-linux-x86-64"),
            "ld-linux-aarch64",
        }


def test_imports_where_it_is_installed(installed, tmp_path):
    code = "import cotan; print(cotan.__version__, cotan.__file__)"
    version, file = run(installed, "-c", code, cwd=tmp_path).split()
    assert version.count(".") == 2
    assert pathlib.Path(file).is_relative_to(installed.parent.parent)


def test_config_names_the_folders(installed, tmp_path):
    for flag, name in [
        ("--cmake-dir", "cotanConfig.cmake"),
        ("--include-dir", "cotan/base/ref.h"),
        ("--lib-dir", "libcotan.so"),
        ("--prefix", "__init__.py"),
    ]:
        folder = run(installed, "-m", "cotan.config", flag, cwd=tmp_path)
        assert (pathlib.Path(folder.strip()) / name).exists()


PROJECT = """
cmake_minimum_required(VERSION 3.24)
project(user CXX)
find_package(cotan 0.1 REQUIRED)
add_executable(user user.cpp)
target_link_libraries(user PRIVATE cotan::cotan)
"""
PROGRAM = """
#include <cotan/base/error.h>
#include <cstdio>

int main() {
  try {
    cotan::throw_value("[user] it ", "links");
  } catch (const cotan::Error& error) {
    std::puts(error.what());
  }
}
"""


def test_find_package(installed, tmp_path):
    """A C++ project of a user, against the installed wheel."""
    (tmp_path / "CMakeLists.txt").write_text(PROJECT)
    (tmp_path / "user.cpp").write_text(PROGRAM)
    where = run(installed, "-m", "cotan.config", "--cmake-dir", cwd=tmp_path)
    build = tmp_path / "build"
    run("cmake", "-S", tmp_path, "-B", build, f"-Dcotan_DIR={where.strip()}")
    run("cmake", "--build", build)
    assert run(build / "user") == "[user] it links\n"


def test_cpp_example(installed, tmp_path, root):
    """examples/cpp as its first lines say: found by the package's prefix."""
    prefix = run(installed, "-m", "cotan.config", "--prefix", cwd=tmp_path)
    path = f"-DCMAKE_PREFIX_PATH={prefix.strip()}"
    run("cmake", "-S", root / "examples" / "cpp", "-B", tmp_path, path)
    run("cmake", "--build", tmp_path)
    assert run(tmp_path / "logistic")


def test_every_public_header_compiles_alone(unpacked, tmp_path):
    """What is installed includes only what is installed."""
    include = unpacked / "cotan" / "include"
    headers = sorted(h.relative_to(include) for h in include.rglob("*.h"))
    text = "".join(f"#include <{header}>\n" for header in headers)
    (tmp_path / "all.cpp").write_text(text)
    flags = ["-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror"]
    compiler = os.environ.get("CXX", "c++")
    run(compiler, *flags, f"-I{include}", tmp_path / "all.cpp")


# Compiles something new at every call.
NEIGHBOURS = {
    "cotan": """
        import cotan, cotan.numpy as cnp
        def use_cotan(i):
            f = cotan.jit(lambda x: cnp.sum(cnp.exp(x * i) @ x))
            return float(f(cnp.eye(3)))
    """,
    "numba": """
        import numba, numpy as np
        def use_numba(i):
            @numba.njit
            def f(x):
                return np.sum(np.exp(x * i) @ x)
            return f(np.eye(3))
    """,
    "jax": """
        import jax, jax.numpy as jnp
        def use_jax(i):
            f = jax.jit(lambda x: jnp.sum(jnp.exp(x * i) @ x))
            return float(f(jnp.eye(3)))
    """,
    "torch": """
        import torch
        def use_torch(i):
            x = torch.eye(3)
            return float((torch.exp(x * i) @ x).sum())
    """,
}


@pytest.mark.parametrize("other", ["numba", "jax", "torch", "all"])
@pytest.mark.parametrize("first", ["cotan", "other"])
def test_lives_beside_other_llvms(other, first):
    """Each brings an LLVM (or XLA) of its own into the process; they take
    turns there, from two threads at once."""
    others = ["numba", "jax", "torch"] if other == "all" else [other]
    others = [name for name in others if importlib.util.find_spec(name)]
    if not others:
        pytest.skip(f"needs {other}")
    order = ["cotan", *others] if first == "cotan" else [*others, "cotan"]
    code = "".join(textwrap.dedent(NEIGHBOURS[name]) for name in order)
    users = ", ".join(f"use_{name}" for name in order)
    code += textwrap.dedent(f"""
        import math, threading
        failures = []
        def turns(start):
            for i in range(start, start + 4):
                for use in ({users}):
                    got, want = use(i), 3 * math.exp(i) + 6
                    if abs(got - want) > 1e-4 * want:
                        failures.append((use.__name__, i, got, want))
        turns(1)
        threads = [threading.Thread(target=turns, args=(n,)) for n in (5, 9)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert not failures, failures
        print("all agree")
    """)
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert result.stdout.strip() == "all agree", result.stderr
    assert result.returncode == 0, result.stderr
