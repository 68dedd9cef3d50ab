"""Collect items that arrive during work, and then work on them at once, in a thread."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Generic, Self, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class BusyError(Exception):
    """Too many items wait."""


class Batcher(Generic[Item, Result]):
    """Calls `work` with at most `size` items in the order of arrival, as soon as there is one and no other work.

    `work` runs in one thread, so it need not be safe for several. While it runs, the next items collect: no item waits
    for others. If it raises for a batch, it is called again with each item alone: one bad item does not spoil the
    others. An item whose caller was cancelled is left out. Use it as an asynchronous context.
    """

    def __init__(self, work: Callable[[list[Item]], Sequence[Result]], *, size: int, waiting: int) -> None:
        self._work, self._size, self._waiting = work, size, waiting
        self._queue: list[tuple[Item, asyncio.Future[Result]]] = []
        self._arrived = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "batches")

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        for _, future in self._queue:
            future.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def submit(self, item: Item) -> Result:
        """Wait for the result of an item.

        Raises:
            BusyError: as many items as may wait do.
        """
        if len(self._queue) >= self._waiting:
            raise BusyError
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._queue.append((item, future))
        self._arrived.set()
        return await future

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            self._queue = [pair for pair in self._queue if not pair[1].done()]
            batch, self._queue = self._queue[: self._size], self._queue[self._size :]
            if not self._queue:
                self._arrived.clear()
            if batch:
                await self._answer(batch)

    async def _answer(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        loop = asyncio.get_running_loop()
        try:
            results = await loop.run_in_executor(self._thread, self._work, [item for item, _ in batch])
        except Exception as error:
            if len(batch) == 1:
                _finish(batch[0][1], error)
            for pair in batch if len(batch) > 1 else []:
                await self._answer([pair])
            return
        for (_, future), result in zip(batch, results, strict=True):
            _finish(future, result)


def _finish(future: "asyncio.Future[Result]", outcome: Result | Exception) -> None:
    if future.done():  # its caller was cancelled
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
