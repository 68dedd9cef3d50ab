"""Run things at the same time: DVC's queue, temporary copies and the workspace, with one MLflow store."""

import http.server
import re
import shutil
import sqlite3
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from pipeline.common.progress import progress_bar
from reliability.results import Row, Tally
from reliability.workspaces import (
    DVC,
    EXPERIMENT,
    LINES,
    PROJECT,
    Sources,
    Workspace,
    ended,
    find_difference,
    make_small_workspace,
    stage_command,
)

AT_ONCE = ("queue-1", "queue-2", "temp-1", "temp-2", "here")
TROUBLE = re.compile(r"database is locked|is busy|LockError|Traceback|Unable to acquire lock|did not keep this run")
SIZE = f"experiments.{EXPERIMENT}.model.fc_dim"
DOWNLOAD = (
    "import sys; from pathlib import Path; from pipeline.data.sources.download import Pin, fetch_first; "
    "fetch_first([sys.argv[1]], Path('store'), Pin('-', None), hint='-')"
)


def measure(folder: Path, sources: Sources, seconds: float) -> list[Row]:
    """Run rounds: five experiments at once, each stage twice at once, and a download twice at once."""
    workspace = make_small_workspace(folder / "workspace", sources)
    for command in (("git", "init", "--quiet"), (sys.executable, "-m", "dvc", "config", "core.no_scm", "false")):
        assert workspace.run(*command)[0] == 0
    shutil.copy(PROJECT / ".gitignore", workspace.root)
    _save(workspace)
    status, printed = workspace.repro()
    assert status == 0, printed
    _save(workspace)
    expected = workspace.outputs()
    runs, stages, downloads = (
        Tally(f"concurrent: {what}") for what in ("queue, temp, workspace", "stages", "downloads")
    )
    end, number = time.monotonic() + seconds, 0
    try:
        with progress_bar(desc="concurrent", unit="round") as bar:
            while not number or time.monotonic() < end:
                runs.add(*_at_once(workspace, 10 + len(AT_ONCE) * number), tried=len(AT_ONCE))
                stages.add(*_same_stages(workspace, expected), tried=2 * len(SAME))
                downloads.add(*_same_download(workspace), tried=2)
                number += 1
                bar.update()
    finally:
        workspace.run(*DVC, "queue", "stop", "--kill")  # its workers run in other sessions
    return [runs.row(), stages.row(), downloads.row()]


def _save(workspace: Workspace) -> None:
    for command in (("git", "add", "--all"), ("git", "commit", "--quiet", "--message", "All")):
        assert workspace.run(*command)[0] == 0, workspace.printed()


def _at_once(workspace: Workspace, first: int) -> list[str]:
    """Run five experiments with new model sizes; return the failures."""
    names = {name: f"{name}-{first}" for name in AT_ONCE}
    sizes = {name: f"{SIZE}={first + number}" for number, name in enumerate(AT_ONCE)}
    run = (*DVC, "exp", "run", "--name")
    failures = []
    for name in AT_ONCE[:2]:
        status, printed = workspace.run(*run, names[name], "--queue", "-S", sizes[name])
        failures += [f"{name} cannot be queued: {printed[-300:]}"] if status else []
    queue = workspace.start(*DVC, "queue", "start", "-j", "2", log="queue.txt")
    temps = [workspace.start(*run, names[n], "--temp", "-S", sizes[n], log=f"{n}.txt") for n in AT_ONCE[2:4]]
    here = workspace.start(*run, names["here"], "-S", sizes["here"], log="here.txt")
    with ended(*temps, here):
        statuses = {name: process.wait(600) for name, process in zip(AT_ONCE[2:], [*temps, here], strict=True)}
        failures += [f"{n} ended with {s}: {workspace.printed(f'{n}.txt')[-300:]}" for n, s in statuses.items() if s]
        queue.wait(60)
        failures += _queue_trouble(workspace, [names[name] for name in AT_ONCE[:2]])
    for name in AT_ONCE[2:]:
        if found := TROUBLE.search(workspace.printed(f"{name}.txt")):
            failures.append(f"{name} showed {found[0]!r}")
    failures += _lost(workspace.root / "mlflow.db", list(names.values()))
    workspace.run("git", "reset", "--quiet", "--hard")
    workspace.run(*DVC, "checkout")
    return failures


