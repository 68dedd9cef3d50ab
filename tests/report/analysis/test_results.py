import json
import re
from pathlib import Path

import pytest

from pipeline.common.errors import InputError
from pipeline.report.analysis.results import Result, read_predictions, read_result
from pipeline.settings.experiment import ExperimentSettings
from tests.report.results import make_result
from tests.tiny import tiny_model

EXPERIMENT = ExperimentSettings(lines="own", loss="ctc", model=tiny_model("line_cnn"))
FILES = {
    "metrics/mine.json": json.dumps({"test_cer": 0.5}),
    "predictions/mine.csv": 'seed,line,text,prediction\n42,0,NA,007\n42,1,"a ""b""",\n42,2,1e5,nan\n',
    "history/mine.csv": "seed,epoch,val_loss\n42,0,4.5\n42,1,\n",
    "timings/mine_train.json": '{"by_seed": {"42": 60.5}, "precision": "32-true", "machine": "mine"}',
    "timings/mine_evaluate.json": '{"by_seed": {"42": 1234.5}, "precision": "fp32", "machine": "mine"}',
}


@pytest.fixture
def result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Result:
    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(content)
    return read_result("mine", EXPERIMENT)


def test_everything_of_an_experiment_is_read(result: Result) -> None:
    assert (result.key, result.experiment, result.metrics) == ("mine", EXPERIMENT, {"test_cer": 0.5})
    assert result.history["epoch"].tolist() == [0, 1]
    assert len(result.alignments) == 3
    assert (result.trained.mean, result.evaluated.mean, result.evaluated.precision) == (60.5, 1234.5, "fp32")
    assert result.seeds == [42]


def test_texts_are_not_parsed_as_numbers(result: Result) -> None:
    assert result.texts == ["NA", 'a "b"', "1e5"]
    assert result.predictions == ["007", "", "nan"]
    assert read_predictions("mine")["prediction"].tolist() == result.predictions


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content", [None, b"", b"\xff"])
def test_a_file_that_cannot_be_read_is_named_with_what_makes_it(
    result: Result, name: str, content: bytes | None
) -> None:
    Path(name).unlink()
    if content is not None:
        Path(name).write_bytes(content)
    with pytest.raises(InputError) as error:
        read_result("mine", EXPERIMENT)
    assert str(error.value).startswith(f"{name}: cannot be read (")
    stage = "train" if name in ("history/mine.csv", "timings/mine_train.json") else "evaluate"
    assert str(error.value).endswith(f"); run `dvc repro {stage}@mine`")
    assert "\n" not in str(error.value)


def test_every_seed_has_its_rows(result: Result) -> None:
    Path("predictions/mine.csv").write_text("seed,text,prediction\n7,ab,a\n7,c,c\n3,ab,\n3,c,d\n")
    Path("history/mine.csv").write_text("seed,epoch,val_loss\n7,0,4.5\n7,1,4\n3,0,5\n")
    found = read_result("mine", EXPERIMENT)
    assert (found.seeds, found.texts, found.predictions) == ([7, 3], ["ab", "c"], ["a", "c"])
    assert found.by_seed == {7: ["a", "c"], 3: ["", "d"]}
    assert {seed: rows["val_loss"].tolist() for seed, rows in found.histories.items()} == {7: [4.5, 4], 3: [5]}


def test_hits_are_averaged_over_seeds(result: Result) -> None:
    assert result.hits == {}
    columns = "seed,text,prediction,positions,hits,text_positions,text_hits"
    Path("predictions/mine.csv").write_text(f"{columns}\n7,ab,a,4,3,2,1\n7,c,c,4,4,1,1\n3,ab,,4,2,2,0\n3,c,d,4,3,1,0\n")
    hits = {name: values.tolist() for name, values in read_result("mine", EXPERIMENT).hits.items()}
    assert hits == {"hits": [2.5, 3.5], "positions": [4, 4], "text_hits": [0.5, 0.5], "text_positions": [2, 1]}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("predictions/mine.csv", "line,text,prediction\n0,a,a\n", "cannot be read (no column seed)"),
        ("predictions/mine.csv", "seed,text,prediction\n", "cannot be read (no rows)"),
        ("predictions/mine.csv", "seed,text,prediction\n1,a,a\n2,b,b\n", "its seeds have different lines"),
        ("history/mine.csv", "epoch,val_loss\n0,4.5\n", "cannot be read (no column seed)"),
        ("timings/mine_train.json", '{"by_seed": {}, "precision": "", "machine": ""}', "cannot be read (not what"),
    ],
)
def test_a_file_with_another_format_is_named(result: Result, name: str, content: str, reason: str) -> None:
    Path(name).write_text(content)
    with pytest.raises(InputError) as error:
        read_result("mine", EXPERIMENT)
    assert str(error.value).startswith(f"{name}: {reason}")
    assert "; run `dvc repro " in str(error.value)


def test_predictions_of_other_lines_are_refused() -> None:
    result = make_result(["ab", "c"], ["ab", "c"])
    result.require_texts(["ab", "c"], Path("data/lines/own.h5"))
    message = "predictions/mine.csv: does not belong to the lines in data/lines/own.h5; run `dvc repro evaluate@mine`"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        result.require_texts(["ab"], Path("data/lines/own.h5"))
