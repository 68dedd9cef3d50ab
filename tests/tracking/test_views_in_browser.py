"""What `make ui` shows in a real browser, if one is installed."""

import math
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.common.files import file_md5
from pipeline.tracking import comparisons
from pipeline.tracking.comparisons import Comparison, Member, log_comparison
from pipeline.tracking.start import create_run
from pipeline.tracking.store import Store, open_store
from tests.browser import browse, needs_browser
from tests.commands.test_ui import free_port
from tests.tracking.conftest import python_environment, use_root

pytestmark = needs_browser

TEST_CER = {f"experiment_{letter}": 0.9 - 0.1 * number for number, letter in enumerate("abcdefghi")}
COLUMNS = ("metrics.`test_cer`", "metrics.`val_cer`", "metrics.`test_accuracy`")
TAGS = ("tags.`model`", "tags.`loss`", "tags.`lines`")


def log_training(store: Store, checkpoint: Path, cer: float) -> Member:
    key = checkpoint.stem
    checkpoint.write_text(key)
    tags = {"model": "line_cnn", "loss": "ctc", "lines": "variable", "source": "train"}
    with create_run(store, key, {"seed": 1}, tags) as run:
        for epoch in range(3):
            run.log_epoch(epoch, {"val_cer": cer + math.exp(-epoch), "val_loss": 3 * cer + math.exp(-epoch)})
        run.log_metrics({"test_cer": cer, "test_accuracy": 1 - cer})
        run.mark_complete(file_md5(checkpoint))
    return Member(key, [checkpoint], "variable", "d41d", cer)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address that `make ui` prints for a store with nine trainings and two comparisons, while it serves them."""
    root = tmp_path_factory.mktemp("browser")
    with pytest.MonkeyPatch.context() as monkeypatch:
        use_root(monkeypatch, root)
        monkeypatch.setattr(comparisons, "register_best", lambda *_: False)
        store = open_store()
        members = [log_training(store, root / f"{key}.ckpt", cer) for key, cer in TEST_CER.items()]
        log_comparison(Comparison(members, []))
        log_comparison(Comparison(members[:5], []))
    command = [sys.executable, "-m", "pipeline", "ui", "--port", str(free_port())]
    with subprocess.Popen(command, env=python_environment(root), stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        printed = server.stdout.readline()
        match = re.match(r"Open (http://127\.0\.0\.1\S+)", printed)
        assert match, printed
        yield match[1]
        server.send_signal(signal.SIGTERM)


def read_table(dom: str) -> list[dict[str, str]]:
    """The rows in their order: the text of each cell by its column. MLflow's names on the left are a table apart."""
    rows: dict[int, dict[str, str]] = {}
    for part in dom.split('role="row"')[1:]:
        if index := re.match(r' row-index="(\d+)"', part):
            cells = re.findall(r'col-id="([^"]*)"(.*?)(?=role="gridcell"|$)', part, re.DOTALL)
            texts = {column: " ".join(re.findall(r">([^<>]+)<", cell)) for column, cell in cells}
            rows.setdefault(int(index[1]), {}).update(texts)
    return [rows[index] for index in sorted(rows)]


def test_the_table_has_every_training_with_the_lowest_cer_first(address: str, tmp_path: Path) -> None:
    rows = read_table(browse(address, tmp_path, 15000)[0])
    names = [re.search(r"experiment_\w", str(row)) for row in rows]
    assert [name and name[0] for name in names] == list(reversed(TEST_CER))
    values = [[float(row[column]) for column in COLUMNS] for row in rows]
    expected = [[cer, cer + math.exp(-2), 1 - cer] for cer in reversed(TEST_CER.values())]
    assert values == [pytest.approx(row) for row in expected]
    assert {tuple(row[tag] for tag in TAGS) for row in rows} == {("line_cnn", "ctc", "variable")}


def test_the_charts_have_a_series_for_every_training(address: str, tmp_path: Path) -> None:
    dom, _ = browse(address.replace("TABLE", "CHART"), tmp_path, 60000)
    cards = dom.split('data-testid="experiment-view-compare-runs-card"')[1:]
    titles = [re.search(r"\b(val|test)_\w+", card) for card in cards]
    assert [title and title[0] for title in titles] == ["val_cer", "val_loss", "test_cer"]
    for card, metric in zip(cards[:2], ("val_cer", "val_loss"), strict=True):
        # MLflow draws each curve twice: as it is and smoothed.
        assert len(set(re.findall(r'class="js-line" d="([^"]*)"', card))) == 9
        assert all(f"{key} ({metric})" in card for key in TEST_CER)
    bars = re.findall(r'class="bartext[^>]* data-unformatted="([^"]*)"', cards[2])
    assert sorted(map(float, bars)) == pytest.approx(sorted(TEST_CER.values()))
