import copy
from pathlib import Path
from typing import Any

import pytest

from pipeline.common.errors import InputError
from pipeline.settings.base import read_params
from pipeline.settings.experiment import merge_training
from pipeline.settings.project import check_project

SHIPPED = read_params(Path(__file__).parents[2] / "params.yaml")
SIMPLE, CNN, LSTM = "line_cnn_simple", "line_cnn", "line_cnn_lstm"
NONE, QUARTER, THIRD = (0.0, 0.0), (0.25, 0.25), (0.0, 0.33)


def changed(edits: dict[str, object]) -> dict[str, Any]:
    params = copy.deepcopy(SHIPPED)
    for path, value in edits.items():
        *parents, key = path.split("/")
        block = params
        for parent in parents:
            block = block[parent]
        block[key] = value
    return params


def refusal(edits: dict[str, object]) -> str:
    with pytest.raises(InputError) as error:
        check_project(changed(edits))
    message = str(error.value)
    assert message.startswith("params.yaml: ")
    assert message.isprintable()
    return message.removeprefix("params.yaml: ")


def test_the_shipped_experiments_are_the_lectures() -> None:
    project = check_project(SHIPPED)
    table = {}
    for key, experiment in project.experiments.items():
        model, lines = experiment.model, project.lines[experiment.lines]
        if model.name not in (SIMPLE, CNN, LSTM):
            continue
        overlaps = (lines.min_overlap, lines.max_overlap)
        sizes = (model.window_width, model.window_stride, model.limit_output_length)
        table[key] = (model.name, overlaps, *sizes, experiment.loss)
    assert table == {
        "simple_ce_aligned": (SIMPLE, NONE, 28, 28, False, "ce"),
        "simple_ce_misaligned": (SIMPLE, NONE, 28, 20, True, "ce"),
        "simple_ce_matched": (SIMPLE, QUARTER, 28, 20, True, "ce"),
        "simple_ce_variable": (SIMPLE, THIRD, 28, 20, True, "ce"),
        "cnn_ce_matched": (CNN, QUARTER, 28, 20, True, "ce"),
        "cnn_ce_variable": (CNN, THIRD, 28, 20, True, "ce"),
        "cnn_ctc_matched": (CNN, QUARTER, 28, 20, False, "ctc"),
        "cnn_ctc_variable": (CNN, THIRD, 28, 18, False, "ctc"),
        "lstm_ctc_variable": (LSTM, THIRD, 28, 18, False, "ctc"),
    }


def test_the_shipped_data_and_training_are_the_lectures() -> None:
    project = check_project(SHIPPED)
    for lines in project.lines.values():
        assert (lines.max_length, lines.train, lines.validation, lines.test) == (32, 10000, 2000, 2000)
        assert (lines.max_characters, lines.seed) == (30, 42)
    training = project.training
    assert (training.learning_rate, training.batch_size, training.max_epochs) == (1e-3, 128, 10)
    assert (training.early_stopping_patience, training.seeds) == (10, [42])
    assert (project.emnist.seed, project.emnist.balance, project.corpus.seed) == (42, "mean", 42)
    assert project.emnist.nist.md5 == "58c8d27c78d21e728a6bc7b3cc06412e"
    assert project.emnist.nist.sha256 == "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e"


