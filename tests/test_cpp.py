"""The tests of tests/cpp, each in its own process under ASan and UBSan."""

import os
import pathlib
import re

import pytest

from tests.support import run

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build-sanitize"
SOURCES = sorted((ROOT / "tests" / "cpp").glob("*.cpp"))
NAMES = [
    name
    for source in SOURCES
    if not source.name.startswith("cpu_")  # need LLVM: not in this build
    for name in re.findall(r"^TEST\((\w+)\)", source.read_text(), re.MULTILINE)
]


@pytest.fixture(scope="session")
def binary():
    jobs = str(os.cpu_count() or 2)
    run("cmake", "--preset", "sanitize", cwd=ROOT)
    run("cmake", "--build", BUILD, "-j", jobs, "--target", "cotan_tests")
    return BUILD / "tests" / "cpp" / "cotan_tests"


def test_all_are_found(binary):
    listed = run(binary, "--list").split("\n")
    assert set(NAMES) <= set(listed)


@pytest.mark.parametrize("name", NAMES)
def test_cpp(binary, name):
    options = {
        "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_init_order=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }
    env = {**os.environ, **options}
    output = run(binary, name, env=env, timeout=120)
    assert "1 run, 0 failed" in output
