import json
import re
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.report.results import Result, read_predictions, read_result
from pipeline.settings.experiment import ExperimentSettings
from tests.report.results import make_result
from tests.tiny import tiny_model

EXPERIMENT = ExperimentSettings(lines="own", loss="ctc", model=tiny_model("line_cnn"))
FILES = {
    "metrics/mine.json": json.dumps({"test_cer": 0.5}),
    "predictions/mine.csv": 'line,text,prediction\n0,NA,007\n1,"a ""b""",\n2,1e5,nan\n',
    "history/mine.csv": "epoch,val_loss\n0,4.5\n1,\n",
}


@pytest.fixture
def result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Result:
    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        Path(name).parent.mkdir()
        Path(name).write_text(content)
    return read_result("mine", EXPERIMENT)


def test_everything_of_an_experiment_is_read(result: Result) -> None:
    assert (result.key, result.experiment, result.metrics) == ("mine", EXPERIMENT, {"test_cer": 0.5})
    assert result.history["epoch"].tolist() == [0, 1]
    assert len(result.alignments) == 3


def test_text_stays_text(result: Result) -> None:
    assert result.texts == ["NA", 'a "b"', "1e5"]
    assert result.readings == ["007", "", "nan"]
    assert read_predictions("mine")["prediction"].tolist() == result.readings


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
    stage = "train" if name.startswith("history") else "evaluate"
    assert str(error.value).endswith(f"); run `dvc repro {stage}@mine`")
    assert "\n" not in str(error.value)


def test_predictions_of_other_lines_are_refused() -> None:
    result = make_result(["ab", "c"], ["ab", "c"])
    result.require_texts(["ab", "c"], Path("data/lines/own.h5"))
    message = "predictions/mine.csv: not of the lines in data/lines/own.h5; run `dvc repro evaluate@mine`"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        result.require_texts(["ab"], Path("data/lines/own.h5"))
