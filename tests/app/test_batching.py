"""Items that arrive together, or during work, are worked on together; the work is fake."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from pipeline.app.batching import Batcher, BusyError

T = TypeVar("T")
SOON = 0.01


class Work:
    """Returns the double of each number, once it may go on; refuses negative ones."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def __call__(self, items: list[int]) -> list[int]:
        self.batches.append(items)
        self.may_go_on.wait(10)
        if min(items) < 0:
            raise ValueError(f"{min(items)} is negative")
        return [2 * item for item in items]


def use(test: Callable[[Batcher[int, int]], Awaitable[T]], work: Work, size: int = 8, waiting: int = 8) -> T:
    async def run() -> T:
        async with Batcher(work, size=size, waiting=waiting) as batcher:
            try:
                return await test(batcher)
            finally:
                work.may_go_on.set()

    return asyncio.run(run())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


def test_items_that_arrive_together_are_one_batch_and_each_gets_its_own_result() -> None:
    work = Work()
    results = use(lambda batcher: asyncio.gather(*(batcher.submit(n) for n in (3, 1, 2))), work)
    assert results == [6, 2, 4]
    assert work.batches == [[3, 1, 2]]


def test_a_batch_has_at_most_its_size_and_the_rest_follows_in_order() -> None:
    work = Work()
    results = use(lambda batcher: asyncio.gather(*map(batcher.submit, range(5))), work, size=2)
    assert results == [0, 2, 4, 6, 8]
    assert work.batches == [[0, 1], [2, 3], [4]]


def test_what_arrives_during_work_is_the_next_batch() -> None:
    work = Work()
    work.may_go_on.clear()

    async def test(batcher: Batcher[int, int]) -> list[int]:
        first = asyncio.create_task(batcher.submit(1))
        await until(lambda: bool(work.batches))
        others = [asyncio.create_task(batcher.submit(n)) for n in (2, 3)]
        await asyncio.sleep(3 * SOON)
        work.may_go_on.set()
        return await asyncio.gather(first, *others)

    assert use(test, work) == [2, 4, 6]
    assert work.batches == [[1], [2, 3]]


def test_one_bad_item_spoils_no_other() -> None:
    work = Work()

    async def test(batcher: Batcher[int, int]) -> list[int | BaseException]:
        return await asyncio.gather(*map(batcher.submit, (1, -2, 3)), return_exceptions=True)

    first, error, last = use(test, work)
    assert (first, last) == (2, 6)
    assert str(error) == "-2 is negative"


def test_too_many_waiting_items_are_refused_and_the_others_are_answered() -> None:
    async def test(batcher: Batcher[int, int]) -> list[int | BaseException]:
        return await asyncio.gather(*map(batcher.submit, range(4)), return_exceptions=True)

    *answered, refused = use(test, Work(), waiting=3)
    assert answered == [0, 2, 4]
    assert isinstance(refused, BusyError)


def test_a_cancelled_item_costs_no_work_and_leaves_its_place() -> None:
    work = Work()
    work.may_go_on.clear()

    async def test(batcher: Batcher[int, int]) -> list[int]:
        first = asyncio.create_task(batcher.submit(1))
        await until(lambda: bool(work.batches))
        late = asyncio.create_task(batcher.submit(2))
        last = asyncio.create_task(batcher.submit(3))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(late, SOON)
        work.may_go_on.set()
        return [await first, await last]

    assert use(test, work) == [2, 6]
    assert work.batches == [[1], [3]]


def test_an_item_that_is_cancelled_during_work_breaks_nothing() -> None:
    work = Work()
    work.may_go_on.clear()

    async def test(batcher: Batcher[int, int]) -> int:
        first, second = asyncio.create_task(batcher.submit(1)), asyncio.create_task(batcher.submit(2))
        await until(lambda: bool(work.batches))
        first.cancel()
        work.may_go_on.set()
        return await second

    assert use(test, work) == 4


def test_the_end_cancels_what_waits() -> None:
    work = Work()

    work.may_go_on.clear()

    async def run() -> None:
        async with Batcher(work, size=8, waiting=8) as batcher:
            first = asyncio.create_task(batcher.submit(1))
            await until(lambda: bool(work.batches))
            waiting = asyncio.create_task(batcher.submit(2))
            await asyncio.sleep(0)
        first.cancel()
        work.may_go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(run())
    assert work.batches == [[1]]
