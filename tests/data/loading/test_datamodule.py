from types import SimpleNamespace

from pipeline.data.loading.datamodule import LinesDataModule
from pipeline.data.loading.line_augmentation import LineAugmentation
from pipeline.settings.augmentation import LineAugmentationSettings
from tests.tiny import tiny_lines


def module(epoch: int, seed: int = 0, world_size: int = 1, rank: int = 0) -> LinesDataModule:
    texts = [letter * length for letter in "ABCDEFGH" for length in (1, 2, 3)]
    data = LinesDataModule(tiny_lines(texts), tiny_lines(["ABC", "A", "AB"]), 4, seed)
    data.trainer = SimpleNamespace(current_epoch=epoch, world_size=world_size, global_rank=rank)  # type: ignore[assignment]
    return data


def texts_of(data: LinesDataModule) -> list[list[str]]:
    return [batch.texts for batch in data.train_dataloader()]


def test_epochs_differ_and_come_again() -> None:
    assert texts_of(module(0)) == texts_of(module(0))
    assert texts_of(module(0)) != texts_of(module(1))
    assert texts_of(module(0)) != texts_of(module(0, seed=1))
    said = [sorted(text for batch in texts_of(module(epoch)) for text in batch) for epoch in (0, 1)]
    assert said[0] == said[1] == sorted(letter * length for letter in "ABCDEFGH" for length in (1, 2, 3))


def test_an_epoch_of_several_passes_has_each_line_so_often() -> None:
    texts = ["A", "BB", "CCC"]
    data = LinesDataModule(tiny_lines(texts), tiny_lines(texts), 2, 0, passes=4)
    batches = texts_of(data)
    assert sorted(text for batch in batches for text in batch) == sorted(4 * texts)
    assert len(batches) == data.train_batches == 6
    assert data.epoch_lines == 12
    assert sum(len(batch.texts) for batch in data.val_dataloader()) == 3


def test_augmentation_differs_between_the_passes() -> None:
    augmentation = LineAugmentation(LineAugmentationSettings(noise=0.5))
    data = LinesDataModule(tiny_lines(["A"]), tiny_lines(["A"]), 1, 0, augmentation=augmentation, passes=2)
    first, second = data.train_dataloader()
    assert first.indices == second.indices == [0]
    assert not first.images.equal(second.images)


def test_validation_lines_are_sorted_in_every_epoch() -> None:
    for epoch in (0, 1):
        assert [batch.texts for batch in module(epoch).val_dataloader()] == [["A", "AB", "ABC"]]


def test_devices_share_the_batches() -> None:
    first, second = (texts_of(module(0, world_size=2, rank=rank)) for rank in (0, 1))
    assert len(first) == len(second)
    assert sorted(first + second) == sorted(texts_of(module(0)))


def test_without_a_trainer_it_is_epoch_zero() -> None:
    data = module(0)
    expected = texts_of(data)
    data.trainer = None
    assert texts_of(data) == expected


def test_lines_share_batches_by_width_or_at_random() -> None:
    texts = [letter * length for letter in "ABCDEFGHIJKLMNOPQRSTUVWX" for length in (1, 2, 3)]
    for by_width in (True, False):
        data = LinesDataModule(tiny_lines(texts), tiny_lines(["A"]), 4, 0, by_width=by_width)
        batches = texts_of(data)
        assert sorted(text for batch in batches for text in batch) == sorted(texts)
        mixed = [batch for batch in batches if len({len(text) for text in batch}) > 1]
        assert (len(mixed) > 12) is not by_width
