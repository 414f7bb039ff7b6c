"""The documentation runs: README's programs and the docstrings' examples."""

import contextlib
import doctest
import importlib
import io
import pathlib
import pkgutil
import re

import numpy as np
import pytest

import cotan

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAM = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
# What docstrings' examples may use without importing it.
NAMES = {
    "cotan": cotan,
    "cnp": cotan.numpy,
    "jnp": cotan.numpy,
    "lax": cotan.lax,
    "nn": cotan.nn,
    "random": cotan.random,
    "np": np,
}
PROGRAMS = [
    pytest.param(text, id=f"{page.name}-{number}")
    for page in PAGES
    for number, text in enumerate(PROGRAM.findall(page.read_text()))
]
MODULES = [
    module.name
    for module in pkgutil.walk_packages(cotan.__path__, "cotan.")
    # `cotan.config` is an object once imported.
    if not module.name.startswith("cotan._") and module.name != "cotan.config"
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_program(program):
    """`print(...)  # text` has to print the text."""
    expected = re.findall(r"^print\(.*\)  # (.*)$", program, re.MULTILINE)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(program, "README", "exec"), {"__name__": "__main__"})
    for line in expected:
        assert line in printed.getvalue()


@pytest.mark.parametrize("name", ["cotan", *MODULES])
def test_docstrings(name):
    module = importlib.import_module(name)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        result = doctest.testmod(module, optionflags=flags, extraglobs=NAMES)
    assert not result.failed, output.getvalue()
