import pytest
import torch

from pipeline.common.vocabulary import FIRST, Vocabulary
from pipeline.models.checkpoint import RecognizerSettings
from pipeline.models.load_matching import load_matching, matching_classes
from pipeline.models.recognizer import Recognizer
from tests.tiny import MODELS, tiny_model


def build(name: str, characters: str, seed: int, **changes: object) -> Recognizer:
    torch.manual_seed(seed)
    return RecognizerSettings(tiny_model(name, **changes), "ctc", Vocabulary(characters), 8, wrap=False).build()


def test_classes_of_common_characters() -> None:
    ours, theirs = matching_classes(Vocabulary("abé"), Vocabulary("xéa"))
    assert ours.tolist() == [0, 1, 2, 3, FIRST, FIRST + 2]
    assert theirs.tolist() == [0, 1, 2, 3, FIRST + 2, FIRST + 1]


@pytest.mark.parametrize("name", MODELS)
def test_weights_of_the_same_characters_are_copied(name: str) -> None:
    ours, theirs = build(name, "abc", 1), build(name, "abc", 2)
    load_matching(ours, theirs)
    for weight, expected in zip(ours.model.state_dict().values(), theirs.model.state_dict().values(), strict=True):
        assert torch.equal(weight, expected)


def test_rows_of_known_characters_are_copied_and_the_others_stay() -> None:
    ours, theirs = build("line_cnn_lstm", "abé", 1), build("line_cnn_lstm", "xyzéa", 2)
    fresh = {name: weight.clone() for name, weight in ours.model.state_dict().items()}
    load_matching(ours, theirs)
    copied, given = ours.model.state_dict(), theirs.model.state_dict()
    assert torch.equal(copied["line_cnn.convs.0.weight"], given["line_cnn.convs.0.weight"])
    a, b, e = FIRST, FIRST + 1, FIRST + 2
    for layer in ("fc", "line_cnn.fc2"):
        for name in (f"{layer}.weight", f"{layer}.bias"):
            assert torch.equal(copied[name][a], given[name][FIRST + 4])
            assert torch.equal(copied[name][e], given[name][FIRST + 3])
            assert torch.equal(copied[name][:FIRST], given[name][:FIRST])
            assert torch.equal(copied[name][b], fresh[name][b])
    (name,) = [name for name in given if name.startswith("lstm.forwards.0.weight_ih")]
    assert torch.equal(copied[name][:, a], given[name][:, FIRST + 4])  # the LSTM reads logits
    assert torch.equal(copied[name][:, b], fresh[name][:, b])


def test_models_of_other_sizes_are_refused() -> None:
    ours = build("line_cnn", "abc", 1)
    with pytest.raises(ValueError, match=r"convs\.0\.weight: \(5, 1, 3, 3\) instead of \(4, 1, 3, 3\)"):
        load_matching(ours, build("line_cnn", "abc", 1, conv_dim=5))
    with pytest.raises(ValueError, match="is in one of them only"):
        load_matching(ours, build("line_cnn_simple", "abc", 1))
