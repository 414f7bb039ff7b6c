"""docs/coverage.md is what tools/coverage.py writes; absent names say why."""

import pytest

import cotan
from tests.support import load_tool

coverage = load_tool("coverage")


def test_page_is_true():
    text = coverage.page()
    written = coverage.PAGE.read_text()
    assert text == written, "run python tools/coverage.py"


@pytest.mark.parametrize(
    ("module", "name", "why"),
    [
        (cotan, "pmap", "one process and one device per program"),
        (cotan.lax, "mulhi_p", "the operation is made of other"),
        (cotan.numpy, "int1", "no working arrays"),
        (cotan.scipy.special, "lpmn", "removed"),
    ],
)
def test_absent_names_say_why(module, name, why):
    with pytest.raises(AttributeError, match=why):
        getattr(module, name)


def test_misspelt_names_are_not_explained():
    with pytest.raises(AttributeError, match=r"has no attribute 'grda'$"):
        cotan.grda  # noqa: B018
