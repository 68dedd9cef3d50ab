"""Reads pictures for many callers at once: pictures are opened in threads, and lines are read in batches."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.app.batching import Batcher
from pipeline.app.models import ModelStore
from pipeline.app.reading import Details, LineReader, Reading
from pipeline.common.errors import InputError
from pipeline.inference import pictures
from pipeline.inference.available_models import Model

BATCH_LINES = 64
WAITING_LINES = 512
OPENING_THREADS = 2
Result = TypeVar("Result")


@dataclass(frozen=True)
class Line:
    """A line to read."""

    reader: LineReader
    image: NDArray[np.uint8]
    with_details: bool


@dataclass(frozen=True)
class LineReading:
    """What is read of a line."""

    reading: Reading
    details: Details | None
    """Only where they were asked for."""


@dataclass(frozen=True)
class PictureReading:
    """What is read of a picture: its lines from top to bottom, or an error in one line."""

    name: str
    lines: list[LineReading]
    error: str | None = None


class ReadingService:
    """Reads pictures with the models of a store. Use it as an asynchronous context."""

    def __init__(self, store: ModelStore) -> None:
        self._store = store
        self._loading = asyncio.Lock()
        self._opening = ThreadPoolExecutor(OPENING_THREADS, "pictures")
        self._batcher = Batcher(read_lines, size=BATCH_LINES, waiting=WAITING_LINES)

    async def __aenter__(self) -> Self:
        await self._batcher.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._batcher.__aexit__(kind, error, trace)
        self._opening.shutdown(wait=False, cancel_futures=True)

    async def models(self) -> list[Model]:
        """The models that can read, the one to use by default first.

        Raises:
            InputError: there is none.
        """
        async with self._loading:
            return list(await run_in_new_thread(lambda: self._store.models.values()))

    async def load(self, model: str) -> LineReader:
        """The reader of a model by its name, loaded at most once.

        Raises:
            InputError: there is no such model, or its checkpoint cannot be loaded.
        """
        async with self._loading:
            return await run_in_new_thread(lambda: self._store.load(model))

    async def read(
        self, pictures: Sequence[tuple[str, bytes | InputError]], model: str, with_details: bool
    ) -> list[PictureReading]:
        """The readings of pictures, each a name and a file's content or why there is none, in their order.

        Raises:
            InputError: there is no such model.
            BusyError: too many lines wait.
        """
        reader = await self.load(model)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._read(*picture, reader, with_details)) for picture in pictures]
        return [task.result() for task in tasks]

    async def _read(
        self, name: str, content: bytes | InputError, reader: LineReader, with_details: bool
    ) -> PictureReading:
        try:
            if isinstance(content, InputError):
                raise content
            loop = asyncio.get_running_loop()
            images = await loop.run_in_executor(self._opening, open_lines, content, name, reader.height)
        except InputError as error:
            return PictureReading(name, [], str(error))
        async with asyncio.TaskGroup() as group:
            lines = [Line(reader, image, with_details) for image in images]
            tasks = [group.create_task(self._batcher.submit(line)) for line in lines]
        return PictureReading(name, [task.result() for task in tasks])


async def run_in_new_thread(work: Callable[[], Result]) -> Result:
    """The result of `work`, done in a thread that ends with it.

    A thread that has computed with torch keeps OpenMP threads until it ends. When there are more of them than
    processors, none spins while it waits for the others, and to read a line takes three to four times as long.
    """
    thread = ThreadPoolExecutor(1, "models")
    try:
        return await asyncio.get_running_loop().run_in_executor(thread, work)
    finally:
        thread.shutdown(wait=False)


def open_lines(content: bytes, name: str, height: int) -> list[NDArray[np.uint8]]:
    """The images of a picture's lines, from top to bottom; see `pictures.read_lines`."""
    return [line.pixels for line in pictures.read_lines(content, name, height)]


def read_lines(lines: Sequence[Line]) -> list[LineReading]:
    """Read lines, those of the same model together."""
    readings: dict[int, Reading] = {}
    for reader in {id(line.reader): line.reader for line in lines}.values():
        own = [number for number, line in enumerate(lines) if line.reader is reader]
        readings |= zip(own, reader.read([lines[number].image for number in own]), strict=True)
    return [
        LineReading(readings[number], line.reader.explain(line.image) if line.with_details else None)
        for number, line in enumerate(lines)
    ]
