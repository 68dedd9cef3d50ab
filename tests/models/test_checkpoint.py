import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pipeline.common.errors import InputError
from pipeline.common.vocabulary import EMNIST
from pipeline.models import checkpoint as module
from pipeline.models.checkpoint import RecognizerSettings, load_checkpoint, save_checkpoint
from tests.archives import outcome
from tests.tiny import MODELS, noise_images, tiny_settings


def build(settings: RecognizerSettings, seed: int = 0) -> module.Recognizer:
    torch.manual_seed(seed)
    return settings.build()


def saved(path: Path, name: str = "line_cnn", **changes: object) -> Path:
    settings = tiny_settings(name, **changes)
    save_checkpoint(path, settings, build(settings))
    return path


def change(path: Path, **changes: object) -> None:
    """Rewrite a checkpoint with some entries replaced, and without those that are None."""
    content = {**torch.load(path, weights_only=True), **changes}
    torch.save({key: value for key, value in content.items() if value is not None}, path)


def refusal(path: Path) -> str:
    """The one line that a checkpoint is refused with."""
    with pytest.raises(InputError) as error:
        load_checkpoint(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)
    return str(error.value).removeprefix(f"{path}: ")


class Malicious:
    """Unpickled, it makes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, (f"open({str(self.target)!r}, 'w').close()",)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("loss", "wrap"), [("ce", False), ("ctc", True)])
@torch.no_grad()
def test_a_checkpoint_gives_the_recognizer_back(name: str, loss: str, wrap: bool, tmp_path: Path) -> None:
    settings = tiny_settings(name, loss, max_length=9, wrap=wrap)
    recognizer = build(settings)
    save_checkpoint(tmp_path / "model.pt", settings, recognizer)
    torch.manual_seed(1)
    loaded_settings, loaded = load_checkpoint(tmp_path / "model.pt")
    assert loaded_settings == settings
    assert type(loaded.objective) is type(recognizer.objective)
    assert (loaded.objective.max_length, loaded.objective.wrap) == (9, wrap)
    assert not any(part.training for part in loaded.model.modules())
    images = (noise_images([150, 90])[:, 0] * 255).byte()
    recognizer.model.eval()
    expected, lengths = recognizer.logits(images, [150, 90])
    logits, loaded_lengths = loaded.logits(images, [150, 90])
    assert torch.equal(logits, expected)
    assert lengths == loaded_lengths


@pytest.mark.parametrize("name", MODELS)
def test_the_same_weights_give_the_same_bytes(name: str, tmp_path: Path) -> None:
    settings = tiny_settings(name)
    first, again, other, copy = (tmp_path / part / "model.pt" for part in ("first", "again", "other", "copy"))
    save_checkpoint(first, settings, build(settings))
    recognizer = build(tiny_settings(name))
    recognizer.model.to(memory_format=torch.channels_last)
    save_checkpoint(again, tiny_settings(name), recognizer)
    save_checkpoint(other, settings, build(settings, seed=1))
    save_checkpoint(copy, *load_checkpoint(first))
    assert first.read_bytes() == again.read_bytes()
    assert first.read_bytes() == copy.read_bytes()
    assert first.read_bytes() != other.read_bytes()


def test_saving_replaces_a_file_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "deep" / "model.pt")
    before = path.read_bytes()

    def fail(content: object, target: Path) -> None:
        target.write_bytes(b"half of it")
        raise OSError("disk full")

    monkeypatch.setattr(module.torch, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        saved(path)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["model.pt"]


def test_an_absent_checkpoint_says_how_to_make_it(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.pt") == "no such checkpoint; `dvc repro train` makes them"


@pytest.mark.parametrize("wrapped", ["alone", "beside the rest"])
def test_code_in_a_checkpoint_does_not_run(wrapped: str, tmp_path: Path) -> None:
    path, trace = saved(tmp_path / "model.pt"), tmp_path / "trace"
    if wrapped == "alone":
        torch.save(Malicious(trace), path)
    else:
        change(path, extra=Malicious(trace))
    assert "not a checkpoint that can be loaded safely" in refusal(path)
    assert not trace.exists()
    torch.load(path, weights_only=False)
    assert trace.exists()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol:UserWarning")
def test_a_bare_pickle_does_not_run(tmp_path: Path) -> None:
    path, trace = tmp_path / "model.pt", tmp_path / "trace"
    path.write_bytes(pickle.dumps(Malicious(trace)))
    assert "not a checkpoint that can be loaded safely" in refusal(path)
    assert not trace.exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"text\n", bytes(1000)])
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    assert "not a checkpoint that can be loaded safely" in refusal(path)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert "not a checkpoint that can be loaded safely" in refusal(tmp_path)


@pytest.mark.parametrize("content", [{"state_dict": {}}, [1, 2], {"format": "emnist-lines-checkpoint/0"}])
def test_other_contents_are_refused(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "model.pt")
    assert refusal(tmp_path / "model.pt") == (
        "not a checkpoint of this project (expected format emnist-lines-checkpoint/1)"
    )


def test_a_cut_checkpoint_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "model.pt")
    whole = path.read_bytes()
    for size in (*range(1, len(whole), len(whole) // 20), len(whole) - 1):
        path.write_bytes(whole[:size])
        assert "not a checkpoint that can be loaded safely" in refusal(path)


def test_a_damaged_byte_never_raises_anything_else(tmp_path: Path) -> None:
    path = saved(tmp_path / "model.pt")
    whole = path.read_bytes()
    results = []
    for place in range(0, 3000, 47):  # the directory of keys and settings stands first
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        results.append(outcome(lambda: load_checkpoint(path)))
    refused = [result for result in results if isinstance(result, str)]
    assert len(refused) > 10
    assert all("\n" not in line for line in refused)


def test_a_damaged_weight_is_noticed(tmp_path: Path) -> None:
    path = saved(tmp_path / "model.pt")
    weights = torch.load(path, weights_only=True)["weights"]["fc1.weight"].numpy().tobytes()
    whole = path.read_bytes()
    place = whole.index(weights) + len(weights) // 2
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    assert "not a checkpoint that can be loaded safely" in (line := refusal(path))
    assert line.endswith("is damaged)")


@pytest.mark.parametrize(
    "vocabulary",
    [None, list(EMNIST.characters), [*EMNIST.tokens, "a"], [*EMNIST.tokens[:-1], "ab"], [*EMNIST.tokens[:-1], 4]],
)
def test_a_damaged_vocabulary_is_refused(vocabulary: list[str] | None, tmp_path: Path) -> None:
    path = saved(tmp_path / "model.pt")
    change(path, vocabulary=vocabulary)
    assert refusal(path) == "its vocabulary is damaged or of another version; train it again"


@pytest.mark.parametrize(
    "changes",
    [
        {"model": {**tiny_settings("line_cnn").model.model_dump(), "fc_dim": 25}},
        {"model": tiny_settings("line_cnn_simple").model.model_dump()},
        {"model": {"name": "line_cnn"}},
        {"model": {"name": "transformer"}},
        {"model": {**tiny_settings("line_cnn").model.model_dump(), "depth": 3}},
        {"weights": {}},
        {"weights": [1]},
        {"weights": None},
        {"loss": "mse"},
        {"max_length": None},
    ],
)
def test_weights_that_do_not_fit_are_refused(changes: dict[str, object], tmp_path: Path) -> None:
    path = saved(tmp_path / "model.pt")
    change(path, **changes)
    assert refusal(path).startswith("the weights do not fit the model: ")


def test_weights_of_another_experiment_are_refused(tmp_path: Path) -> None:
    settings = tiny_settings("line_cnn")
    wrong = build(replace(settings, model=tiny_settings("line_cnn", conv_dim=5).model))
    save_checkpoint(tmp_path / "model.pt", settings, wrong)
    assert refusal(tmp_path / "model.pt").startswith("the weights do not fit the model: ")
