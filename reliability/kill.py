"""Send signals at random moments of every stage and of `dvc repro`, and check that the next run recovers."""

import os
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from pipeline.common.progress import progress_bar
from reliability.results import Row, Tally
from reliability.workspaces import (
    DVC,
    EXPERIMENT,
    LINES,
    Sources,
    end_session,
    find_difference,
    list_session,
    make_small_workspace,
    stage_command,
    wait_for_session,
)

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
STAGES = {
    "check": ["data/none", "data/settings.ok"],
    "download": ["data/characters.h5"],
    "corpus": ["data/corpus.json"],
    f"synthesize {LINES}": [f"data/lines/{LINES}.h5"],
    f"train {EXPERIMENT}": [f"models/{EXPERIMENT}/seed_42.ckpt", f"history/{EXPERIMENT}.csv"],
    f"evaluate {EXPERIMENT}": [f"metrics/{EXPERIMENT}.json", f"predictions/{EXPERIMENT}.csv"],
    "compare": [
        f"reports/{name}"
        for name in ("cer.png", "comparison.csv", "comparison.md", "index.html", "readings.png", "summary.json")
    ],
}
"""The outputs of each stage."""
REPRO = ("repro",)
IN_A_ROW = 4
"""Number of kills before the run that must succeed."""


class Harness:
    """A workspace with the outputs and the durations of an undisturbed run."""

    def __init__(
        self, folder: Path, sources: Sources, rng: random.Random, timed: Sequence[str] = tuple(STAGES)
    ) -> None:
        self.workspace, self.rng = make_small_workspace(folder / "workspace", sources), rng
        status, printed = self.workspace.repro()
        assert status == 0, printed
        self.expected = self.workspace.outputs()
        self.durations = {stage: self._time(stage) for stage in timed}

    def _time(self, stage: str) -> float:
        start = time.monotonic()
        status, printed = self.workspace.run(*stage_command(stage))
        assert status == 0, printed
        return time.monotonic() - start

    def kill_stage(self, stage: str) -> tuple[int, list[str]]:
        """Kill a stage several times, then let it finish; return the number of kills and the failures."""
        for name in STAGES[stage]:
            (self.workspace.root / name).unlink(missing_ok=True)
        failures = []
        for _ in range(IN_A_ROW):
            self._kill(stage_command(stage), self.durations[stage], alone=True)
            failures += self._half_written(STAGES[stage])
        return IN_A_ROW, failures + self._finish(*stage_command(stage))

    def kill_dvc(self) -> tuple[int, list[str]]:
        """Kill a `dvc repro` from nothing several times, then let it finish; return as `kill_stage`."""
        self.workspace.forget()
        left = sum(self.durations.values())
        orphans = []
        for _ in range(IN_A_ROW):
            orphans.append(self._kill((*DVC, *REPRO), left / 2, alone=self.rng.random() < 0.5))
        failures = self._finish(*DVC, *REPRO, orphans=orphans)
        return IN_A_ROW, failures

    def _kill(self, command: Sequence[str], longest: float, *, alone: bool) -> int:
        """Send a signal at a random moment, to the first process (`alone`) or to all; return the session id."""
        process = self.workspace.start(*command)
        try:
            time.sleep(self.rng.uniform(0, longest))
            sent = self.rng.choice(SIGNALS)
            for pid in [process.pid] if alone else list_session(process.pid):
                _send(pid, sent)
            process.wait(120)
        except BaseException:
            end_session(process.pid)
            raise
        return process.pid

    def _half_written(self, names: Sequence[str]) -> list[str]:
        found = self.workspace.outputs()
        # Pages that contain times are in neither.
        return [f"{name} is half-written" for name in names if found.get(name) not in (None, self.expected.get(name))]

    def _finish(self, *command: str, orphans: Sequence[int] = ()) -> list[str]:
        """Run to the end without cleaning, wait for stages that outlived their `dvc`, and compare the outputs."""
        status, printed = self.workspace.run(*command)
        late = [f"a stage outlived its dvc and hangs ({pid})" for pid in orphans if not wait_for_session(pid)]
        if status:
            return [f"the next run ended with {status}: {' '.join(printed.split())[-300:]}", *late]
        wrong = find_difference(self.expected, self.workspace.outputs())
        return [*late, *([wrong] if wrong else [])]

    def fill_disk(self, stage: str) -> tuple[int, list[str]]:
        """Limit files to a random size. The stage must report it in one line and leave nothing half-written."""
        for name in STAGES[stage]:
            (self.workspace.root / name).unlink(missing_ok=True)
        largest = max((p.stat().st_size for p in self.workspace.root.rglob("*") if p.is_file()), default=1)
        limit = int(largest ** self.rng.uniform(0, 1))
        limited = (sys.executable, "-c", LIMITED, str(limit), *stage_command(stage))
        status, printed = self.workspace.run(*limited)
        failures = self._half_written(STAGES[stage])
        if "Traceback" in printed:
            failures.append(f"a traceback at {limit} bytes: {' '.join(printed.split())[-300:]}")
        elif status and not any(line.startswith("error: ") for line in printed.splitlines()):
            failures.append(f"status {status} at {limit} bytes: {' '.join(printed.split())[-300:]}")
        return 1, failures + self._finish(*stage_command(stage))


LIMITED = (
    "import resource, subprocess, sys; size = int(sys.argv[1]); "
    "limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)); "
    # Through a pipe, because the limit would also cut an output file.
    "done = subprocess.run(sys.argv[2:], preexec_fn=limit, stdout=subprocess.PIPE, stderr=subprocess.STDOUT); "
    "sys.stdout.buffer.write(done.stdout); sys.exit(done.returncode % 256)"
)


def measure(folder: Path, sources: Sources, seconds: float, seed: int = 0) -> list[Row]:
    """For `seconds`, kill every stage in turn and then `dvc repro`."""
    harness = Harness(folder, sources, random.Random(seed))
    faults: list[tuple[Tally, Callable[[], tuple[int, list[str]]]]] = []
    for stage in STAGES:
        faults.append((Tally(f"kill: {stage.split()[0]}"), lambda stage=stage: harness.kill_stage(stage)))
    faults += [(Tally("kill: dvc repro"), harness.kill_dvc)] * 2
    full = Tally("kill: full disk")
    faults += [(full, lambda stage=stage: harness.fill_disk(stage)) for stage in STAGES]
    end = time.monotonic() + seconds
    turn = 0
    with progress_bar(desc="kill", unit="fault") as bar:
        while turn == 0 or time.monotonic() < end:
            tally, fault = faults[turn % len(faults)]
            tried, failures = fault()
            tally.add(*failures, tried=tried)
            bar.update(tried)
            turn += 1
    return [tally.row() for tally in dict.fromkeys(tally for tally, _ in faults) if tally.tried]


def _send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