def test_the_shipped_sizes_are_the_lectures() -> None:
    models = {key: experiment.model for key, experiment in check_project(SHIPPED).experiments.items()}
    for key, model in models.items():
        if key.startswith("resnet"):
            continue
        assert (model.conv_dim, model.fc_dim) == ((64, 128) if key.startswith("simple") else (32, 512))
    lstm = SHIPPED["experiments"]["lstm_ctc_variable"]["model"]
    assert (lstm["lstm_dim"], lstm["lstm_layers"]) == (512, 1)


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        (
            {"experiments/simple_ce_misaligned/model/limit_output_length": False},
            "experiments.simple_ce_misaligned.model: this model makes S = 44 steps for 32 targets; "
            "set limit_output_length or change window_stride (now 20) or window_width (now 28)",
        ),
        (
            {"experiments/cnn_ce_matched/model/limit_output_length": False},
            "experiments.cnn_ce_matched.model: this model makes S = 55 steps for 32 targets; "
            "set limit_output_length or change window_stride (now 20) or window_width (now 28)",
        ),
        (
            {"experiments/simple_ce_aligned/model/window_stride": 29},
            "experiments.simple_ce_aligned.model: this model makes S = 30 steps for 32 targets, too few; "
            "change window_stride (now 29) or window_width (now 28)",
        ),
        (  # cutting does not help where steps are missing
            {
                "experiments/simple_ce_aligned/model/window_width": 29,
                "experiments/simple_ce_aligned/model/limit_output_length": True,
            },
            "experiments.simple_ce_aligned.model: this model makes S = 31 steps for 32 targets, too few; "
            "change window_stride (now 28) or window_width (now 29)",
        ),
    ],
)
def test_cross_entropy_needs_one_step_for_each_target(edits: dict[str, object], message: str) -> None:
    assert refusal(edits) == message


def test_cross_entropy_takes_the_step_that_just_fits() -> None:
    # 31 x 28 + 28 = 896: one pixel more of either, and the last window does not fit.
    check_project(changed({"experiments/simple_ce_misaligned/model/window_stride": 28}))


def test_ctc_needs_steps_for_characters_and_repeats() -> None:
    # 2 characters overlapping by a quarter are 28 + 21 = 49 pixels wide: windows at 0 and 40.
    assert refusal({"experiments/cnn_ctc_matched/model/window_stride": 40}) == (
        "experiments.cnn_ctc_matched.model: CTC cannot fit a line of 2 characters, 49 pixels wide at overlap 0.25: "
        "window_stride 40 and window_width 28 make S = 2 steps, and it needs 2 plus 1 for repeats; "
        "choose a smaller window_stride"
    )


def test_ctc_fits_as_long_as_the_stride_allows() -> None:
    # n characters are 7 + 21 n pixels: 28 make 2 steps of 24, 49 make 3, 70 make 3 and not 4.
    message = refusal({"experiments/cnn_ctc_matched/model/window_stride": 24})
    assert "CTC cannot fit a line of 3 characters, 70 pixels wide" in message
    assert "make S = 3 steps, and it needs 3 plus 1 for repeats" in message
    # 23 is rounded down to 16: 30 characters are 637 pixels and make 40 steps.
    check_project(changed({"experiments/cnn_ctc_matched/model/window_stride": 23}))


def test_ctc_counts_the_two_tokens_of_wrapped_lines() -> None:
    # One character makes 2 steps at 24, and needs 3 with <S> and <E>.
    wrapped = {"lines/matched/with_start_end_tokens": True}
    message = refusal({**wrapped, "experiments/cnn_ctc_matched/model/window_stride": 24})
    assert "experiments.cnn_ctc_matched.model: CTC cannot fit a line of 1 characters, 28 pixels wide" in message
    assert "make S = 2 steps, and it needs 3 plus 0 for repeats" in message
    check_project(changed({**wrapped, "experiments/cnn_ctc_matched/model/window_stride": 8}))


def test_ctc_counts_the_densest_overlap() -> None:
    # At 0.9, characters advance by 28 - 25 = 3 pixels: two are 31, 2 steps at 16, and need 3.
    message = refusal({"lines/variable/max_overlap": 0.9})
    for key in ("cnn_ctc_variable", "lstm_ctc_variable"):
        assert (
            f"experiments.{key}.model: CTC cannot fit a line of 2 characters, 31 pixels wide at overlap 0.9" in message
        )


