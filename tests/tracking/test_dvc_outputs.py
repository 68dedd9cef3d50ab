import json
from pathlib import Path

from pipeline.runtime.timings import write_timing
from pipeline.settings.experiment import ExperimentSettings
from pipeline.tracking.dvc_outputs import read_comparison, read_evaluation
from pipeline.tracking.run_description import run_settings, run_tags
from tests.tiny import tiny_training
from tests.tracking.conftest import TRAINING


def test_an_evaluation_has_the_numbers_and_leaves_out_the_rest(experiment: ExperimentSettings) -> None:
    Path("metrics").mkdir()
    measured = {"test_cer": 0.25, "test_wer": 1, "parameters": 99, "text": "fp32", "none": None}
    Path("metrics/mine.json").write_text(json.dumps(measured))
    write_timing("mine", "evaluate", {1: 1234.56}, "fp32")
    write_timing("mine", "train", {1: 60.04}, "32-true")
    found = read_evaluation("mine", experiment, TRAINING, 1, [Path("b.png")])
    assert found.metrics == {"cer": 0.25, "wer": 1, "parameters": 99, "lines_per_second": 1234.6}
    assert (found.training_metrics, found.seed, found.variant) == ({"training_seconds": 60.0}, 1, "")
    assert (found.experiment_key, found.checkpoint, found.history, found.pictures, found.settings, found.tags) == (
        *("mine", Path("models/mine/seed_1.ckpt"), Path("history/mine.csv"), [Path("b.png")]),
        run_settings(experiment, TRAINING, 1),
        run_tags(experiment, 1),
    )


def test_each_of_several_seeds_has_numbers_of_its_own(experiment: ExperimentSettings) -> None:
    by_seed = {"1": {"test_cer": 0.25}, "2": {"test_cer": 0.5}}
    measured = {"test_cer": 0.375, "parameters": 99, "test_cer_std": 0.18, "seeds": 2, "by_seed": by_seed}
    Path("metrics").mkdir()
    Path("metrics/mine.json").write_text(json.dumps(measured))
    write_timing("mine", "train", {1: 60, 2: 70}, "32-true")
    training = tiny_training(seeds=[1, 2, 3])
    first, second, third = (read_evaluation("mine", experiment, training, seed) for seed in (1, 2, 3))
    assert first.metrics == {"cer": 0.25, "parameters": 99}
    assert second.metrics == {"cer": 0.5, "parameters": 99}
    assert (second.training_metrics, second.variant, second.tags["seed"]) == ({"training_seconds": 70}, "seed 2", "2")
    assert (third.metrics, third.training_metrics) == ({}, {})  # measured before it was added


def test_a_training_that_is_not_evaluated_has_no_metrics(experiment: ExperimentSettings) -> None:
    found = read_evaluation("mine", experiment, TRAINING, 1)
    assert (found.metrics, found.pictures) == ({}, ())


def test_test_lines_of_the_same_pages_are_the_same_at_any_height(experiment: ExperimentSettings) -> None:
    """Of several seeds, too; synthetic lines have no page."""
    for folder in ("metrics", "predictions", "data/lines"):
        Path(folder).mkdir(parents=True, exist_ok=True)
    Path(f"data/lines/{experiment.lines}.h5").write_text("lines")
    header, own = "seed,line,text,prediction,page\n", ("1,0,one,on,a\n", "1,1,two,tw,b\n")
    written = {
        "low": header + "".join(own),
        "high": header + "".join(own) + "".join(line.replace("1", "2", 1).replace("on,", "one,") for line in own),
        "other": header + own[0],
        "synthetic": header + "1,0,one,on,\n",
    }
    for key, predictions in written.items():
        Path(f"metrics/{key}.json").write_text('{"test_cer": 0.5}')
        Path(f"predictions/{key}.csv").write_text(predictions)
    Path("metrics/absent.json").write_text('{"test_cer": 0.5}')
    keys = [*written, "absent"]
    comparison = read_comparison(dict.fromkeys(keys, experiment), {key: [1] for key in keys}, Path("reports"))
    low, high, other, synthetic, absent = (member.test_set for member in comparison.members)
    assert low == high
    assert len({low, other, ""}) == 3
    assert (synthetic, absent) == ("", "")
