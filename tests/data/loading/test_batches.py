from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.loading.batches import Batch, LineDataset, WidthBatches, line_loader
from tests.tiny import tiny_lines

WIDTHS = np.random.default_rng(0).integers(28, 900, 1000).astype(np.uint16)


def batches(seed: int | None, batch_size: int = 8, replicas: int = 1, rank: int = 0) -> list[list[int]]:
    rng = None if seed is None else np.random.default_rng(seed)
    sampler = WidthBatches(WIDTHS, batch_size, rng, replicas, rank)
    assert len(sampler) == len(list(sampler))
    return list(sampler)


@given(st.integers(1, 300), st.integers(1, 50), st.none() | st.integers(0, 100))
def test_every_line_is_in_one_batch(count: int, batch_size: int, seed: int | None) -> None:
    rng = None if seed is None else np.random.default_rng(seed)
    made = list(WidthBatches(WIDTHS[:count], batch_size, rng))
    assert sorted(index for batch in made for index in batch) == list(range(count))
    assert max(map(len, made)) <= batch_size
    # A pool holds whole batches, so only the last pool can leave a smaller one.
    assert sum(len(batch) < batch_size for batch in made) <= 1
    assert len(made) == -(-count // batch_size)


def test_without_a_generator_lines_are_sorted() -> None:
    order = [index for batch in batches(None) for index in batch]
    assert WIDTHS[order].tolist() == sorted(WIDTHS.tolist())


def test_batches_hold_like_widths() -> None:
    mixed = np.random.default_rng(1).permutation(1000).reshape(-1, 8)
    spread = np.mean([np.ptp(WIDTHS[batch].astype(int)) for batch in mixed])
    like = np.mean([np.ptp(WIDTHS[batch].astype(int)) for batch in batches(0)])
    assert like < spread / 8


def test_a_pool_is_cut_by_width_without_overlap() -> None:
    count = 20 * 8
    made = WidthBatches(WIDTHS[:count], 8, np.random.default_rng(0))
    ranges = sorted((WIDTHS[batch].min(), WIDTHS[batch].max()) for batch in made)
    assert len(ranges) == 20
    assert all(low[1] <= high[0] for low, high in pairwise(ranges))


def test_batches_are_not_in_order_of_width() -> None:
    smallest = [int(WIDTHS[batch].min()) for batch in batches(0)]
    assert smallest[:20] != sorted(smallest[:20])
    assert smallest[:20] != sorted(smallest[:20], reverse=True)


def test_the_seed_decides() -> None:
    assert batches(3) == batches(3)
    assert batches(3) != batches(4)
    assert {frozenset(batch) for batch in batches(3)} != {frozenset(batch) for batch in batches(4)}


@pytest.mark.parametrize("replicas", [2, 3, 4, 7])
@pytest.mark.parametrize("seed", [None, 5])
def test_replicas_share_all_batches_evenly(replicas: int, seed: int | None) -> None:
    alone = batches(seed)
    shares = [batches(seed, replicas=replicas, rank=rank) for rank in range(replicas)]
    assert {len(share) for share in shares} == {-(-len(alone) // replicas)}
    seen = [tuple(batch) for share in shares for batch in share]
    assert set(seen) == set(map(tuple, alone))
    assert len(seen) - len(set(seen)) == -len(alone) % replicas


@pytest.mark.parametrize("replicas", [2, 3])
def test_no_replica_waits_for_anothers_wider_lines(replicas: int) -> None:
    shares = [batches(5, replicas=replicas, rank=rank) for rank in range(replicas)]
    widest = np.array([[WIDTHS[batch].max() for batch in share] for share in shares])
    shuffled = np.random.default_rng(0).permuted(widest, axis=1)
    # What is waited for at each step: the batch of lines that is widest of all.
    assert np.ptp(widest, axis=0).mean() < np.ptp(shuffled, axis=0).mean() / 2


def test_the_order_of_batches_may_be_drawn_apart() -> None:
    drawn, others = (
        list(WidthBatches(WIDTHS, 4, np.random.default_rng(5), order_rng=np.random.default_rng(order)))
        for order in (1, 2)
    )
    assert drawn != others
    assert sorted(drawn) == sorted(others)


@pytest.mark.parametrize("count", [1, 9, 17])
def test_more_replicas_than_batches_still_step_together(count: int) -> None:
    shares = [list(WidthBatches(WIDTHS[:count], 8, replicas=8, rank=rank)) for rank in range(8)]
    assert [len(share) for share in shares] == [1] * 8
    assert {index for (batch,) in shares for index in batch} == set(range(count))


def test_a_batch_is_cut_to_its_widest_line() -> None:
    lines = tiny_lines(["ABC", "A", "ABCDE", "AB"])
    batch = LineDataset(lines).__getitems__([3, 0])
    assert batch.texts == ["AB", "ABC"]
    assert batch.widths == [56, 84]
    assert batch.indices == [3, 0]
    assert batch.images.shape == (2, 28, 84)
    assert batch.images.dtype == torch.uint8
    np.testing.assert_array_equal(batch.images.numpy(), lines.images[[3, 0], :, :84])
    assert lines.images[[3, 0], :, 84:].max() == 0
    assert batch.images[0, :, :56].any()


def test_a_batch_does_not_share_the_lines_memory() -> None:
    lines = tiny_lines(["A", "B"])
    LineDataset(lines).__getitems__([0, 1]).images.fill_(7)
    assert not (lines.images == 7).any()


def test_only_images_move() -> None:
    batch = Batch(torch.ones(1, 28, 28, dtype=torch.uint8), [28], ["A"], [5])
    moved = batch.to(torch.device("meta"))
    assert moved.images.device.type == "meta"
    assert batch.images.device.type == "cpu"
    assert (moved.widths, moved.texts, moved.indices) == ([28], ["A"], [5])


def test_a_loader_yields_the_samplers_batches() -> None:
    lines = tiny_lines(["ABCD", "A", "AB", "ABC", "E"])
    loaded = list(line_loader(LineDataset(lines), WidthBatches(lines.widths, 2)))
    assert [batch.texts for batch in loaded] == [["A", "E"], ["AB", "ABC"], ["ABCD"]]
    assert len(LineDataset(lines)) == 5
