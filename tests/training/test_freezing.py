import pytest
import torch
from torch import nn

from pipeline.common.errors import InputError
from pipeline.training.freezing import freeze


def small_model() -> nn.Sequential:
    parts = {"body": nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)), "head": nn.Linear(3, 1)}
    model = nn.Sequential()
    for name, part in parts.items():
        model.add_module(name, part)
    return model


def test_a_training_changes_only_what_is_not_frozen() -> None:
    torch.manual_seed(0)
    model = small_model()
    freeze(model, ["body"])
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.5)
    model(torch.randn(4, 2)).sum().backward()
    optimizer.step()
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"head.weight", "head.bias"}


def test_a_part_within_a_part_can_be_frozen() -> None:
    model = small_model()
    freeze(model, ["body.0"])
    assert [name for name, weight in model.named_parameters() if not weight.requires_grad] == [
        "body.0.weight",
        "body.0.bias",
    ]


def test_an_unknown_part_is_named_with_those_that_exist() -> None:
    with pytest.raises(InputError, match=r"training\.frozen: tail: Sequential has no such part; it has body, head"):
        freeze(small_model(), ["tail"])


def test_something_must_be_left_to_train() -> None:
    with pytest.raises(InputError, match="names all parts of the model"):
        freeze(small_model(), ["body", "head"])
