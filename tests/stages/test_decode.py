import json
from itertools import product
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from pipeline.__main__ import main
from pipeline.common import paths
from pipeline.common.errors import exit_on_input_error
from pipeline.common.paths import LANGUAGE_MODEL
from pipeline.common.splits import SPLITS
from pipeline.common.vocabulary import EMNIST
from pipeline.data.pictures.line import LineImage
from pipeline.data.storage.line_store import LineWriter
from pipeline.decoding.language_model.store import write_language_model
from pipeline.metrics.groups import transcribed_rates
from pipeline.models.checkpoint import RecognizerSettings, save_checkpoint
from pipeline.settings.decoding import LanguageModelSettings
from tests.projects import Project, write_lines
from tests.tiny import tiny_lines, tiny_settings

TEXTS = ["AB", "NA", "007", "hi B", "A"]
SETTINGS = tiny_settings("line_cnn", "ctc")
TEXT_COLUMNS = ["text", "greedy", "prediction", "confidences", "columns"]


@pytest.fixture
def trained(project: Project) -> Project:
    """A project with a CTC experiment `own` that has a checkpoint of fresh weights, and a language model."""
    write_lines(project.root / "data/lines/own.h5", tiny_lines(TEXTS))
    training = {"trainer": {"accelerator": "cpu", "precision": "32-true"}}
    project.params["decoding"] = {}
    project.change(
        experiments={
            "own": {"lines": "own", "loss": "ctc", "model": SETTINGS.model.model_dump(), "training": training}
        },
        decoding={
            "beam": {
                "experiment": "own",
                "language_model": str(LANGUAGE_MODEL),
                "width": 4,
                "candidates": 5,
                "lm_weights": [0.0, 0.5],
                "length_bonuses": [0.0, 4.0],
                "prior_weights": [0.0, 1.0],
            }
        },
    )
    paths.models("own").mkdir(parents=True)
    write_checkpoint(42)
    write_language_model(
        LANGUAGE_MODEL, "AB NA 007 hi", EMNIST, LanguageModelSettings(order=3, smoothing="witten_bell")
    )
    return project


def write_checkpoint(seed: int, settings: RecognizerSettings = SETTINGS, weights: int = 0, says: str = "") -> None:
    """A checkpoint of `own` with fresh weights; with `says`, the model predicts that character everywhere."""
    torch.manual_seed(weights)
    recognizer = settings.build()
    *_, bias = recognizer.model.parameters()
    with torch.no_grad():
        bias[[EMNIST.tokens.index(character) for character in says]] += 100
    save_checkpoint(paths.checkpoint("own", seed), settings, recognizer)


def read_metrics() -> tuple[dict[str, Any], dict[int, dict[str, Any]]]:
    """The metrics of all seeds together, and of each seed."""
    metrics = json.loads(Path("decodings/beam.json").read_text())
    return metrics, {int(seed): measured for seed, measured in metrics["by_seed"].items()}


def predictions() -> pd.DataFrame:
    return pd.read_csv("decodings/beam.csv", keep_default_na=False, dtype=dict.fromkeys(TEXT_COLUMNS, str))


def test_predictions_metrics_and_columns_by_character_agree(trained: Project) -> None:
    printed = trained.run("decode", "beam")
    (metrics, by_seed), table = read_metrics(), predictions()
    assert metrics["lines"] == len(TEXTS)
    assert metrics["experiment"] == "own"
    (own,) = by_seed.values()
    assert metrics["test_cer"] == own["test_cer"]
    assert (table["seed"] == 42).all()
    assert table["text"].tolist() == TEXTS
    assert metrics["test_cer"] == pytest.approx(table["edits"].sum() / 12)
    assert metrics["test_exact"] == (table["edits"] == 0).mean()
    for _, row in table.iterrows():
        assert len(row["confidences"].split()) == len(row["columns"].split()) == len(row["prediction"])
        columns = [int(column) for column in row["columns"].split()]
        assert columns == sorted(columns)
        assert all(0 <= float(value) <= 1 for value in (row["confidence"], *row["confidences"].split()))
    chosen, *tried = (
        tuple(one[name] for name in ("intermediate_share", "lm_weight", "length_bonus", "prior_weight"))
        for one in (own, *own["trials"])
    )
    trials = dict(zip(tried, [trial["cer"] for trial in own["trials"]], strict=True))
    assert list(trials) == list(product((0,), (0, 0.5), (0, 4), (0, 1)))
    assert trials[chosen] == min(trials.values()) == own["validation_cer"]
    # Here all parts of the data are the same lines, so that what was chosen on one is what was measured on the other.
    assert own["validation_cer"] == own["test_cer"]
    first, last = printed.splitlines()
    rates = f"CER {metrics['test_cer']:.2%}"
    assert first.startswith(f"decode: beam (seed 42): {rates}, greedy {metrics['test_cer_greedy']:.2%}; lm_weight ")
    assert last == f"decode: beam: {rates}"