def test_every_contradiction_is_named() -> None:
    message = refusal(
        {
            "experiments/simple_ce_misaligned/model/limit_output_length": False,
            "experiments/cnn_ctc_matched/lines": "mached",
            "experiments/cnn_ctc_variable/training": {"max_epoch": 5},
        }
    )
    parts = message.split("; experiments.")
    assert [part.split(":")[0].removeprefix("experiments.") for part in parts] == [
        "simple_ce_misaligned.model",
        "cnn_ctc_matched.lines",
        "cnn_ctc_variable.training.max_epoch",
    ]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("mached", "mached: unknown; did you mean matched?"),
        ("x", "x: unknown; known: aligned, matched, variable"),
        ("a\nb", "a b: unknown; known: aligned, matched, variable"),
    ],
)
def test_unknown_lines_are_named(name: str, hint: str) -> None:
    assert refusal({"experiments/cnn_ctc_matched/lines": name}) == f"experiments.cnn_ctc_matched.lines: {hint}"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"max_epoch": 5}, ".max_epoch: unknown; did you mean max_epochs?"),
        ({"max_epochs": 0}, ".max_epochs: must be greater than or equal to 1, got 0"),
        ({"trainer": {"device": 1}}, ".trainer.device: unknown; did you mean devices?"),
        ({"trainer": None}, ".trainer: must be a block of keys, got null"),
        ({5: 1}, ".5: a key must be lower-case letters, digits and _, beginning with a letter, got 5"),
        (None, ": must be a block of keys, got null"),
    ],
)
def test_an_experiments_own_training_is_checked(override: object, message: str) -> None:
    line = refusal({"experiments/cnn_ctc_matched/training": override})
    assert line == f"experiments.cnn_ctc_matched.training{message}"


def test_an_experiments_own_training_is_laid_over_the_shared() -> None:
    override = {"max_epochs": 5, "trainer": {"precision": "32-true"}}
    project = check_project(changed({"experiments/cnn_ctc_matched/training": override}))
    merged = merge_training(project.experiments["cnn_ctc_matched"], SHIPPED["training"])
    trainer = {**SHIPPED["training"]["trainer"], "precision": "32-true"}
    assert merged == {**SHIPPED["training"], "max_epochs": 5, "trainer": trainer}
    untouched = merge_training(project.experiments["cnn_ctc_variable"], SHIPPED["training"])
    assert untouched == SHIPPED["training"]
    assert SHIPPED["training"]["max_epochs"] == 10


@pytest.mark.parametrize("name", ["a.b", 5, "Upper", "a-b", "a b", "", "a\n", "1a", "_a", "é", None, True, 1.5])
@pytest.mark.parametrize("section", ["experiments", "lines"])
def test_a_name_that_dvc_would_mangle_is_refused(section: str, name: object) -> None:
    params = copy.deepcopy(SHIPPED)
    params[section][name] = copy.deepcopy(next(iter(SHIPPED[section].values())))
    with pytest.raises(InputError) as error:
        check_project(params)
    got = "null" if name is None else repr(name)
    rule = "a key must be lower-case letters, digits and _, beginning with a letter"
    assert str(error.value).startswith(f"params.yaml: {section}.")
    assert str(error.value).endswith(f": {rule}, got {got}")
    assert str(error.value).count("; ") == 0


@pytest.mark.parametrize("name", ["a", "a1", "a_", "cnn_ctc_2"])
def test_good_names_pass(name: str) -> None:
    params = copy.deepcopy(SHIPPED)
    params["experiments"][name] = params["experiments"]["cnn_ctc_matched"]
    assert name in check_project(params).experiments


URL = "https://example.org/my.zip"


@pytest.mark.parametrize("section", ["emnist", "corpus"])
@pytest.mark.parametrize(("archive", "url"), [("data/none", None), ("./data/none", None), ("my.zip", URL)])
def test_an_archive_has_one_place(section: str, archive: str, url: str | None) -> None:
    line = refusal({f"{section}/source": "archive", f"{section}/archive": archive, f"{section}/url": url})
    assert line.startswith(f"{section}: source archive needs a path in archive, or an address in url; set one of them")


