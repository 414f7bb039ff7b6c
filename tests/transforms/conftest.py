"""Compositions are checked in float64, unless a test says otherwise."""

import contextlib

import pytest

import cotan
from cotan import _core


@pytest.fixture(autouse=True)
def x64(request):
    if "x32" in request.keywords:
        yield
        return
    with cotan.enable_x64():
        yield


@pytest.fixture
def interpreted():
    """A context in which the reference rules run instead of compiled code."""

    @contextlib.contextmanager
    def context():
        before = _core.set_interpret(True)
        try:
            yield
        finally:
            _core.set_interpret(before)

    return context
