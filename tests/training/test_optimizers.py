import pytest
import torch
from torch import nn

from pipeline.training.optimizers import make_adamw, make_optimizer
from tests.tiny import tiny_settings, tiny_training
from tests.training.short import fit


def test_adamw_decays_weights_but_not_biases() -> None:
    layer = nn.Linear(2, 1)
    nn.init.constant_(layer.weight, 4.0)
    nn.init.constant_(layer.bias, 4.0)
    optimizer = make_adamw(layer.parameters(), 0.5, weight_decay=0.1)
    layer(torch.ones(1, 2)).backward(torch.zeros(1, 1))
    optimizer.step()
    # Without a gradient the weights shrink by rate times decay.
    assert layer.weight.tolist() == [[pytest.approx(3.8), pytest.approx(3.8)]]
    assert layer.bias.tolist() == [4.0]


@pytest.mark.parametrize(("name", "kind"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)])
def test_the_settings_name_the_optimizer(name: str, kind: type) -> None:
    optimizer = make_optimizer(tiny_training(optimizer=name, weight_decay=0.25), nn.Linear(2, 2).parameters(), 0.125)
    assert type(optimizer) is kind
    assert {group["lr"] for group in optimizer.param_groups} == {0.125}
    assert optimizer.param_groups[0]["weight_decay"] == (0.25 if name == "adamw" else 0)


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_gradients_are_clipped_in_mixed_precision(optimizer: str) -> None:
    trainer = {"precision": "bf16-mixed", "gradient_clip_val": 1e-12}
    changes = {"optimizer": optimizer, "one_cycle": True, "learning_rate": 0.01, "max_epochs": 2}
    moved = fit(tiny_settings("line_resnet_lstm"), tiny_training(trainer, **changes))
    assert moved.history["step"].tolist() == [1, 2]
