import base64
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from jinja2 import UndefinedError

from pipeline.common import paths
from pipeline.models.checkpoint import save_checkpoint
from pipeline.report.analysis.rates import resample_rates
from pipeline.report.analysis.results import Result
from pipeline.report.pages.html import environment, interval, percent, points, report_page
from tests.report.markup import Element, Page
from tests.report.results import HISTORY, make_result
from tests.tiny import tiny_lines, tiny_settings, tiny_training

NASTY = "<b>&\"'</b>"
TEXTS = ["AB&", "NA", '"1"', "hi B", "A", "oo lll"] * 2
PREDICTIONS = [NASTY, "NA", "", "hi b", "AA", "o l"] * 2
HITS = {
    name: np.full(12, n) for name, n in {"hits": 3.0, "positions": 4.0, "text_hits": 1.0, "text_positions": 2.0}.items()
}
SOURCES = {
    "train": 10000,
    "data": f"own {NASTY} characters",
    "data_source": "archive",
    "data_sha256": "ab" * 32,
    "corpus": "own text",
    "corpus_source": "builtin",
    "corpus_sha256": "cd" * 32,
}
SECTIONS = ["data", "experiments", "differences", "curves", "errors", "gallery", "ctc", "worked-examples"]


def render(results: Sequence[Result], **sources: object) -> str:
    names = dict.fromkeys(result.experiment.lines for result in results)
    data = {name: tiny_lines(results[0].texts, seed=seed) for seed, name in enumerate(names)}
    rates = {}
    for name in names:
        among = {result.key: list(result.by_seed.values()) for result in results if result.experiment.lines == name}
        rates |= resample_rates(results[0].texts, among, {result.key: result.hits for result in results})
    attributes = {name: {**SOURCES, **sources} for name in names}
    return report_page(results, rates, data, attributes, tiny_training(max_epochs=7), "x86_64, 2 threads")


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's root, with a checkpoint for all experiments with CTC."""
    root = tmp_path_factory.mktemp("page")
    settings = tiny_settings("line_cnn")
    torch.manual_seed(0)
    for key in ("first", "second"):
        save_checkpoint(root / paths.checkpoint(key, 42), settings, settings.build())
    return root


@pytest.fixture(scope="module")
def html(folder: Path) -> str:
    """A page of four experiments on two data sets of lines."""
    results = [
        replace(
            make_result(TEXTS, PREDICTIONS, "first", "ctc", history={**HISTORY, "val_blank_share": [1, 0.5]}), hits=HITS
        ),
        make_result(TEXTS, [*TEXTS[:-1], ""], "third", "ce"),
        make_result(TEXTS, [""] * 12, "simple_ce_aligned", "ce"),
        make_result(TEXTS, [*TEXTS[:-1], "oO lll"], "second", "ctc", lines="other", test_accuracy=0.123),
    ]
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        return render(results)


@pytest.fixture(scope="module")
def page(html: str) -> Element:
    return Page(html).root


def section(page: Element, name: str) -> Element:
    (found,) = [one for one in page.all("section") if one.attributes["id"] == name]
    return found


def words(element: Element) -> str:
    return " ".join(element.text.split())


def test_the_page_has_its_sections_and_links_to_them(page: Element) -> None:
    assert [one.attributes["id"] for one in page.all("section")] == SECTIONS
    (contents,) = page.all("nav")
    assert [link.attributes["href"] for link in contents.all("a")] == [f"#{name}" for name in SECTIONS]
    ids = [child.attributes["id"] for child in descendants(page) if "id" in child.attributes]
    assert len(ids) == len(set(ids))
    assert {link.attributes["href"].removeprefix("#") for link in page.all("a")} <= set(ids)


def descendants(element: Element) -> list[Element]:
    return [one for child in element.children for one in (child, *descendants(child))]


