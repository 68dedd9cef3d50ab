"""The page in a real browser, if one is installed: draw a line, drop a picture, type a text."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from starlette.responses import HTMLResponse

from pipeline.app.api import create_api
from pipeline.app.models import ModelStore
from pipeline.app.page import add_page
from pipeline.app.writing import write_line
from tests.app.server import running
from tests.browser import browse, needs_browser

pytestmark = needs_browser

TEXT = "Hello World"
DROPPED = write_line("drop me", 5)

# Uses the page in a frame, as a person would, and puts what it shows into the title.
WRAPPER = r"""<!DOCTYPE html><meta charset="utf-8"><title>test</title>
<iframe src="/" width="390" height="900"></iframe><script type="module">
const frame = document.querySelector("iframe"), found = {};
await new Promise((resolve) => (frame.onload = resolve));
const page = frame.contentDocument, find = (id) => page.getElementById(id);
const until = async (condition) => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
};
const character = (span) => span.firstChild.data.replace("␣", " ");
const text = (id) => [...find(id).querySelectorAll("span")].map(character).join("");
const overflow = () => page.documentElement.scrollWidth - page.documentElement.clientWidth;
async function reads(what, action) {
  find("reading").hidden = find("message").hidden = false;
  find("message").classList.remove("error");
  action();
  await until(() => find("message").hidden || find("message").classList.contains("error"));
  found[what] = {
    greedy: text("greedy"), likeliest: find("likeliest").children.length, error: find("message").textContent,
    places: find("places").querySelectorAll(".place").length, symbols: find("steps").querySelectorAll("text").length,
    steps: !find("steps-block").hidden, overflow: overflow(), height: find("places").querySelector("svg")?.clientHeight,
  };
}
function draw() {
  const canvas = find("canvas"), box = canvas.getBoundingClientRect();
  const send = (type, x, y) => canvas.dispatchEvent(new frame.contentWindow.PointerEvent(
    type, {clientX: box.left + x, clientY: box.top + y, pointerId: 1, bubbles: true, cancelable: true}));
  for (const left of [20, 80, 140]) {
    send("pointerdown", left, 20);
    for (let y = 20; y <= 110; y += 10) send("pointermove", left + (y % 20), y);
    send("pointerup", left, 110);
  }
}
function drop() {
  const data = new DataTransfer(), bytes = Uint8Array.from(atob("DROPPED"), (c) => c.charCodeAt(0));
  data.items.add(new File([bytes], "dropped.png", {type: "image/png"}));
  page.documentElement.dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true}));
}
function type(written) {
  find("tab-type").click();
  find("text").value = written;
  find("write").requestSubmit();
}
await until(() => find("model").length && find("examples").querySelector("button"));
found.models = [...find("model").options].map((option) => option.text);
found.start = overflow();
await reads("drawn", draw);
await reads("dropped", drop);
await reads("typed", () => type("TEXT"));
const first = find("greedy").firstChild;
first.click();
found.marker = find("places").querySelector(".marker").getAttribute("width");
find("model").value = "second_ce";
await reads("other", () => find("model").dispatchEvent(new Event("change")));
await reads("refused", () => type("\u00e4"));
frame.width = 1400;
found.wide = overflow();
find("model").value = "first_ctc";
await reads("example", () => find("examples").querySelector("button").click());
document.title = JSON.stringify(found);
</script>"""


@pytest.fixture(scope="module")
def address(workspace: Path) -> Iterator[str]:
    app = create_api(ModelStore())
    wrapper = WRAPPER.replace("DROPPED", base64.b64encode(DROPPED).decode()).replace("TEXT", TEXT)
    app.add_api_route("/test.html", lambda: HTMLResponse(wrapper), include_in_schema=False)
    add_page(app)
    with running(app) as address:
        yield address


@pytest.fixture(scope="module")
def found(address: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    profile = tmp_path_factory.mktemp("browser")
    dom, _ = browse(f"{address}/test.html", profile, 60000)
    looked: dict[str, Any] = json.loads(dom.split("<title>")[1].split("</title>")[0])
    return looked


def read(address: str, picture: bytes, model: str = "first_ctc") -> str:
    """What the HTTP interface reads."""
    files = [("pictures", ("line.png", picture))]
    answer = requests.post(f"{address}/v1/read", files=files, data={"model": model}, timeout=60)
    return str(answer.json()["results"][0]["lines"][0]["reading"]["text"])


def test_the_browser_reports_no_errors(address: str, tmp_path: Path) -> None:
    dom, printed = browse(address, tmp_path)
    assert "first_ctc, CER 10.0 %" in dom
    assert "CONSOLE" not in printed


def test_models_are_offered(found: dict[str, Any]) -> None:
    assert found["models"] == ["first_ctc, CER 10.0 %", "second_ce, CER 20.0 %"]


def test_a_drawing_is_read(found: dict[str, Any]) -> None:
    assert found["drawn"]["error"] == ""
    assert found["drawn"]["symbols"] > 3
    assert found["drawn"]["likeliest"] == 5


def test_a_dropped_picture_and_a_typed_text_are_read(found: dict[str, Any], address: str) -> None:
    assert found["dropped"]["greedy"] == read(address, DROPPED)
    assert found["typed"]["greedy"] == read(address, write_line(TEXT, 0))
    assert found["typed"]["greedy"] != found["dropped"]["greedy"]


def test_each_character_has_its_place_and_a_touch_marks_it(found: dict[str, Any]) -> None:
    assert found["typed"]["places"] == len(found["typed"]["greedy"]) > 0
    assert float(found["marker"]) > 0
    assert found["typed"]["height"] > 60


def test_another_model_reads_the_same_picture_again(found: dict[str, Any], address: str) -> None:
    assert found["other"]["greedy"] == read(address, write_line(TEXT, 0), "second_ce")
    assert not found["other"]["steps"]


def test_a_refusal_is_shown(found: dict[str, Any]) -> None:
    assert found["refused"]["error"].startswith("text: 'ä' cannot be written")


def test_an_example_is_read(found: dict[str, Any]) -> None:
    assert found["example"]["error"] == ""
    assert found["example"]["steps"]


def test_no_width_makes_the_page_scroll_sideways(found: dict[str, Any]) -> None:
    widths = [found["start"], found["wide"], *(found[what]["overflow"] for what in ("drawn", "typed", "example"))]
    assert widths == [0, 0, 0, 0, 0]
