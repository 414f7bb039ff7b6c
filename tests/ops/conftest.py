"""All cases run with 64-bit types enabled, so every dtype can be swept."""

import pytest

import cotan


@pytest.fixture(autouse=True)
def x64():
    with cotan.enable_x64():
        yield
