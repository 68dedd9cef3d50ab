"""What is kept in MLflow: a view of trainings and evaluations that can be thrown away and rebuilt.

DVC's outputs are the truth. This package is the only code that imports `mlflow`, and it does so
when a store is opened, because the import takes seconds.
"""

from pipeline.tracking.comparisons import Comparison, Member, log_comparison, sync_comparison
from pipeline.tracking.evaluations import Evaluation, log_evaluation, sync
from pipeline.tracking.runs import TrainingRun, start_run
from pipeline.tracking.store import SYNC_COMMAND, Store, open_store

__all__ = [
    "SYNC_COMMAND",
    "Comparison",
    "Evaluation",
    "Member",
    "Store",
    "TrainingRun",
    "log_comparison",
    "log_evaluation",
    "open_store",
    "start_run",
    "sync",
    "sync_comparison",
]