def _queue_trouble(workspace: Workspace, names: Sequence[str]) -> list[str]:
    """Wait for the tasks of the queue; return those that failed, with their output."""
    end = time.monotonic() + 600
    while True:
        _, status = workspace.run(*DVC, "queue", "status", log="status.txt")
        states = {name: re.search(rf"\b{name}\b.*\b(Success|Failed|Running|Queued)", status) for name in names}
        if all(state and state[1] in ("Success", "Failed") for state in states.values()) or time.monotonic() > end:
            break
        time.sleep(1)
    failures = []
    for name, state in states.items():
        _, printed = workspace.run(*DVC, "queue", "logs", name, log="logs.txt")
        if not state or state[1] != "Success":
            failures.append(f"{name} is {state[1] if state else 'lost'}: {' '.join(printed.split())[-300:]}")
        elif found := TROUBLE.search(printed):
            failures.append(f"{name} showed {found[0]!r}")
    return failures


def _lost(database: Path, names: Sequence[str]) -> list[str]:
    """Return the experiments that do not have exactly one finished training with test metrics."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        rows = connection.execute(
            "SELECT tags.value, runs.status FROM runs JOIN tags ON tags.run_uuid = runs.run_uuid "
            "JOIN tags origin ON origin.run_uuid = runs.run_uuid AND origin.key = 'source' AND origin.value = 'train' "
            "JOIN latest_metrics m ON m.run_uuid = runs.run_uuid AND m.key = 'test_cer' WHERE tags.key = 'dvc.exp_name'"
        ).fetchall()
    finished = [name for name, status in rows if status == "FINISHED"]
    return [
        f"{name} has {finished.count(name)} finished trainings with metrics"
        for name in names
        if finished.count(name) != 1
    ]


SAME = ("download", "corpus", f"synthesize {LINES}", f"train {EXPERIMENT}")


def _same_stages(workspace: Workspace, expected: dict[str, str]) -> list[str]:
    """Run each stage twice at once in one folder; return the failures."""
    failures = []
    for stage in SAME:
        both = [workspace.start(*stage_command(stage), log=f"both-{number}.txt") for number in range(2)]
        with ended(*both):
            for number, process in enumerate(both):
                if status := process.wait(600):
                    failures.append(f"{stage} ended with {status}: {workspace.printed(f'both-{number}.txt')[-300:]}")
        if wrong := find_difference(expected, workspace.outputs()):
            failures.append(wrong)
    return failures


class _Quiet(http.server.BaseHTTPRequestHandler):
    """Serve one file slowly, and count the requests."""

    served = 0

    def do_GET(self) -> None:
        """Send the file."""
        type(self).served += 1
        self.send_response(200)
        self.send_header("Content-Length", str(10 * 65536))
        self.end_headers()
        for _ in range(10):
            self.wfile.write(bytes(65536))
            time.sleep(0.05)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def _same_download(workspace: Workspace) -> list[str]:
    """Let two processes download one file at once: it must be sent once. Return the failures."""
    _Quiet.served = 0
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/{time.monotonic_ns()}"
        both = [workspace.start(sys.executable, "-c", DOWNLOAD, url, log=f"both-{n}.txt") for n in range(2)]
        with ended(*both):
            failures = [workspace.printed(f"both-{n}.txt")[-300:] for n, process in enumerate(both) if process.wait(60)]
        server.shutdown()
    return failures + ([f"downloaded {_Quiet.served} times"] if _Quiet.served != 1 else [])
