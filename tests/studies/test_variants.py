"""The settings of variants, and the workspace that trains them."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from pipeline.common.errors import InputError
from pipeline.settings.base import read_params
from pipeline.studies import variants as module
from pipeline.studies.variants import apply_changes, locate_files, train_variants, variant_params
from tests.imports import ROOT

BLOCK: dict[str, Any] = {"lines": "variable", "model": {"name": "x", "dropout": 0.5}, "training": {"seeds": [1]}}
PARAMS = read_params(ROOT / "params.yaml")


def test_changes_apply_to_a_copy_key_by_key() -> None:
    changes = {"model.dropout": 0.0, "training.endless.variety": {}, "training.trainer.devices": 2}
    assert apply_changes(BLOCK, changes) == {
        "lines": "variable",
        "model": {"name": "x", "dropout": 0.0},
        "training": {"seeds": [1], "endless": {"variety": {}}, "trainer": {"devices": 2}},
    }
    assert BLOCK["model"] == {"name": "x", "dropout": 0.5}


@pytest.mark.parametrize("none", [{}, {"endless": None}])
def test_missing_blocks_are_added(none: dict[str, Any]) -> None:
    made = apply_changes({"training": none}, {"training.endless.lines_per_epoch": 10})
    assert made == {"training": {"endless": {"lines_per_epoch": 10}}}


def test_a_block_replaces_the_whole_block() -> None:
    assert apply_changes(BLOCK, {"model": {"name": "y"}})["model"] == {"name": "y"}
    assert apply_changes(BLOCK, {"model": {"name": "y"}, "model.dropout": 0.25})["model"] == {
        "name": "y",
        "dropout": 0.25,
    }


@pytest.mark.parametrize(
    ("path", "located"),
    [
        ("data/none", "data/none"),
        ("../data/gzip.zip", "/here/project/../data/gzip.zip"),
        ("/data/gzip.zip", "/data/gzip.zip"),
    ],
)
def test_files_are_found_from_another_folder(path: str, located: str) -> None:
    params = {
        "emnist": {"archive": path, "seed": 1},
        "corpus": {"archive": path},
        "lines": {},
        "experiments": {"one": {"load": path, "loss": "ctc"}},
    }
    assert locate_files(params, Path("/here/project")) == {
        "emnist": {"archive": located, "seed": 1},
        "corpus": {"archive": located},
        "lines": {},
        "experiments": {"one": {"load": located, "loss": "ctc"}},
    }


def test_variants_start_from_weights_of_the_project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    load = "models/lstm_ctc_variable/seed_42.ckpt"
    own = {**PARAMS["experiments"]["cnn_ctc_variable"], "load": load}
    params = {**PARAMS, "experiments": {**PARAMS["experiments"], "cnn_ctc_variable": own}}
    made = variant_params(params, "cnn_ctc_variable", {"same": {}})
    assert made["experiments"]["same"]["load"] == str(tmp_path / load)


def test_only_the_variants_are_left() -> None:
    made = variant_params(PARAMS, "cnn_ctc_variable", {"wide": {"model.conv_dim": 64}, "same": {}})
    original = PARAMS["experiments"]["cnn_ctc_variable"]
    assert made["experiments"] == {
        "wide": {**original, "model": {**original["model"], "conv_dim": 64}},
        "same": original,
    }
    assert made["lines"] == {"variable": PARAMS["lines"]["variable"]}
    assert made["decoding"] == {}
    assert original["model"]["conv_dim"] == 32
    assert {name: made[name] for name in PARAMS if name not in ("experiments", "lines", "decoding")} == {
        name: PARAMS[name] for name in PARAMS if name not in ("experiments", "lines", "decoding")
    }


def test_each_variant_has_a_beam_search_of_its_name() -> None:
    made = variant_params(PARAMS, "cnn_ctc_variable", {"a": {}, "b": {}}, "lstm_ctc_variable_beam")
    search = PARAMS["decoding"]["lstm_ctc_variable_beam"]
    assert made["decoding"] == {"a": {**search, "experiment": "a"}, "b": {**search, "experiment": "b"}}


@pytest.mark.parametrize(
    ("experiment", "decoding", "message"),
    [
        ("cnn_ctc_variabl", None, "experiment: cnn_ctc_variabl: unknown; did you mean cnn_ctc_variable?"),
        ("cnn_ctc_variable", "beam", "decoding: beam: unknown; known: cnn_ctc_variable_beam, "),
        ("cnn_ce_variable", "cnn_ctc_variable_beam", "decoding.a.experiment: a is trained with ce"),
    ],
)
def test_unknown_or_unsuitable_names_are_refused(experiment: str, decoding: str | None, message: str) -> None:
    with pytest.raises(InputError) as error:
        variant_params(PARAMS, experiment, {"a": {}}, decoding)
    assert message in str(error.value)


def test_faulty_params_are_refused() -> None:
    with pytest.raises(InputError, match=r"^params.yaml: experiments: "):
        variant_params({**PARAMS, "experiments": None}, "cnn_ctc_variable", {"a": {}})


def test_a_failed_stage_ends_the_study_with_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = []

    def fail(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command[1:])
        return subprocess.CompletedProcess([], 1)

    for name in ("fill_workspace", "share_cache"):
        monkeypatch.setattr(module, name, lambda *_: None)
    monkeypatch.setattr(module.subprocess, "run", fail)
    planned = variant_params(PARAMS, "cnn_ctc_variable", {"a": {}, "b": {}}, "cnn_ctc_variable_beam")
    with pytest.raises(InputError, match="build/x: a stage failed, see above; the same command goes on from there"):
        train_variants(Path("build/x"), planned, 3)
    targets = ["evaluate@a", "evaluate@b", "decode@a", "decode@b"]
    assert commands == [["-m", "pipeline", "repro", "--jobs", "3", *targets]]
