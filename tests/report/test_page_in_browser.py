"""The page in a real browser, if one is installed."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.browser import browse, needs_browser
from tests.report.pages.test_html import NASTY, PREDICTIONS, TEXTS, render
from tests.report.results import make_result

pytestmark = needs_browser

LONG = "c_third_lstm_ctc_variable_short"
"""A name as long as the longest of `params.yaml`."""

# Looks into the page in a frame of either width; `<\/` because this stands in a script itself.
WRAPPER = r"""<!DOCTYPE html><meta charset="utf-8"><title>test</title><iframe></iframe><script>
const frame = document.querySelector("iframe"), found = {widths: {}, table: {}};
frame.height = 800;
frame.onload = () => {
  const inner = frame.contentDocument, table = inner.querySelector("#experiments table");
  for (const width of [390, 1400]) {
    frame.width = width;
    found.widths[width] = inner.documentElement.scrollWidth - inner.documentElement.clientWidth;
    const name = table.tBodies[0].rows[1].cells[0].getBoundingClientRect().width;
    found.table[width] = [table.parentElement.scrollWidth - table.parentElement.clientWidth, name];
  }
  const names = () => [...table.tBodies[0].rows].map((row) => row.cells[0].dataset.value);
  const click = (label) => {
    const button = [...table.querySelectorAll("th button")].find((one) => one.textContent === label);
    button.click();
    const sorted = table.querySelectorAll("th[aria-sort]:not([aria-sort=none])");
    return [button.closest("th").ariaSort, sorted.length, names()];
  };
  found.before = names();
  found.sorted = ["CER", "CER", "experiment", "accuracy (lab)"].map(click);
  found.broken = [...inner.images].filter((image) => !image.complete || !image.naturalWidth).length;
  found.images = inner.images.length;
  document.title = JSON.stringify(found);
};
frame.srcdoc = PAGE;
</script>"""


@pytest.fixture(scope="module")
def html() -> str:
    return render(
        [
            make_result(TEXTS, [NASTY, *TEXTS[1:]], "b_second", test_accuracy=0.2),
            make_result(TEXTS, PREDICTIONS, LONG, test_accuracy=0.1),
            make_result(TEXTS, TEXTS, "a_first", test_accuracy=1e-5),
        ]
    )


@pytest.fixture(scope="module")
def found(html: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("browser") / "wrapper.html"
    path.write_text(WRAPPER.replace("PAGE", json.dumps(html).replace("</", "<\\/")), encoding="utf-8")
    title = browse(path.as_uri(), path.parent / "profile")[0].split("<title>")[1].split("</title>")[0]
    looked: dict[str, Any] = json.loads(title)
    return looked


def test_the_browser_reports_no_errors(html: str, tmp_path: Path) -> None:
    path = tmp_path / "index.html"
    path.write_text(html, encoding="utf-8")
    dom, printed = browse(path.as_uri(), tmp_path / "profile")
    assert dom.count("<section") == 8
    assert "CONSOLE" not in printed


def test_headers_sort(found: dict[str, Any]) -> None:
    assert found["before"] == ["b_second", LONG, "a_first"]
    up = ["a_first", "b_second", LONG]
    assert found["sorted"] == [
        ["ascending", 1, up],
        ["descending", 1, up[::-1]],
        ["ascending", 1, up],
        ["ascending", 1, ["a_first", LONG, "b_second"]],
    ]


def test_no_width_makes_the_page_scroll_sideways(found: dict[str, Any]) -> None:
    assert found["widths"] == {"390": 0, "1400": 0}


def test_the_widest_table_fits_and_leaves_room_for_numbers_on_a_phone(found: dict[str, Any]) -> None:
    assert found["table"]["1400"][0] == 0
    assert found["table"]["390"][1] < 390 / 2


def test_every_picture_can_be_decoded(found: dict[str, Any]) -> None:
    assert found["images"] > 20
    assert found["broken"] == 0
