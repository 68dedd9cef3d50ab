"""Optuna's studies in a database, which any number of searches share, on one machine or on many."""

import math
import time
import warnings

import optuna
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy.exc import SQLAlchemyError

from pipeline.common.errors import InputError
from pipeline.tracking.store import limit_waits
from pipeline.tracking.store_errors import first_line, mask

HEARTBEAT, GRACE = 30, 600
"""Seconds between the signs of life of a trial, and how long one without a sign counts as running."""
OUTAGE = 3600
"""How many seconds a search waits for a database that does not answer."""
_TRIES, _PAUSE = 5, 2.0


class Storage(RDBStorage):
    """A database in which a trial that is killed counts as failed after a while, and that may restart."""

    def __init__(self, url: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            super().__init__(
                limit_waits(url).render_as_string(hide_password=False),
                engine_kwargs={"pool_pre_ping": True},
                heartbeat_interval=HEARTBEAT,
                grace_period=GRACE,
            )

        self._down = -math.inf
        """When the database did not answer."""

    def record_heartbeat(self, trial_id: int) -> None:
        """Give a sign of life. One that fails does not end the thread that gives them."""
        try:
            super().record_heartbeat(trial_id)
        except (StorageInternalError, SQLAlchemyError):
            self._down = time.monotonic()

    def _get_stale_trial_ids(self, study_id: int) -> list[int]:
        # After an outage, every trial first needs the time to give a sign of life.
        return [] if time.monotonic() - self._down < GRACE else super()._get_stale_trial_ids(study_id)

    def wait(self) -> None:
        """Wait until the database answers.

        Raises:
            InputError: it does not for an hour.
        """
        deadline = time.monotonic() + OUTAGE
        while True:
            try:
                return self.engine.connect().close()
            except SQLAlchemyError as error:
                self._down = time.monotonic()
                if self._down > deadline:
                    raise _refusal(self.url, error) from None
                time.sleep(_PAUSE)


def open_study(url: str, name: str, seed: int | None, warmup: int) -> tuple[optuna.Study, Storage]:
    """Open a study, or create it with its tables.

    After five trials, one whose CER is above the median of the others at the same epoch is pruned, but not in the first
    `warmup` epochs.

    Raises:
        InputError: the database cannot be used.
    """
    for number in range(_TRIES):
        try:
            storage = Storage(url)
            study = optuna.create_study(
                storage=storage,
                sampler=optuna.samplers.TPESampler(seed=seed),
                pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=warmup),
                study_name=name,
                load_if_exists=True,
            )
            return study, storage
        except (ImportError, RuntimeError, StorageInternalError, SQLAlchemyError) as error:
            # Of several searches that create the tables at once, one succeeds. The others find them.
            if number == _TRIES - 1 or "already exists" not in str(error):
                raise _refusal(url, error) from error
            time.sleep(_PAUSE)
    raise AssertionError


def _refusal(url: str, error: Exception) -> InputError:
    needs = "; PostgreSQL needs `python -m pip install -e '.[postgres]'`" if isinstance(error, ImportError) else ""
    return InputError(f"--storage: {mask(url)} cannot be used ({first_line(error)}){needs}")
