"""The command `dvc` of this project's environment: repair what a killed DVC left, run DVC, and explain some failures.

DVC 3.67 empties `.dvc/tmp/rwlock` and `dvc.lock` before it writes them. If it is killed in between, it refuses to run
until somebody repairs them. `rwlock` only lists running commands, so it can be deleted. Of `dvc.lock` this command
keeps a copy. DVC writes both files under its own lock: nothing is repaired while another DVC holds it.

Where a setting does not fit into `dvc.yaml`, DVC says "unexpected error" or names no setting; this command adds a line.
"""

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from zc.lockfile import LockError, LockFile

DVC_LOCK, RWLOCK = Path(".dvc/tmp/lock"), Path(".dvc/tmp/rwlock")
LOCK_FILE, COPY, BROKEN = Path("dvc.lock"), Path(".dvc/tmp/dvc.lock.last"), Path(".dvc/tmp/dvc.lock.broken")
SECOND_LOOK = 0.2
"""Seconds after which a file is read again: it may just be being written."""
HOME = re.compile(r"(\+{0,2}[\w.]+=)(~/.*)")
CONFLICT = b"<<<<<<< "
"""Git's mark of a merge conflict."""


def repair(folder: Path) -> str:
    """Repair the DVC project around `folder`; return what was done to `dvc.lock`, or an empty string."""
    root = find_root(folder)
    if root is None:
        return ""
    try:
        (root / DVC_LOCK).parent.mkdir(exist_ok=True)
        with closing(LockFile(str(root / DVC_LOCK))):
            return _repair(root)
    except (LockError, OSError):  # another DVC runs, or the project cannot be written: DVC itself says so
        return ""


def find_root(folder: Path) -> Path | None:
    """The nearest folder of a DVC project, from `folder` upwards."""
    return next((parent for parent in (folder, *folder.parents) if (parent / ".dvc").is_dir()), None)


def _repair(root: Path) -> str:
    if _is_broken(root / RWLOCK, json.loads):
        (root / RWLOCK).unlink(missing_ok=True)
    lock_file, copy = root / LOCK_FILE, root / COPY
    if not lock_file.exists() or (copy.exists() and lock_file.read_bytes() == copy.read_bytes()):
        return ""
    if not _is_broken(lock_file, _validate_lock_file):
        shutil.copyfile(lock_file, copy)
        return ""
    lock_file.replace(root / BROKEN)
    moved = f"emnist-lines: {LOCK_FILE} was half-written and is now {BROKEN}"
    if not copy.exists():
        return f"{moved}; DVC's cache of runs restores what it knew"
    shutil.copyfile(copy, lock_file)
    return f"{moved}; went back to the {LOCK_FILE} of the command before"


def _validate_lock_file(content: bytes) -> None:
    """Raise a `ValueError` if DVC cannot read this as `dvc.lock`; accept merge conflicts, which people resolve."""
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA  # takes a second
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError
    from voluptuous import Invalid

    if CONFLICT in content:
        return
    try:
        COMPILED_LOCKFILE_SCHEMA(YAML(typ="safe").load(content))
    except (YAMLError, Invalid) as error:
        raise ValueError(str(error)) from None


def _is_broken(path: Path, validate: Callable[[bytes], object]) -> bool:
    """Whether the file exists and is not valid, also on a second look."""
    for pause in (0, SECOND_LOOK):
        time.sleep(pause)
        try:
            validate(path.read_bytes())
        except OSError:
            return False
        except ValueError:
            continue
        return False
    return True


def explain_failure(folder: Path) -> str:
    """Name the settings that DVC cannot put into `dvc.yaml`, or say that it cannot write or misses git; else empty."""
    from pipeline.common.errors import InputError
    from pipeline.settings.base import PARAMS_FILE, read_params  # takes a while
    from pipeline.settings.template import template_problems

    root = find_root(folder)
    if root is None:
        return ""
    if not os.access(root / DVC_LOCK.parent, os.W_OK):
        return f"{root / DVC_LOCK.parent}: DVC must write here; get the right to, or work in a copy of the project"
    if _lacks_git(root):
        return f"{root}: no git repository; run `git init`, or without git: `dvc config --local core.no_scm true`"
    if not (root / PARAMS_FILE).is_file():
        return ""
    try:
        problems = "; ".join(template_problems(read_params(root / PARAMS_FILE)))
    except InputError as error:
        return str(error)
    return f"{PARAMS_FILE}: {problems}" if problems else ""


def _lacks_git(root: Path) -> bool:
    if any((folder / ".git").exists() for folder in (root, *root.parents)):
        return False
    configs = [root / ".dvc" / name for name in ("config", "config.local")]
    return not any("no_scm = true" in path.read_text("utf-8").lower() for path in configs if path.is_file())


def expand_home(argument: str) -> str:
    """Expand `~` in an argument such as `emnist.archive=~/gzip.zip`: neither the shell nor DVC does."""
    match = HOME.fullmatch(argument)
    return match[1] + str(Path(match[2]).expanduser()) if match else argument


def main() -> None:
    """Repair, then run DVC with this process's arguments."""
    if message := repair(Path.cwd()):
        print(message, file=sys.stderr)
    from dvc.cli import main as dvc

    status = dvc([expand_home(argument) for argument in sys.argv[1:]])
    if status and (message := explain_failure(Path.cwd())):
        print(f"error: {message}", file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
