"""The tests of tests/cpp, each in its own process.

Those of the core run under ASan and UBSan in a build of their own; those
named cpu_* compile kernels, with the objects of the developer build; those of
api/ link its library, as users do.
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


def declared_in(sources):
    return [
        name
        for source in sorted(sources)
        for name in re.findall(
            r"^TEST\((\w+)\)", source.read_text(), re.MULTILINE
        )
    ]


def names(cpu):
    return declared_in(
        source
        for source in (ROOT / "tests" / "cpp").glob("*.cpp")
        if source.name.startswith("cpu_") == cpu
    )


@pytest.fixture(scope="module")
def sanitized():
    run("cmake", "--preset", "sanitize", cwd=ROOT)
    run("cmake", "--build", SANITIZED, "-j", JOBS, "--target", "cotan_tests")
    return SANITIZED / "tests" / "cpp" / "cotan_tests"


def developer_build(target):
    if not (DEVELOPER / "CMakeCache.txt").exists():
        pytest.skip("needs the developer build: make dev")
    run("cmake", "--build", DEVELOPER, "-j", JOBS, "--target", target)
    return DEVELOPER / "tests" / "cpp"


@pytest.fixture(scope="module")
def native():
    return developer_build("cotan_cpu_tests") / "cotan_cpu_tests"


@pytest.fixture(scope="module")
def api():
    return developer_build("cotan_api_tests") / "api" / "cotan_api_tests"


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


@pytest.mark.parametrize(
    "name", declared_in((ROOT / "tests" / "cpp" / "api").glob("*.cpp"))
)
def test_api(api, name):
    assert "1 run, 0 failed" in run(api, name, timeout=120)
