"""Writes that wait while the store does not answer, so that an outage costs a training neither its time nor its run."""

import sys
from collections import deque
from collections.abc import Callable
from time import monotonic, sleep

from pipeline.tracking.store_errors import StoreUnreachableError, first_line, is_unreachable

PAUSE = 10
"""After a try that took a second, the next one comes this many seconds later."""
_SLEEP = 1.0


class PendingWrites:
    """Writes in their order. One that may have reached the store is repeated, so each must be the same if repeated."""

    def __init__(self) -> None:
        self._writes: deque[Callable[[], None]] = deque()
        self._next_try = 0.0
        self._announced = False

    def __bool__(self) -> bool:
        return bool(self._writes)

    def add(self, write: Callable[[], None]) -> None:
        """Add a write after all others."""
        self._writes.append(write)

    def add_next(self, write: Callable[[], None]) -> None:
        """Add a write after the one that runs now."""
        self._writes.insert(1, write)

    def try_now(self) -> None:
        """Write everything if the store answers, unless it has just failed to.

        Raises:
            Exception: the store answers, but a write fails.
        """
        if monotonic() < self._next_try:
            return
        while self._writes:
            start = monotonic()
            try:
                self._writes[0]()
            except Exception as error:  # Of any kind: MLflow and the drivers of databases have many.
                self.keep_waiting(error, start)
                return
            self._writes.popleft()

    def keep_waiting(self, error: Exception, start: float) -> None:
        """Choose the time of the next try if the store did not answer one that began at `start`; else raise `error`."""
        if not is_unreachable(error):
            raise error
        self._next_try = monotonic() + PAUSE * (monotonic() - start)
        if not self._announced:
            self._announced = True
            reason = first_line(error)
            if not isinstance(error, StoreUnreachableError):
                reason = f"MLflow does not answer ({reason})"
            print(f"warning: {reason}; the work goes on, and what it logs waits", file=sys.stderr)

    def write_all(self, seconds: float) -> None:
        """Write everything, and wait so long for a store that does not answer.

        Raises:
            Exception: a write fails, or the store does not answer.
        """
        deadline = monotonic() + seconds
        while self._writes:
            try:
                self._writes[0]()
            except Exception as error:
                if not is_unreachable(error) or monotonic() >= deadline:
                    raise
                sleep(min(_SLEEP, seconds))
            else:
                self._writes.popleft()
