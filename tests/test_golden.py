"""JAX's conventions, statement by statement; exceptions are listed by name in
tests/golden/known_differences.txt and must stay true: one that starts to pass
fails the test until it is taken off the list."""

import pathlib

import pytest

from tests.golden import statements

KNOWN = {
    line.strip()
    for line in (
        pathlib.Path(__file__).parent / "golden" / "known_differences.txt"
    )
    .read_text()
    .splitlines()
    if line.strip() and not line.startswith("#")
}
WANT = statements.expected()


@pytest.fixture(scope="module")
def answers():
    return statements.answers("cotan")


@pytest.mark.parametrize(
    "i", range(len(WANT)), ids=[w["expr"][:60] for w in WANT]
)
def test_statement(i, answers):
    want, got = WANT[i], answers[i]
    same = statements.same(want, got)
    if want["expr"] in KNOWN:
        assert not same, f"{want['expr']} agrees now: take it off the list"
        pytest.skip("a known difference")
    assert same, f"{want['expr']}\nJAX:   {want}\ncotan: {got}"


def test_enough_statements_agree(answers):
    agree = sum(
        statements.same(w, g) for w, g in zip(WANT, answers, strict=True)
    )
    assert agree >= 220
