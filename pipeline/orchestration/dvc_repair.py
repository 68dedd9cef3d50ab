"""The command `dvc` of this project's environment: DVC's own, after a look at what a killed one may have left.

DVC 3.67 empties `.dvc/tmp/rwlock` and `dvc.lock` and then writes them. Killed in between, it refuses to go on until
somebody mends them: the first knows of nothing but commands that are running, and of the second a copy is kept.
Both are written by who holds DVC's own lock, so that nothing is looked at while another one has it.
"""

import json
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from zc.lockfile import LockError, LockFile

HELD, RUNNING = Path(".dvc/tmp/lock"), Path(".dvc/tmp/rwlock")
LOCK, LAST, BROKEN = Path("dvc.lock"), Path(".dvc/tmp/dvc.lock.last"), Path(".dvc/tmp/dvc.lock.broken")
PATIENCE = 0.2
"""Seconds after which a file that still makes no sense is not just being written."""
CONFLICT = b"<<<<<<< "


def repair(folder: Path) -> str:
    """Mend the files of the DVC project around `folder`; what was done to `dvc.lock`, in words, or nothing."""
    root = next((one for one in (folder, *folder.parents) if (one / ".dvc").is_dir()), None)
    if root is None:
        return ""
    (root / HELD).parent.mkdir(exist_ok=True)
    try:
        lock = LockFile(str(root / HELD))
    except LockError:
        return ""
    with closing(lock):
        return _repair(root)


def _repair(root: Path) -> str:
    if _stays_broken(root / RUNNING, json.loads):
        (root / RUNNING).unlink(missing_ok=True)
    if not _stays_broken(root / LOCK, _require_lock):
        if (root / LOCK).exists():
            shutil.copyfile(root / LOCK, root / LAST)
        return ""
    (root / LOCK).replace(root / BROKEN)
    if not (root / LAST).exists():
        return f"{LOCK} was half-written and is now {BROKEN}; what it knew comes back from DVC's cache of runs"
    shutil.copyfile(root / LAST, root / LOCK)
    return f"{LOCK} was half-written and is now {BROKEN}; went back to that of the command before"


def _require_lock(content: bytes) -> None:
    """Raise a `ValueError` unless DVC can read this as `dvc.lock`; what git left to be merged is not ours to judge."""
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA  # it takes a second
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError
    from voluptuous import Invalid

    if CONFLICT in content:
        return
    try:
        COMPILED_LOCKFILE_SCHEMA(YAML(typ="safe").load(content))
    except (YAMLError, Invalid) as error:
        raise ValueError(str(error)) from None


def _stays_broken(path: Path, require: Callable[[bytes], object]) -> bool:
    for pause in (0, PATIENCE):
        time.sleep(pause)
        try:
            require(path.read_bytes())
        except OSError:
            return False
        except ValueError:
            continue
        return False
    return True


def main() -> None:
    """Run DVC with this process's arguments."""
    if done := repair(Path.cwd()):
        print(done, file=sys.stderr)
    from dvc.cli import main as dvc

    sys.exit(dvc())


if __name__ == "__main__":
    main()
