"""Our declarations against a header of the C API, where a package has one."""

import importlib.util
import os
import pathlib
import shutil
import subprocess

import pytest

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent


def header_folder():
    named = os.environ.get("COTAN_PJRT_HEADER_DIR")
    if named:
        return pathlib.Path(named)
    for package, folder in (
        ("xla_plugins.xla_cpu_pjrt", "include"),
        ("tensorflow", "include/xla/pjrt/c"),
    ):
        try:
            spec = importlib.util.find_spec(package)
        except ModuleNotFoundError:
            continue
        for root in (spec and spec.submodule_search_locations) or ():
            if (pathlib.Path(root) / folder / "pjrt_c_api.h").exists():
                return pathlib.Path(root) / folder
    return None


def check(source, folder):
    compiler = os.environ.get("CXX") or shutil.which("g++")
    if folder is None or compiler is None:
        pytest.skip(f"no header for {source} or no compiler")
    subprocess.run(
        [
            *(compiler, "-std=c++20", "-fsyntax-only"),
            *(f"-I{ROOT / 'csrc'}", f"-I{folder}", str(HERE / source)),
        ],
        check=True,
    )


def test_declarations_match_the_header():
    check("abi_check.cpp", header_folder())


def test_declarations_of_custom_calls():
    jaxlib = pytest.importorskip("jaxlib")
    check("ffi_check.cpp", pathlib.Path(jaxlib.__file__).parent / "include")
