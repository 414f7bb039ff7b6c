"""The generated matrices, with a plugin's device as the default one."""

import os
import subprocess
import sys

import pytest


def run_tests(root, *arguments):
    result = subprocess.run(
        [
            sys.executable,
            *"-m pytest -q -p no:cacheprovider".split(),
            *"-o faulthandler_timeout=120".split(),
            *arguments,
        ],
        cwd=root,
        env={**os.environ, "COTAN_TEST_DEVICE": "pjrt:cpu"},
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert result.returncode == 0, result.stdout[-8000:]


def test_values(cpu_plugin, root):
    run_tests(root, "tests/ops", "-k", "test_value")


@pytest.mark.slow
@pytest.mark.parametrize("what", ["tests/ops", "tests/transforms"])
def test_everything(cpu_plugin, root, what):
    run_tests(root, what)
