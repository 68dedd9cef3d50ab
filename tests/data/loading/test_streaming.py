from pathlib import Path

import numpy as np
import pytest

from pipeline.common.errors import InputError
from pipeline.common.splits import SPLITS
from pipeline.data.loading.batches import Batch, WidthBatches
from pipeline.data.loading.datamodule import LinesDataModule
from pipeline.data.loading.streaming import StreamingBatches, StreamingLines
from pipeline.data.storage.characters import write_characters
from pipeline.data.storage.corpus import make_corpus, write_corpus
from pipeline.data.synthesis.renderer import LineRenderer
from pipeline.settings.augmentation import StreamingSettings
from pipeline.settings.lines import LinesSettings
from tests.data.loading.test_datamodule import module
from tests.tiny import tiny_characters, tiny_lines

WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "A", "B", "CC"]
LINES = {
    "max_length": 10,
    "min_overlap": 0.0,
    "max_overlap": 0.3,
    "overlap_per": "character",
    "with_start_end_tokens": False,
    "train": 1,
    "validation": 1,
    "test": 1,
    "seed": 0,
}
AUGMENTATION = {"line": {"slant": 0.2}, "character": {"rotation": 5.0, "stroke": 0.3}, "warp": 0.5, "noise": 5.0}


def streaming_lines(count: int = 100, **augmentation: object) -> StreamingLines:
    settings = StreamingSettings.model_validate({"lines_per_epoch": count, "variety": augmentation})
    return StreamingLines(WORDS, tiny_characters(), LinesSettings.model_validate(LINES), settings)


def batches(
    count: int = 100, seed: int = 0, epoch: int = 0, replicas: int = 1, rank: int = 0, **augmentation: object
) -> list[Batch]:
    lines = StreamingBatches(streaming_lines(count, **augmentation), 3, seed, epoch, replicas, rank)
    drawn = list(lines)
    assert len(drawn) == len(lines)
    return drawn


def content(drawn: list[Batch]) -> list[tuple[bytes, list[int], list[str]]]:
    return [(batch.images.numpy().tobytes(), batch.widths, batch.texts) for batch in drawn]


@pytest.mark.parametrize("augmentation", [{}, AUGMENTATION], ids=["plain", "augmented"])
def test_seed_and_epoch_decide(augmentation: dict[str, object]) -> None:
    first = content(batches(**augmentation))
    assert first == content(batches(**augmentation))
    for changed in ({"seed": 1}, {"epoch": 1}):
        other = content(batches(**changed, **augmentation))
        assert len(other) == len(first)
        assert not {images for images, _, _ in other} & {images for images, _, _ in first}


def test_an_epoch_has_its_lines_in_whole_batches() -> None:
    drawn = batches(100)  # 3 at a time: 34 batches, in pools of 20
    assert [len(batch.texts) for batch in drawn] == [3] * 34
    assert all(batch.images.shape[2] == max(batch.widths) for batch in drawn)


def test_no_line_comes_again() -> None:
    seen = [images for epoch in range(3) for images, _, _ in content(batches(500, epoch=epoch, **AUGMENTATION))]
    assert len(set(seen)) == len(seen)


def test_batches_hold_like_widths() -> None:
    spreads = [max(batch.widths) - min(batch.widths) for batch in batches(600)]
    anyhow = np.random.default_rng(0).permutation([w for batch in batches(600) for w in batch.widths]).reshape(-1, 3)
    assert np.mean(spreads) < np.ptp(anyhow, axis=1).mean() / 3


def test_devices_take_pools_in_turns() -> None:
    pool = WidthBatches.POOL
    alone = content(batches(12 * pool))
    first, second = (content(batches(12 * pool, replicas=2, rank=rank)) for rank in (0, 1))
    assert len(first) == len(second) == 2 * pool
    shares = [first[:pool], second[:pool], first[pool:], second[pool:]]
    for number, share in enumerate(shares):  # in an order that both devices have
        assert sorted(share) == sorted(alone[number * pool : (number + 1) * pool])
        assert share != alone[number * pool : (number + 1) * pool]


def test_lines_are_those_of_the_pen_and_their_words_of_the_text() -> None:
    drawn = streaming_lines().draw(50, np.random.default_rng(5), 0)
    running = " ".join(WORDS)
    assert all(f" {text} " in f" {running} " and len(text) <= 8 for text in drawn.texts)
    again = np.random.default_rng(5)
    texts = streaming_lines().texts.sample(50, again)
    written = LineRenderer(tiny_characters(), LinesSettings.model_validate(LINES)).render(texts, again)
    assert texts == drawn.texts
    assert np.array_equal(written.images, drawn.images)