def test_each_seed_is_decoded_as_if_it_were_alone(trained: Project) -> None:
    write_checkpoint(7, says="A")
    alone = []
    for seeds in ([42], [7], [42, 7]):
        trained.change(experiments={"own": {"training": {"seeds": seeds}}})
        trained.run("decode", "beam")
        alone.append((*read_metrics(), predictions()))
    metrics, by_seed, table = alone.pop()
    assert by_seed == {seed: measured[seed] for seed, (_, measured, _) in zip((42, 7), alone, strict=True)}
    pd.testing.assert_frame_equal(table, pd.concat([one for *_, one in alone], ignore_index=True))
    rates = [measured["test_cer"] for measured in by_seed.values()]
    assert metrics["test_cer"] == pytest.approx(fmean(rates))
    assert metrics["test_cer_std"] == pytest.approx(stdev(rates)) != 0
    trained.run("compare_decodings")
    page = Path("reports/decoding.md").read_text()
    assert f" | {100 * fmean(rates):.2f} ± {100 * stdev(rates):.2f} % (2 seeds; " in page
    assert "± is the standard deviation over the models of several seeds" in page
    assert json.loads(Path("reports/decoding.json").read_text())["beam"]["cer"] == round(fmean(rates), 4)


def test_transcribed_lines_have_more_rates_and_a_table_of_them(trained: Project) -> None:
    with h5py.File(paths.lines("own"), "r+") as file:
        for part in SPLITS:
            LineWriter(file, {}).write_origins(part, ["x", "x", "y", "y", "z"], [*"12345"])
    write_checkpoint(42, says="A")
    trained.run("decode", "beam")
    metrics, _ = read_metrics()
    table = predictions()
    for suffix, column in (("", "prediction"), ("_greedy", "greedy")):
        expected = transcribed_rates(list(table[column]), TEXTS, ["x", "x", "y", "y", "z"])
        assert {name: metrics[f"test_{name}{suffix}"] for name in expected} == pytest.approx(expected)
    trained.run("compare_decodings")
    page = Path("reports/decoding.md").read_text()
    assert "| decoding | CER beam without case | CER beam without accents |" in page
    assert f" | {metrics['test_cer_median_group_greedy']:.2%} | {metrics['test_cer_median_group']:.2%} |" in page
    summary = json.loads(Path("reports/decoding.json").read_text())["beam"]
    assert summary["cer_plain"] == round(metrics["test_cer_plain"], 4)


def test_weights_of_the_intermediate_logits_are_tuned_too(trained: Project) -> None:
    settings = tiny_settings("line_cnn_lstm", "ctc", intermediate=True)
    write_checkpoint(42, settings, weights=1)
    block = {**trained.params["experiments"]["own"], "model": settings.model.model_dump()}
    beam = {**trained.params["decoding"]["beam"], "lm_weights": [0.5], "intermediate_shares": [0.0, 0.9]}
    trained.change(experiments={"own": block}, decoding={"beam": beam})
    trained.run("decode", "beam")
    _, by_seed = read_metrics()
    metrics = by_seed[42]
    shares = [trial["intermediate_share"] for trial in metrics["trials"]]
    assert shares == [0.0] * 4 + [0.9] * 4
    by_share = [[trial["cer"] for trial in metrics["trials"] if trial["intermediate_share"] == s] for s in (0.0, 0.9)]
    assert by_share[0] != by_share[1]
    assert metrics["validation_cer"] == metrics["test_cer"] == min(map(min, by_share))


