"""Give bad input to the commands that read it. Each must refuse it in one line."""

import contextlib
import io
import os
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from ruamel.yaml import YAML

from pipeline.command_line import run_module
from pipeline.common.errors import InputError, exit_on_input_error
from pipeline.common.progress import progress_bar
from pipeline.inference.model_input import parse_model_input
from reliability.bad_files import file_cases
from reliability.bad_settings import change_params, settings_cases
from reliability.cases import DIRECTORY, Case
from reliability.results import Row, Tally
from reliability.workspaces import OUTPUTS, Sources, Workspace, make_small_workspace, stage_command

SECONDS = 20
MEMORY = 2**29
"""Bytes by which the memory of this process may grow in one case."""
SAMPLE = 20
"""Every n-th case also runs as a real command."""
IMAGES = {
    "of another height": np.zeros((27, 100), np.uint8),
    "of no width": np.zeros((28, 0), np.uint8),
    "of floating-point numbers": np.zeros((28, 100)),
    "with colours": np.zeros((28, 100, 3), np.uint8),
    "without rows": np.zeros(100, np.uint8),
    "of nothing": np.zeros((0, 0), np.uint8),
    "that is a number": np.uint8(3),
}


def measure(folder: Path, sources: Sources, seconds: float, every: int = 1) -> list[Row]:
    """Try every case, or every n-th. `sources` has no effect, because all input is bad."""
    workspace = make_small_workspace(folder / "workspace", Sources())
    status, printed = workspace.repro()
    assert status == 0, printed
    cases = [*settings_cases(workspace.root), *file_cases(workspace.root)]
    tallies: dict[str, Tally] = {}
    with _inside(workspace):
        for number, case in enumerate(progress_bar(cases[::every], desc="bad input", unit="case")):
            tally = tallies.setdefault(case.kind, Tally(f"bad input: {case.kind}"))
            failures = try_case(workspace, case)
            if number % SAMPLE == 0 and not failures:
                failures = try_case(workspace, case, command=True)
            tally.add(*failures)
        tallies["images"] = _images()
    return [tally.row() for tally in tallies.values()]


def try_case(workspace: Workspace, case: Case, *, command: bool = False) -> list[str]:
    """Install the bad file, run the stage and restore the good file; return the failures."""
    path, settings = workspace.root / case.path, workspace.root / "params.yaml"
    before = path.read_bytes() if path.is_file() else None
    shipped = settings.read_bytes()
    if case.settings:
        settings.write_bytes(change_params(YAML(typ="safe", pure=True).load(settings), case.settings))
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    if case.content is DIRECTORY:
        path.mkdir()
    elif case.content is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(case.content)
    try:
        files, memory, start = _files(workspace.root), _peak(), time.monotonic()
        status, printed = workspace.run(*stage_command(case.stage)) if command else _run(case.stage)
        failures = _complaints(case, status, printed)
        if time.monotonic() - start > SECONDS:
            failures.append(f"took {time.monotonic() - start:.0f} s")
        if _peak() - memory > MEMORY:
            failures.append(f"took {(_peak() - memory) / 2**20:.0f} MiB")
        if written := sorted(set(files.items()) ^ set(_files(workspace.root).items())):
            failures.append(f"wrote {written[0][0]}")
    finally:
        if path.is_dir():
            path.rmdir()
        if before is not None:
            path.write_bytes(before)
        else:
            path.unlink(missing_ok=True)
        settings.write_bytes(shipped)
    return [f"{case.kind} {case.name} ({case.stage}): {failure}" for failure in failures]


def _complaints(case: Case, status: int, printed: str) -> list[str]:
    lines = [line for line in printed.splitlines() if line.startswith("error: ")]
    if status == 0:
        return ["was accepted"]
    if "Traceback" in printed or len(lines) != 1 or len(printed.splitlines()) != 1:
        return [f"did not end in one line but in {printed[-300:]!r}"]
    if (case.named or Path(case.path).name) not in lines[0]:
        return [f"does not name {case.path}: {lines[0]}"]
    return []


def _run(stage: str) -> tuple[int, str]:
    """Run a stage in this process; return its exit status and its stderr."""
    name, *arguments = stage.split()
    printed = io.StringIO()
    with contextlib.redirect_stderr(printed), contextlib.redirect_stdout(io.StringIO()):
        try:
            exit_on_input_error(lambda: run_module(f"stages.{name}", name, arguments))
        except SystemExit as error:
            if error.code == 130:
                raise KeyboardInterrupt from None
            return int(error.code or 0), printed.getvalue()
        except Exception as error:
            return 1, f"Traceback: {type(error).__name__}: {error}"
    return 0, printed.getvalue()


def _images() -> Tally:
    """Try images that the MLflow model must refuse."""
    tally = Tally("bad input: images")
    for name, image in IMAGES.items():
        try:
            _, found = parse_model_input([np.zeros((28, 50), np.uint8), image])
        except Exception as error:
            tally.add(f"an image {name}: {type(error).__name__}: {error}")
        else:
            refused = isinstance(found, InputError) and "picture 1" in str(found)
            tally.add(*([] if refused else [f"an image {name}: {found}"]))
    return tally


def _files(root: Path) -> dict[str, tuple[int, int]]:
    """Return the size and the time of every output but that of `check`, which is gone after a refusal."""
    files = [path for top in OUTPUTS for path in (root / top).rglob("*") if path.name != "settings.ok"]
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in files if path.is_file()}


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@contextlib.contextmanager
def _inside(workspace: Workspace) -> Iterator[None]:
    """Work in the workspace, with the environment of its commands."""
    here, arguments = Path.cwd(), sys.argv
    hidden = {name: value for name, value in os.environ.items() if name.startswith(("DVC", "MLFLOW"))}
    for name in hidden:
        del os.environ[name]
    os.environ["DVC_ROOT"] = str(workspace.root)
    os.chdir(workspace.root)
    try:
        yield
    finally:
        os.chdir(here)
        sys.argv = arguments
        del os.environ["DVC_ROOT"]
        os.environ.update(hidden)
