"""Where a run comes from: the commit and DVC's experiment."""

import os
import subprocess

_ENVIRONMENT = {
    "dvc.exp_name": "DVC_EXP_NAME",
    "dvc.baseline": "DVC_EXP_BASELINE_REV",
    "dvc.stage": "DVC_STAGE",
    "mlflow.source.name": "DVC_STAGE",
}


def origin_tags() -> dict[str, str]:
    """The tags that are known; outside of DVC and git there are none."""
    tags = {tag: os.environ.get(name, "") for tag, name in _ENVIRONMENT.items()}
    tags["git.commit"] = tags["mlflow.source.git.commit"] = _commit()
    return {tag: value for tag, value in tags.items() if value}


def _commit() -> str:
    command = ["git", "rev-parse", "--verify", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:  # There is no git here.
        return ""
