from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.common.errors import InputError
from pipeline.data.storage.characters import (
    SPLITS,
    Characters,
    balance,
    describe_source,
    read_characters,
    split,
    write_characters,
)
from tests.archives import make_characters, outcome

PARTS = {name: make_characters(count, seed) for seed, (name, count) in enumerate(zip(SPLITS, (3, 1, 2), strict=True))}
counts_per_class = st.lists(st.integers(2, 12), min_size=62, max_size=62)


def numbered(counts: list[int], seed: int = 0) -> Characters:
    """Shuffled characters, `counts[k]` of label k; every image holds its own number and its label."""
    labels = np.repeat(np.arange(62, dtype=np.uint8), counts)
    np.random.default_rng(seed).shuffle(labels)
    images = np.zeros((len(labels), 28, 28), np.uint8)
    images[:, 0, 0], images[:, 0, 1] = np.divmod(np.arange(len(labels)), 256)
    images[:, 0, 2] = labels
    return Characters(images, labels)


def numbers(characters: Characters) -> list[int]:
    np.testing.assert_array_equal(characters.images[:, 0, 2], characters.labels)
    return (characters.images[:, 0, 0].astype(int) * 256 + characters.images[:, 0, 1]).tolist()


def class_counts(characters: Characters) -> list[int]:
    return [int((characters.labels == label).sum()) for label in range(62)]


def test_take_keeps_the_order_asked_for() -> None:
    taken = numbered([2] * 62).take(np.array([5, 0, 5]))
    assert numbers(taken) == [5, 0, 5]
    assert len(taken) == 3


def test_classes_are_capped_at_the_mean_count() -> None:
    # 61 x 2 + 200 = 322 images of 62 classes: 5.19 on average.
    assert class_counts(balance(numbered([2] * 61 + [200]), np.random.default_rng(0))) == [2] * 61 + [5]
    # A mean of exactly 4.
    assert class_counts(balance(numbered([3] * 31 + [5] * 31), np.random.default_rng(0))) == [3] * 31 + [4] * 31


