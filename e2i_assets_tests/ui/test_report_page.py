"""The report in a browser: on a phone, on paper, and with names that contain HTML."""

from pathlib import Path

import pytest
from browser import browsing
from small_training import Names, report_facts

from e2i_assets.core.report.page import report_page

pytestmark = pytest.mark.ui

# The heads of columns whose single word is broken over lines.
BROKEN_WORDS = """[...document.querySelectorAll('th')].filter(one => one.innerText && !/\\s/.test(one.innerText)
    && one.clientHeight > 2.2 * parseFloat(getComputedStyle(one).fontSize) * 1.55).map(one => one.innerText)"""
HOSTILE = Names(
    feature="<script>alert(1)</script>",
    segment="\"><img src=x onerror='alert(2)'>",
    target="<svg onload=alert(3)>",
    description="</p><iframe srcdoc='<script>parent.alert(4)</script>'></iframe><img src=http://127.0.0.1:9/gone.png>",
)


@pytest.mark.parametrize("names", [Names(), HOSTILE], ids=["plain", "hostile"])
def test_a_report_loads_and_executes_nothing_and_fits_a_phone_and_a_page(names: Names, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(report_page(report_facts(names)))
    requests, messages = [], []
    with browsing() as browser:
        page = browser.new_page(viewport={"width": 375, "height": 700})
        page.on("request", lambda request: requests.append(request.url))
        page.on("dialog", lambda dialog: (messages.append(dialog.message), dialog.dismiss()))
        page.on("console", lambda message: messages.append(message.text))
        page.goto(file.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
        assert page.evaluate("[...document.images].every(one => one.complete && one.naturalWidth > 0)")
        assert page.locator("h1").inner_text() == "small"
        assert page.locator("img").count() == len(report_facts(names).record.pictures)
        paper = page.pdf(format="A4")
        page.emulate_media(media="print")
        page.set_viewport_size({"width": 680, "height": 1000})
        assert page.evaluate(BROKEN_WORDS) == []
    assert [url for url in requests if not url.startswith("data:")] == [file.as_uri()]
    assert messages == []
    assert paper.startswith(b"%PDF")
