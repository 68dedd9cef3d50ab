"""A search whose trainings are a stand-in, in a process of its own.

    python -m tests.services.searching ADDRESS TRIALS FOLDER

A trial leaves the file `FOLDER/<its name>`, and `slow` in the name of the folder makes it take a minute.
"""

import sys
import time
from collections.abc import Mapping
from pathlib import Path

import optuna

from pipeline.commands.search import Range, search
from pipeline.studies import searches
from pipeline.studies.trials import IsHopeless, Value

if __name__ == "__main__":
    address, trials, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    searches.HEARTBEAT, searches.GRACE = 1, 3
    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def measure(name: str, values: Mapping[str, Value], is_hopeless: IsHopeless) -> float:
        (folder / name).touch()
        rate = float(values["x"] or 0)
        for epoch in range(60 if folder.name == "slow" else 3):
            time.sleep(1)
            is_hopeless([rate] * (epoch + 1))
        return rate

    study, database = searches.open_study(address, "shared", None, warmup=60)
    search(study, {"x": Range(low=0.0, high=1.0)}, trials, measure, database.wait)
