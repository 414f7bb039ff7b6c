"""One wheel per test session, made from the developer build's objects.

`pip wheel` runs with the build folder of `make dev`, so it configures, finds
nothing to compile, strips and packs: the test is of the packaging, and the
compiler's time is not spent twice. COTAN_TEST_WHEEL=path tests another wheel,
for instance the one that `make wheel` builds from scratch in isolation.
"""

import os
import pathlib
import sys
import venv

import pytest

from tests.support import run

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build"


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """The path of the wheel under test."""
    given = os.environ.get("COTAN_TEST_WHEEL")
    if given:
        return pathlib.Path(given).resolve()
    if not (BUILD / "build.ninja").exists():
        pytest.skip("needs the developer build: make dev")
    out = tmp_path_factory.mktemp("wheel")
    run(
        *(sys.executable, "-m", "pip", "wheel", ROOT, "-w", out),
        *("--no-deps", "--no-build-isolation", "--no-cache-dir"),
        f"--config-settings=build-dir={BUILD}",
        "--config-settings=cmake.define.COTAN_IN_PLACE=ON",
        "--config-settings=cmake.define.COTAN_WERROR=ON",
    )
    (path,) = out.glob("cotan-*.whl")
    return path


@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory):
    """Python of a fresh virtual environment with only the wheel in it."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    run(python, "-m", "pip", "install", "-q", wheel, cwd=folder)
    return python