@given(counts_per_class, st.integers(0, 100))
def test_balance_keeps_images_of_its_own_and_no_more_than_the_mean(counts: list[int], seed: int) -> None:
    characters = numbered(counts, seed)
    kept = balance(characters, np.random.default_rng(seed))
    assert class_counts(kept) == [min(count, sum(counts) // 62) for count in counts]
    assert numbers(kept) == sorted(set(numbers(kept)))


def test_balance_draws_each_image_alike() -> None:
    # Of 20 images of one class, 3 stay: the mean of 61 x 3 and 20 is 3.27.
    characters = numbered([20] + [3] * 61)
    members = np.flatnonzero(characters.labels == 0).tolist()
    draws = 600
    hits = dict.fromkeys(members, 0)
    for seed in range(draws):
        kept = balance(characters, np.random.default_rng(seed))
        for number in set(numbers(kept)) & set(members):
            hits[number] += 1
    assert sum(hits.values()) == 3 * draws
    # 90 expected each, standard deviation 8.7: five of them.
    assert all(46 <= hit <= 134 for hit in hits.values())


@given(counts_per_class, st.floats(0.01, 0.99), st.integers(0, 100))
def test_split_is_disjoint_whole_and_stratified(counts: list[int], fraction: float, seed: int) -> None:
    characters = numbered(counts, seed)
    first, second = split(characters, fraction, np.random.default_rng(seed))
    assert sorted(numbers(first) + numbers(second)) == list(range(len(characters)))
    for count, rest, part in zip(counts, class_counts(first), class_counts(second), strict=True):
        assert rest + part == count
        assert rest >= 1
        assert part >= 1
        assert abs(part - count * fraction) <= 0.5 or part in (1, count - 1)


def test_split_sizes_by_hand() -> None:
    first, second = split(numbered([10] * 61 + [2]), 0.3, np.random.default_rng(0))
    assert class_counts(second) == [3] * 61 + [1]
    assert class_counts(first) == [7] * 61 + [1]


def test_the_seed_decides() -> None:
    characters = numbered([10] * 62)
    balanced = numbered([20] * 10 + [2] * 52)
    results = []
    for seed in (1, 1, 2):
        parts = split(characters, 0.3, np.random.default_rng(seed))
        results.append([numbers(part) for part in (*parts, balance(balanced, np.random.default_rng(seed)))])
    assert results[0] == results[1]
    assert all(one != other for one, other in zip(results[0], results[2], strict=True))


@pytest.mark.parametrize("count", [0, 1])
def test_a_class_that_cannot_be_split_is_named(count: int) -> None:
    counts = [2] * 62
    counts[36] = count
    with pytest.raises(InputError) as error:
        split(numbered(counts), 0.5, np.random.default_rng(0))
    assert str(error.value) == f"characters: {count} images of 'a'; a split needs at least 2 of each class"


DESCRIBED = {"data": "EMNIST ByClass", "source": "archive", "sha256": "", "seed": 42, "fraction": 0.1}


def write(path: Path) -> Path:
    write_characters(path, PARTS, DESCRIBED)
    return path


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "new" / "characters.h5")
    for name, part in PARTS.items():
        characters = read_characters(path, name)
        assert characters.images.dtype == characters.labels.dtype == np.uint8
        np.testing.assert_array_equal(characters.images, part.images)
        np.testing.assert_array_equal(characters.labels, part.labels)
    described = describe_source(path)
    assert described == DESCRIBED
    assert [type(described[key]) for key in ("data", "seed", "fraction")] == [str, int, float]


def test_the_same_characters_are_the_same_bytes(tmp_path: Path) -> None:
    assert write(tmp_path / "a.h5").read_bytes() == write(tmp_path / "b.h5").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.h5", "b.h5"]
    with h5py.File(tmp_path / "a.h5") as file:  # two files of the same second would agree anyway
        assert h5py.h5g.get_objinfo(file.id, b"train/images").mtime == 0


def refusal(path: Path, part: str = "train") -> str:
    with pytest.raises(InputError) as error:
        read_characters(path, part)
    message = str(error.value)
    assert message.startswith(f"{path}: no characters to read (")
    assert message.endswith("; run `dvc repro download`")
    assert message.isprintable()
    return message


def test_files_that_hold_no_characters_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "characters.h5"
    assert "No such file" in refusal(path)
    path.write_text("no HDF5 file")
    refusal(path)
    path.write_bytes(b"")
    refusal(path)
    assert "nothing" in refusal(write(path), "nothing")


@pytest.mark.parametrize("fault", ["no group", "a dataset for a group", "a group for a dataset", "no labels", "a type"])
def test_files_of_others_are_refused(tmp_path: Path, fault: str) -> None:
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        if fault == "a dataset for a group":
            file["train"] = [1, 2]
        elif fault == "a group for a dataset":
            file.create_group("train/images")
        elif fault == "no labels":
            file["train/images"] = [1, 2]
        elif fault == "a type":
            file["train/images"] = np.dtype("u1")
    refusal(path)


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    path = write(tmp_path_factory.mktemp("characters") / "characters.h5")
    return path, path.read_bytes()


@given(st.floats(0, 1, exclude_max=True))
def test_a_file_cut_short_anywhere_is_refused(damaged: tuple[Path, bytes], share: float) -> None:
    path, content = damaged
    path.write_bytes(content[: int(share * len(content))])
    message = outcome(partial(read_characters, path, "train"))
    assert isinstance(message, str)
    assert message.startswith(f"{path}: no characters to read (")
    assert message.isprintable()


def test_a_write_that_fails_leaves_no_file(tmp_path: Path) -> None:
    incomplete = {name: PARTS[name] for name in ("train", "validation")}
    with pytest.raises(KeyError):
        write_characters(tmp_path / "characters.h5", incomplete, {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["data", "source", "sha256"])
def test_characters_of_nowhere_are_refused(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "characters.h5")
    with h5py.File(path, "a") as file:
        del file.attrs[name]
    with pytest.raises(InputError, match=f"characters.h5: does not say its {name}; run `dvc repro -f download`"):
        describe_source(path)
