"""The report in a real browser: no error, no network, figures with size, dark, narrow and printed."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hotrow.experiments import report as pages
from hotrow.experiments.codesign import page as codesign_page
from hotrow.experiments.codesign.study import Request, Subject, codesign
from hotrow.models.config import for_trace, load_preset
from hotrow.tracegen.trace import TableLookups, Trace

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
EVIL = "<script>document.title='owned'</script>"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    names = (EVIL, *(f"t{k}" for k in range(10)))
    trace = Trace(tuple(TableLookups(name, 500, rng.zipf(1.2, 4000) % 500) for name in names))
    config = for_trace(load_preset("criteo-kaggle"), trace)
    result = codesign(Subject(trace, EVIL, "Made for a test.", config, ("nothing",)), Request(32, measure="steps"))
    path = tmp_path_factory.mktemp("report") / "report.html"
    pages.save(codesign_page.report(result, "a test"), path)
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
        launched = driver.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield launched
        launched.close()


@pytest.fixture
def opened(browser: Any, written: Path) -> Iterator[tuple[Any, list[str], list[str]]]:
    page = browser.new_page(viewport={"width": 1100, "height": 900})
    errors: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(written.as_uri())
    yield page, errors, requests
    page.close()


def test_opens_without_errors_and_without_network(opened: Any) -> None:
    _, errors, requests = opened
    assert errors == []
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []


def test_text_from_traces_is_escaped(opened: Any) -> None:
    page, _, _ = opened
    assert page.title().startswith("Co-design report")
    assert EVIL in page.inner_text("h1")
    assert page.locator("script").count() == 2  # the what-if panel's numbers and what evaluates them


def test_figures_have_size_and_a_label(opened: Any) -> None:
    page, _, _ = opened
    figures = page.locator("figure svg")
    assert figures.count() == 12
    for k in range(figures.count()):
        box = figures.nth(k).bounding_box()
        assert box["width"] > 200
        assert box["height"] > 100
        assert figures.nth(k).get_attribute("aria-label")


def test_every_link_of_the_contents_leads_to_a_section(opened: Any) -> None:
    page, _, _ = opened
    targets = [link.get_attribute("href") for link in page.locator("nav a").all()]
    assert len(targets) == 16
    assert all(page.locator(f"section{target}").count() == 1 for target in targets)


@pytest.mark.parametrize("width", [1100, 360])
def test_nothing_is_wider_than_the_window(opened: Any, width: int) -> None:
    page, _, _ = opened
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_dark_mode_turns_the_page_dark(opened: Any) -> None:
    page, _, _ = opened
    brightness = (
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).reduce((a, b) => a + +b, 0)"
    )
    page.emulate_media(color_scheme="light")
    light = page.evaluate(brightness)
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(brightness) < 150 < light


def test_it_prints(opened: Any) -> None:
    page, _, _ = opened
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    assert page.pdf().startswith(b"%PDF")