def test_augmentation_leaves_texts_and_widths_alone() -> None:
    plain, augmented = (
        streaming_lines(**augmentation).draw(50, np.random.default_rng(5), 0) for augmentation in ({}, AUGMENTATION)
    )
    assert plain.texts == augmented.texts
    assert np.array_equal(plain.widths, augmented.widths)
    assert np.array_equal(plain.starts, augmented.starts)
    assert np.array_equal(plain.image_numbers, augmented.image_numbers)
    assert not np.array_equal(plain.images, augmented.images)


def test_a_character_looks_the_same_wherever_it_stands_in_its_line() -> None:
    augmentation = streaming_lines(character={"rotation": 20.0, "slant": 0.3}).renderer.augmentation
    renderer = LineRenderer(
        tiny_characters(), LinesSettings.model_validate({**LINES, "max_overlap": 0.0}), augmentation
    )
    lines = renderer.render(["AABA", "AABA"], np.random.default_rng(0))
    cells = lines.images.reshape(2, 28, 10, 28).transpose(0, 2, 1, 3)
    for line in cells:
        assert np.array_equal(line[0], line[1])
        assert np.array_equal(line[0], line[3])
    assert not np.array_equal(cells[0, 0], cells[1, 0])


def test_only_training_characters_and_training_text_are_read(tmp_path: Path) -> None:
    images = tiny_characters()
    parts = {part: images.take(np.arange(62)) for part in SPLITS}
    for number, part in enumerate(SPLITS):  # a corner of each image says which part it is of
        marked = np.zeros_like(images.images)
        marked[:, 0, 0] = 100 + number
        parts[part] = type(images)(marked, images.labels)
    write_characters(tmp_path / "characters.h5", parts, {})
    texts = {"train": [("a", "tra ining")], "validation": [("b", "vali dation")], "test": [("c", "te st")]}
    write_corpus(tmp_path / "corpus.json", make_corpus(texts, name="own", source="own"))
    settings = StreamingSettings(lines_per_epoch=10)
    lines = StreamingLines.from_files(
        tmp_path / "characters.h5", tmp_path / "corpus.json", {**LINES, "name": "x"}, settings
    )
    drawn = lines.draw(200, np.random.default_rng(0), 0)
    assert set(drawn.texts) == {"tra", "ining"}
    assert set(np.unique(drawn.images)) == {0, 100}


def test_what_they_are_made_of_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"corpus\.json: no text to read .* run `dvc repro corpus`"):
        StreamingLines.from_files(
            tmp_path / "characters.h5",
            tmp_path / "corpus.json",
            LINES,
            StreamingSettings(lines_per_epoch=1),
        )


def test_the_data_module_goes_on_with_the_epoch() -> None:
    data = LinesDataModule(streaming_lines(60), tiny_lines(["ABC", "A"]), 3, seed=4)
    for epoch in (0, 3):
        data.trainer = module(epoch).trainer
        assert data.train_batches == 20
        assert content(list(data.train_dataloader())) == content(batches(60, seed=4, epoch=epoch))


def test_replicas_draw_other_lines_and_shuffle_alike() -> None:
    first, second = (list(StreamingBatches(streaming_lines(480), 3, 4, 0, replicas=2, rank=rank)) for rank in (0, 1))
    assert [batch.texts for batch in first] != [batch.texts for batch in second]
    widths = np.array([[max(batch.widths) for batch in share] for share in (first, second)])
    assert widths.shape == (2, 80)
    assert np.corrcoef(widths)[0, 1] > 0.8


def growing(curriculum: int | None) -> StreamingLines:
    settings = StreamingSettings(lines_per_epoch=120, curriculum=curriculum)
    lines = LinesSettings.model_validate({**LINES, "max_length": 34, "max_overlap": 0.0})
    return StreamingLines(["a"] * 50, tiny_characters(), lines, settings)


@pytest.mark.parametrize(("seen", "longest"), [(0, 8), (100, 14), (200, 20), (399, 32), (400, 32), (10_000, 32)])
def test_the_longest_texts_grow_from_a_quarter(seen: int, longest: int) -> None:
    whole = growing(None).texts.max_characters
    assert whole == 32
    assert growing(400).max_characters(seen) == longest
    assert growing(None).max_characters(seen) == whole


@pytest.mark.parametrize("replicas", [1, 2])
def test_a_curriculum_counts_the_lines_of_the_whole_training(replicas: int) -> None:
    longest = []
    for epoch in range(3):
        drawn = list(StreamingBatches(growing(240), 3, 0, epoch, replicas))
        longest.append(max(len(text) for batch in drawn for text in batch.texts))
    # The last pool of an epoch begins after 60 or all of its 120 lines.
    assert longest[0] <= growing(240).max_characters(60)
    assert longest[1] <= growing(240).max_characters(180)
    assert longest[0] < longest[1] < longest[2]
    everything = [batch for epoch in (2, 3) for batch in StreamingBatches(growing(240), 3, 0, epoch, replicas)]
    assert max(len(text) for batch in everything for text in batch.texts) > 28