@pytest.mark.parametrize("section", ["emnist", "corpus"])
def test_an_address_needs_a_hash(section: str) -> None:
    edits: dict[str, object] = {f"{section}/source": "archive", f"{section}/url": URL}
    assert refusal(edits).startswith(f"{section}: url needs sha256")
    place = getattr(check_project(changed({**edits, f"{section}/sha256": "0" * 64})), section).place
    assert place == URL
    found = check_project(changed({f"{section}/source": "archive", f"{section}/archive": "my.zip"}))
    assert getattr(found, section).place == "my.zip"


@pytest.mark.parametrize("key", ["emnist/archive", "corpus/archive", "experiments/cnn_ctc_matched/load"])
@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (None, "must be a path, or data/none for no file, got null"),
        ("", "must be a path, or data/none for no file, got ''"),
        (URL, f"must be a path, not an address, got '{URL}'"),
        ("~/x", f"DVC does not know ~; write {Path.home()}/x, got '~/x'"),
    ],
)
def test_what_is_no_path_is_refused(key: str, value: object, problem: str) -> None:
    assert refusal({key: value}) == f"{key.replace('/', '.')}: {problem}"


LOAD = "experiments/cnn_ctc_matched/load"


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        (
            {LOAD: "models/cnn_ctc_varable/seed_42.ckpt"},
            "experiments.cnn_ctc_matched.load: models/cnn_ctc_varable/seed_42.ckpt: experiment cnn_ctc_varable: "
            "unknown; did you mean cnn_ctc_variable?",
        ),
        (
            {LOAD: "models/cnn_ctc_variable/seed_43.ckpt"},
            "experiments.cnn_ctc_matched.load: models/cnn_ctc_variable/seed_43.ckpt: no checkpoint of "
            "cnn_ctc_variable; it has models/cnn_ctc_variable/seed_42.ckpt",
        ),
        (
            {LOAD: "models/cnn_ctc_matched/seed_42.ckpt"},
            "experiments.cnn_ctc_matched.load: starts from its own weights, by cnn_ctc_matched; start from others",
        ),
        (
            {"training/load": None},
            "training: load is a key of each experiment now; remove it here and set experiments.<name>.load",
        ),
        (
            {"experiments/cnn_ctc_matched/training": {"load": "models/cnn_ctc_variable/seed_42.ckpt"}},
            "experiments.cnn_ctc_matched.training: load is a key of each experiment now; remove it here and set "
            "experiments.<name>.load",
        ),
    ],
)
def test_a_checkpoint_that_cannot_be_loaded_is_refused(edits: dict[str, object], message: str) -> None:
    assert refusal(edits) == message


def test_a_checkpoint_of_another_experiment_or_from_elsewhere_passes() -> None:
    project = check_project(
        changed(
            {
                "training/seeds": [7, 8],
                LOAD: "models/cnn_ctc_variable/seed_8.ckpt",
                "experiments/lstm_ctc_variable/load": "/elsewhere/models/old/seed_1.ckpt",
            }
        )
    )
    assert project.experiments["cnn_ctc_matched"].load == "models/cnn_ctc_variable/seed_8.ckpt"
    assert project.experiments["cnn_ctc_variable"].load is None


def test_overlaps_stand_in_order() -> None:
    line = refusal({"lines/variable/min_overlap": 0.34})
    assert line == "lines.variable: min_overlap 0.34 must not be larger than max_overlap 0.33"
    check_project(changed({"lines/variable/min_overlap": 0.33}))