def test_the_same_settings_give_the_same_predictions(trained: Project) -> None:
    trained.run("decode", "beam")
    first = Path("decodings/beam.csv").read_bytes()
    trained.run("decode", "beam")
    assert Path("decodings/beam.csv").read_bytes() == first


def test_greedy_predictions_are_those_of_the_stage_evaluate(trained: Project, store_uri: str) -> None:
    trained.monkeypatch.setenv("MLFLOW_TRACKING_URI", store_uri)
    trained.run("decode", "beam")
    Path("history").mkdir()
    Path("history/own.csv").write_text("epoch,val_loss\n0,4.5\n")
    trained.run("evaluate", "own")
    evaluated = pd.read_csv("predictions/own.csv", keep_default_na=False, dtype={"prediction": str})
    assert predictions()["greedy"].tolist() == evaluated["prediction"].tolist()


def test_decodings_are_compared(trained: Project) -> None:
    trained.run("decode", "beam")
    assert trained.run("compare_decodings") == "compare_decodings: 1 beam searches; see reports/decoding.md\n"
    (metrics, _), page = read_metrics(), Path("reports/decoding.md").read_text()
    assert f"| `beam` | `own` | {metrics['test_cer_greedy'] * 100:.2f} % (" in page
    assert f" | {metrics['test_cer'] * 100:.2f} % (" in page
    assert json.loads(Path("reports/decoding.json").read_text())["beam"]["cer"] == round(metrics["test_cer"], 4)
    assert Path("reports/calibration.png").read_bytes().startswith(b"\x89PNG")


def test_without_beam_searches_the_page_has_none(project: Project) -> None:
    project.params["decoding"] = {}
    project.change()
    project.run("check")
    assert not [*Path("decodings").iterdir(), *Path("decoding_timings").iterdir()]
    assert project.run("compare_decodings") == "compare_decodings: 0 beam searches; see reports/decoding.md\n"
    assert json.loads(Path("reports/decoding.json").read_text()) == {}


def test_missing_inputs_are_refused_in_one_line(trained: Project) -> None:
    line = trained.refusal("compare_decodings")
    assert line.startswith("decodings/beam: cannot be read (")
    assert line.endswith("run `dvc repro decode@beam`")
    LANGUAGE_MODEL.unlink()
    assert trained.refusal("decode", "beam").endswith("run `dvc repro language_model`")
    assert not Path("decodings").exists()
    assert trained.refusal("decode", "bean") == "params.yaml: decoding.bean: unknown; did you mean beam?"


def test_predict_reads_as_the_stage_does(
    trained: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def as_stored(path: Path, name: str, height: int) -> list[LineImage]:
        pixels = np.asarray(Image.open(path))
        return [LineImage(pixels, (0, 0, pixels.shape[1], height))]

    monkeypatch.setattr("pipeline.inference.documents.read_lines", as_stored)
    trained.run("decode", "beam")
    lines = tiny_lines(TEXTS)
    for number, (image, width) in enumerate(zip(lines.images, lines.widths.tolist(), strict=True)):
        Image.fromarray(image[:, :width]).save(f"{number}.png")
    main(["predict", "--decoding", "beam", "--format", "json", *[f"{number}.png" for number in range(len(TEXTS))]])
    read = [line for document in json.loads(capsys.readouterr().out) for line in document["lines"]]
    table = predictions()
    assert [line["text"] for line in read] == table["prediction"].tolist()
    for line, values in zip(read, table["confidences"], strict=True):
        assert line["confidence"] == pytest.approx(fmean(map(float, values.split())), abs=1e-3)


def test_predict_names_a_search_that_is_missing_or_has_not_run(
    trained: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    def refusal(key: str) -> str:
        with pytest.raises(SystemExit):
            exit_on_input_error(lambda: main(["predict", "--decoding", key, "line.png"]))
        return capsys.readouterr().err

    assert refusal("bean") == "error: params.yaml: decoding.bean: unknown; did you mean beam?\n"
    assert refusal("beam") == "error: decodings/beam.json: no such file; run `dvc repro decode@beam`\n"
    paths.decoding_metrics("beam").parent.mkdir()
    paths.decoding_metrics("beam").write_text('{"by_seed": {"7": {}}}')
    assert refusal("beam").startswith("error: decodings/beam.json: not the metrics of a beam search ('42'); run `dvc ")
