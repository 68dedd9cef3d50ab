"""Which threads the service computes in."""

import asyncio
import threading
from pathlib import Path
from typing import cast

from pipeline.app.models import ModelStore
from pipeline.app.reading import LineReader
from pipeline.app.service import ReadingService
from pipeline.inference.available_models import Model


class Store:
    """A store that notes the threads that use it, and how many do at once."""

    def __init__(self) -> None:
        self.threads: list[threading.Thread] = []
        self.users = self.most_users = 0

    @property
    def models(self) -> dict[str, Model]:
        self.load("")
        return {"one": Model("one", Path("one.ckpt"))}

    def load(self, name: str) -> LineReader:
        self.users += 1
        self.most_users = max(self.most_users, self.users)
        self.threads.append(threading.current_thread())
        threading.Event().wait(0.01)
        self.users -= 1
        return cast(LineReader, name)


async def use(service: ReadingService) -> list[object]:
    async with service:
        return list(await asyncio.gather(service.load("a"), service.models(), service.load("b")))


def test_models_are_loaded_one_at_a_time_in_threads_that_end() -> None:
    store = Store()
    first, models, last = asyncio.run(use(ReadingService(cast(ModelStore, store))))
    assert (first, last) == ("a", "b")
    assert models == list(store.models.values())
    *threads, here = store.threads
    assert here is threading.current_thread()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)
    assert store.most_users == 1
