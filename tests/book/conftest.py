"""What the tests of built pages share: one test a page, and one browser for all of them."""

import sys
from pathlib import Path

import pytest

from browser import browser, missing
from pages import HTML, ROOT, documents

sys.path.insert(0, str(ROOT / "book" / "ext"))  # the book's own directives, as `course`


def pytest_generate_tests(metafunc):
    """One test a page for whoever asks for `page`."""
    if "page" in metafunc.fixturenames:
        metafunc.parametrize("page", documents(), indirect=True)


@pytest.fixture
def page(request) -> Path:
    """The built file of one page."""
    path = HTML / f"{request.param}.html"
    assert path.is_file(), f"{request.param} is not built: run make book"
    return path


@pytest.fixture(scope="session")
def chrome():
    """The browser; its absence is a failure, not a skip."""
    if sentence := missing():
        pytest.fail(sentence)
    with browser() as driver:
        yield driver
