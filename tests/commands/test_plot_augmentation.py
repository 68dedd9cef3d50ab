from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML

from pipeline.commands.plot_augmentation import COPIES, SHOWN, augment_characters, main
from pipeline.common.errors import InputError
from pipeline.common.splits import SPLITS
from pipeline.data.storage.characters import write_characters
from pipeline.settings.augmentation import AugmentationSettings
from tests.projects import profile_params, write_lines
from tests.tiny import tiny_characters, tiny_lines

SOME = AugmentationSettings.model_validate({"character": {"rotation": 10.0}, "warp": 0.5})


def make_rows(settings: AugmentationSettings, seed: int = 0) -> np.ndarray:
    return augment_characters(tiny_characters(), settings, "AN", 3, np.random.default_rng(seed))


def test_each_row_is_a_training_character_and_its_augmented_copies() -> None:
    rows = make_rows(SOME)
    assert rows.shape == (2, 4, 28, 28)
    known = {image.tobytes() for image in tiny_characters().images}
    assert all(row[0].tobytes() in known for row in rows)
    assert len({image.tobytes() for image in rows.reshape(-1, 28, 28)}) == 8
    assert np.array_equal(rows, make_rows(SOME))
    assert not np.array_equal(rows, make_rows(SOME, seed=1))


def test_without_augmentation_the_copies_are_equal() -> None:
    rows = make_rows(AugmentationSettings())
    assert (rows == rows[:, :1]).all()


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Small settings; the current folder has them, and characters."""
    monkeypatch.chdir(tmp_path)
    write_characters(Path("characters.h5"), dict.fromkeys(SPLITS, tiny_characters()), {})
    made = profile_params("tiny")
    YAML().dump(made, tmp_path / "params.yaml")
    return made


def test_the_command_draws_what_the_settings_say(params: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    training = {"endless": {"lines_per_epoch": 10, "variety": {"warp": 0.5}}}
    params["experiments"]["cnn_ctc_variable"]["training"] = training
    YAML().dump(params, Path("params.yaml"))
    main("cnn_ctc_variable", Path("characters.h5"), Path("augmentation.png"), seed=0)
    assert capsys.readouterr().out == "plot_augmentation: see augmentation.png\n"
    with Image.open("augmentation.png") as picture:
        assert picture.width > COPIES / len(SHOWN) * picture.height


def test_lines_are_drawn_above_their_augmented_copies(params: dict[str, Any]) -> None:
    write_lines(Path("lines.h5"), tiny_lines(["AB", "C"]))
    params["experiments"]["cnn_ctc_variable"]["training"] = {"augmentation": {"fade": 0.5}}
    YAML().dump(params, Path("params.yaml"))
    main("cnn_ctc_variable", Path("lines.h5"), Path("augmentation.png"), seed=0)
    with Image.open("augmentation.png") as picture:
        pixels = 255 - np.asarray(picture).astype(int)
    starts = [0, 30, 60]  # a line of 28 rows and two rows of paper
    plain, *copies = (pixels[start : start + 28] for start in starts)
    for copy in copies:
        assert (copy <= plain).all()
        assert 0.5 * plain.sum() <= copy.sum() < plain.sum()


@pytest.mark.usefixtures("params")
def test_an_experiment_without_augmentation_is_refused() -> None:
    with pytest.raises(InputError, match=r"cnn_ctc_variable\.training: has neither augmentation nor endless\.variety"):
        main("cnn_ctc_variable", Path("characters.h5"), Path("augmentation.png"), seed=0)
    assert not Path("augmentation.png").exists()
