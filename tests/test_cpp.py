"""The tests of tests/cpp, each in its own process.

Those of the core run under ASan and UBSan in a build of their own; those
named cpu_* compile kernels, with the objects of the developer build.
"""

import os
import pathlib
import re

import pytest

from tests.support import run

ROOT = pathlib.Path(__file__).resolve().parent.parent
SANITIZED = ROOT / "build-sanitize"
DEVELOPER = ROOT / os.environ.get("BUILD", "build")
JOBS = str(os.cpu_count() or 2)


def names(cpu):
    return [
        name
        for source in sorted((ROOT / "tests" / "cpp").glob("*.cpp"))
        if source.name.startswith("cpu_") == cpu
        for name in re.findall(
            r"^TEST\((\w+)\)", source.read_text(), re.MULTILINE
        )
    ]


@pytest.fixture(scope="module")
def sanitized():
    run("cmake", "--preset", "sanitize", cwd=ROOT)
    run("cmake", "--build", SANITIZED, "-j", JOBS, "--target", "cotan_tests")
    return SANITIZED / "tests" / "cpp" / "cotan_tests"


@pytest.fixture(scope="module")
def native():
    if not (DEVELOPER / "CMakeCache.txt").exists():
        pytest.skip("needs the developer build: make dev")
    target = "cotan_cpu_tests"
    run("cmake", "--build", DEVELOPER, "-j", JOBS, "--target", target)
    return DEVELOPER / "tests" / "cpp" / target


def test_all_are_found(sanitized):
    listed = run(sanitized, "--list").split("\n")
    assert set(names(cpu=False)) <= set(listed)


@pytest.mark.parametrize("name", names(cpu=False))
def test_core(sanitized, name):
    options = {
        "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_init_order=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }
    env = {**os.environ, **options}
    output = run(sanitized, name, env=env, timeout=120)
    assert "1 run, 0 failed" in output


@pytest.mark.parametrize("name", names(cpu=True))
def test_cpu(native, name):
    assert "1 run, 0 failed" in run(native, name, timeout=120)