@pytest.mark.parametrize(
    ("key", "value"),
    [("max_length", 2), ("max_length", 256), ("max_overlap", 0.91), ("min_overlap", -0.1), ("train", 0)],
)
def test_line_sizes_have_limits(key: str, value: float) -> None:
    assert refusal({f"lines/aligned/{key}": value}).startswith(f"lines.aligned.{key}: must be ")


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        ({"decoding": None}, "decoding: must be a block of keys; write {} for no beam search, got null"),
        (
            {"decoding/lstm_ctc_variable_beam/experiment": "cnn_ce_matched"},
            "decoding.lstm_ctc_variable_beam.experiment: cnn_ce_matched is trained with ce; "
            "name an experiment that is trained with ctc",
        ),
        (
            {"decoding/lstm_ctc_variable_beam/experiment": "lstm_ctc_varable"},
            "decoding.lstm_ctc_variable_beam.experiment: lstm_ctc_varable: unknown; did you mean lstm_ctc_variable?",
        ),
        (
            {"decoding/lstm_ctc_variable_beam/lm_weights": []},
            "decoding.lstm_ctc_variable_beam.lm_weights: must have at least 1 item after validation, not 0, got []",
        ),
        (
            {"decoding/lstm_ctc_variable_beam/widht": 8},
            "decoding.lstm_ctc_variable_beam.widht: unknown; did you mean width?",
        ),
        (
            {"decoding/lstm_ctc_variable_beam/intermediate_shares": [0.0, 0.5]},
            "decoding.lstm_ctc_variable_beam.intermediate_shares: the model of lstm_ctc_variable has no intermediate "
            "logits; set intermediate: true there, or shares to [0]",
        ),
        (
            {"decoding/lstm_ctc_variable_beam/intermediate_shares": [1.0]},
            "decoding.lstm_ctc_variable_beam.intermediate_shares.0: must be less than 1, got 1.0",
        ),
        ({"language_model/order": 11}, "language_model.order: must be less than or equal to 10, got 11"),
    ],
)
def test_beams_read_ctc_experiments_alone(edits: dict[str, object], message: str) -> None:
    assert refusal(edits) == message


OWN = {
    "own_lines": {
        name: {"format": "folder", "path": "scans", "parts": {"by": "split", "validation": 0.1, "test": 0.1, "seed": 1}}
        for name in ("letters", "diaries")
    },
    "own_language_models": {
        "small": {"lines": "letters", "text": "data/none"},
        "large": {"lines": "letters", "text": "novel.txt"},
    },
    "experiments/lstm_ctc_variable/lines": "letters",
    "experiments/lstm_ctc_variable/training": {},
}
MODEL_OF_BEAM = "decoding/lstm_ctc_variable_beam/language_model"


def test_a_beam_on_own_lines_has_a_language_model_of_the_same_lines() -> None:
    project = check_project(changed({**OWN, MODEL_OF_BEAM: "data/language_models/large.h5"}))
    small = project.own_language_models["small"]
    assert (small.text, small.order, small.smoothing) == (None, 9, "kneser_ney")
    line = refusal({**OWN, MODEL_OF_BEAM: "data/language_model.h5"})
    assert line == (
        "decoding.lstm_ctc_variable_beam.language_model: data/language_model.h5: not a language model for the lines "
        "letters; it needs data/language_models/small.h5 or data/language_models/large.h5"
    )
    elsewhere = {
        **OWN,
        "experiments/lstm_ctc_variable/lines": "diaries",
        MODEL_OF_BEAM: "data/language_models/small.h5",
    }
    assert refusal(elsewhere).endswith("it needs a block of own_language_models with lines: diaries")


def test_a_beam_on_synthetic_lines_has_the_language_model_of_the_corpus() -> None:
    line = refusal({MODEL_OF_BEAM: "data/language_models/small.h5"})
    assert line.endswith("for the lines variable; it needs data/language_model.h5")


def test_a_language_model_is_of_own_lines() -> None:
    line = refusal({"own_language_models": {"small": {"lines": "variable", "text": "data/none"}}})
    assert line.startswith("own_language_models.small.lines: variable: unknown")


def test_a_beam_mixes_intermediate_logits_where_there_are_some() -> None:
    shares = {"decoding/lstm_ctc_variable_beam/intermediate_shares": [0.0, 0.5]}
    check_project(changed({**shares, "experiments/lstm_ctc_variable/model/intermediate": True}))


def test_a_beam_reads_no_start_and_end_tokens() -> None:
    line = refusal(
        {"lines/variable/with_start_end_tokens": True, "experiments/lstm_ctc_variable/model/window_stride": 8}
    )
    assert "lstm_ctc_variable has lines with_start_end_tokens; name an experiment whose lines have none" in line