def test_the_page_requests_nothing_from_the_network(html: str, page: Element) -> None:
    for element in descendants(page):
        for name in ("src", "href", "xlink:href", "srcset", "data", "action", "poster"):
            assert element.attributes.get(name, "#").startswith(("#", "data:")), element
        assert "url(" not in element.attributes.get("style", "")
    assert {element.name for element in descendants(page)}.isdisjoint({"iframe", "object", "embed", "base", "form"})
    assert [script.attributes for script in page.all("script")] == [{}]
    assert [link.attributes for link in page.all("link")] == [{"rel": "icon", "href": "data:,"}]
    assert "http:" not in html
    assert "https:" not in html
    policies = [meta.attributes["content"] for meta in page.all("meta") if "http-equiv" in meta.attributes]
    assert [policy.split("; ")[:2] for policy in policies] == [["default-src 'none'", "img-src data:"]]
    (style,) = page.all("style")
    assert "@import" not in style.text
    assert "url(" not in style.text
    for chart in re.findall(r"data:image/svg\+xml;base64,([^\"]+)", html):
        assert re.findall(r'href="(?!#)', base64.b64decode(chart).decode()) == []


def test_texts_are_escaped(html: str, page: Element) -> None:
    assert page.all("b") == []
    assert NASTY not in html
    assert f"own {NASTY} characters" in words(section(page, "data"))
    read = [code.text for code in section(page, "gallery").all("code")]
    marked = [text for text in read if "b>" in text]
    assert marked
    assert "AB&" in read
    assert "hi B" in read


def test_every_picture_has_a_description_and_a_size(page: Element) -> None:
    images = page.all("img")
    assert len(images) > 20
    for image in images:
        assert image.attributes["alt"]
        assert int(image.attributes["width"]) > 0 < int(image.attributes["height"])
    for drawing in page.all("svg"):
        assert "aria-hidden" in drawing.attributes or drawing.attributes.get("aria-label")
    for cell in page.all("th"):
        assert cell.attributes["scope"] in ("col", "row")


def test_sortable_columns_have_a_value_in_every_cell(page: Element) -> None:
    tables = [table for table in page.all("table") if "sortable" in table.attributes.get("class", "").split()]
    assert len(tables) == 3
    for table in tables:
        headers = table.all("thead")[0].all("th")
        kinds = [next((button.attributes["data-sort"] for button in header.all("button")), None) for header in headers]
        assert kinds.count(None) <= 1
        for header, kind in zip(headers, kinds, strict=True):
            assert (header.attributes.get("aria-sort") == "none") == (kind is not None)
        for row in table.all("tbody")[0].all("tr"):
            cells = [child for child in row.children if child.name in ("td", "th")]
            for cell, kind in zip(cells, kinds, strict=True):
                if kind == "number":
                    assert np.isfinite(float(cell.attributes["data-value"]))


def test_the_table_has_all_experiments_with_intervals(page: Element) -> None:
    table, settings = section(page, "experiments").all("table")
    rows = table.all("tbody")[0].all("tr")
    cells = [[words(child) for child in row.children] for row in rows]
    assert [row[0] for row in cells] == [
        "first line_cnn_simple, ctc",
        "third line_cnn_simple, ce",
        "simple_ce_aligned line_cnn_simple, ce",
        "second line_cnn_simple, ctc",
    ]
    headers = [words(header) for header in table.all("thead")[0].all("th")]
    empty = dict(zip(headers, cells[2], strict=True))
    assert empty["CER"] == "100.00 % 100.0–100.0"
    assert empty["lecture"] == "90 % accuracy"
    assert dict(zip(headers, cells[3], strict=True))["accuracy (lab)"] == "12.3 %"
    assert dict(zip(headers, cells[0], strict=True))["accuracy (text)"] == "50.0 % 50.0–50.0"
    assert "conv_dim 4" in words(settings)
    folded, strict = (float(rows[0].children[headers.index(h)].attributes["data-value"]) for h in headers[3:1:-1])
    assert folded < strict
    assert re.fullmatch(r"\d+\.\d\d % \d+\.\d–\d+\.\d", dict(zip(headers, cells[0], strict=True))["CER"])
    assert [row.attributes.get("class") for row in rows] == [None, None, None, "best"]


def test_differences_are_within_one_data_set(page: Element) -> None:
    table, _ = section(page, "differences").all("table")
    rows = [[words(child) for child in row.children] for row in table.all("tbody")[0].all("tr")]
    assert [row[0] for row in rows] == ["first", "third", "simple_ce_aligned"]
    assert [rows[i][i + 1] for i in range(3)] == ["–"] * 3
    assert rows[1][3].startswith("▼ \N{MINUS SIGN}")
    assert rows[2][2].startswith("▲ +")


