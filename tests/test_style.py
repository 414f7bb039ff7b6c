"""Formatting and lint, as `make check` does them."""

import shutil

import pytest

from tests.support import run


def tracked(root, *patterns):
    names = run("git", "ls-files", *patterns, cwd=root).split("\n")
    return [name for name in names if name and (root / name).exists()]


@pytest.fixture(autouse=True)
def need_git(root):
    if not (root / ".git").exists():
        pytest.skip("needs a clone")


def test_cpp_is_formatted(root):
    if not shutil.which("clang-format"):
        pytest.skip("needs clang-format: make test installs it")
    files = tracked(root, "csrc/*.h", "csrc/*.cpp", "tests/cpp/*.h")
    files += tracked(root, "tests/cpp/*.cpp", "examples/*.cpp")
    run("clang-format", "--dry-run", "-Werror", *files, cwd=root)


@pytest.mark.parametrize("command", ["check", "format --check"])
def test_python_is_clean(root, command):
    if not shutil.which("ruff"):
        pytest.skip("needs ruff: make test installs it")
    run("ruff", *command.split(), "-q", ".", cwd=root)


def test_no_file_is_endless(root):
    """About 800 lines a file: beyond that it holds more than one idea."""
    files = tracked(root, "csrc/*", "python/*", "tests/*", "bench/*")
    lengths = {name: (root / name).read_text().count("\n") for name in files}
    assert not {name: n for name, n in lengths.items() if n > 900}
