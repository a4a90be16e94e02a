"""What the tests of built pages share: the list of pages, and one browser for all of them."""

from pathlib import Path

import pytest
import yaml
from browser import browser, missing

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "_build" / "html"


def documents() -> list[str]:
    """Every page of the table of contents, in its order, without suffix."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))

    def below(entry):
        if "file" in entry:
            yield entry["file"]
        for key in ("chapters", "sections"):
            for child in entry.get(key, ()):
                yield from below(child)

    return [toc["root"], *(name for part in toc["parts"] for name in below(part))]


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