def test_single_changes_are_experiments_that_differ_in_one_setting(page: Element) -> None:
    _, table = section(page, "differences").all("table")
    rows = [[words(child) for child in row.children] for row in table.all("tbody")[0].all("tr")]
    # "third" and "simple_ce_aligned" have the same settings, "second" has other lines
    assert [row[:4] for row in rows] == [
        ["first", "third", "loss", "ctc → ce"],
        ["first", "simple_ce_aligned", "loss", "ctc → ce"],
    ]
    assert [row[6][0] for row in rows] == ["▼", "+"]
    assert {row[7] for row in rows} == {"1.5 min"}


def test_predictions_show_their_edits(page: Element) -> None:
    gallery = section(page, "gallery")
    details = gallery.all("details")
    assert [words(one.all("summary")[0]).split()[0] for one in details] == [
        *("first", "third", "simple_ce_aligned", "second"),
        *("own", "other"),
    ]
    assert ["open" in one.attributes for one in details] == [False, False, False, True, False, True]
    assert [len(one.all("img")) for one in details] == [8] * 6
    first = details[0]
    assert {one.text for one in first.all("mark")} >= {"b"}
    assert {one.text for one in first.all("del")} >= {"1", '"'}
    assert "AA. 1 edit: A inserted." in words(first)
    assert "✓" in words(details[3])


def test_ctc_is_shown_for_its_experiments(page: Element) -> None:
    figures = section(page, "ctc").all("figure")
    assert [words(figure.all("figcaption")[0]).split(":")[0] for figure in figures] == ["first", "second"]
    for figure in figures:
        (drawing,) = figure.all("svg")[1:]  # the first is the experiment's line of the legend
        assert drawing.attributes["aria-label"].startswith("Steps: ")
        assert len(drawing.all("image")) == 1


def test_the_worked_examples_are_on_the_page(page: Element) -> None:
    examples = section(page, "worked-examples")
    (table, *paths_) = examples.all("table")
    cells = [[cell.text for cell in row.all("td")] for row in table.all("tbody")[0].all("tr")]
    assert len(cells) == 8
    assert cells[-1][-1] == "3 on the path"
    assert "3/7 = 42.9\N{NO-BREAK SPACE}%" in examples.text
    assert ["hello" in words(examples), "helo" in words(examples), len(paths_)] == [True, True, 2]


def test_the_page_names_its_sources(page: Element) -> None:
    for part in ("ab" * 32, "cd" * 32, "emnist.source: archive", "corpus.source: builtin", "up to 7 epochs", "10,000"):
        assert part in words(section(page, "data"))
    (footer,) = page.all("footer")
    assert "on x86_64, 2 threads." in words(footer)
    assert "Not EMNIST" not in words(page)


def test_the_same_input_gives_the_same_page(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    first, again = (render([make_result(TEXTS, PREDICTIONS, "first", "ctc")]) for _ in range(2))
    assert first == again
    assert render([make_result(TEXTS, TEXTS, "first", "ctc")]) != first


@pytest.mark.parametrize(
    ("texts", "predictions"),
    [(["a"], [""]), (["a"], ["a"]), ([" "], ["x"]), (["a", "b", "."], ["", "", ""]), (["."], ["b" * 30])],
)
@pytest.mark.parametrize("loss", ["ce", "ctc"])
def test_very_little_data_is_enough_for_a_page(
    folder: Path, monkeypatch: pytest.MonkeyPatch, texts: list[str], predictions: list[str], loss: str
) -> None:
    monkeypatch.chdir(folder)
    page = Page(render([make_result(texts, predictions, "first", loss)], data_source="glyphs", data_sha256="")).root
    assert [one.attributes["id"] for one in page.all("section")] == SECTIONS
    assert "1 experiment on lines" in words(page)
    assert ("No experiment uses CTC." in words(page)) == (loss == "ce")
    assert "No two experiments were tested on the same lines." in words(page)
    assert "Not EMNIST." in words(page)
    assert "none: drawn by code" in words(page)


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        environment().get_template("index.html.j2").render()


def test_formats_of_numbers() -> None:
    rates = resample_rates(["a", "bcd"], {"mine": [["a", ""]]})["mine"]
    assert percent(0.0824, 2) == "8.24\N{NO-BREAK SPACE}%"
    assert percent(1.5) == "150.0\N{NO-BREAK SPACE}%"
    assert interval(rates["cer"]) == "0.0–100.0"
    assert points(-0.0145, 2) == "\N{MINUS SIGN}1.45"
    assert points(0.01) == "+1.0"
