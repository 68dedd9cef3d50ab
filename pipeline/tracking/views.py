"""The views in which MLflow's pages open: all trainings side by side, and all comparisons.

MLflow keeps a view as a tag of the experiment, in the form in which its page saves one. `searchFilter` selects the
runs, `selectedColumns` the columns of the table, and `compareRunCharts` the charts.
"""

import json
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from pipeline.tracking.store import Store

Json = Mapping[str, object]
TRAININGS, COMPARISONS = "trainings", "comparisons"
"""The names of the views in addresses."""

_TAG = "mlflow.sharedViewState."
_COLUMNS = {
    "attributes.`Run Name`": 250,
    "runDateAndNestInfo": 135,
    "metrics.`test_cer`": 85,
    "metrics.`val_cer`": 85,
    "metrics.`test_accuracy`": 105,
    "tags.`model`": 125,
    "tags.`loss`": 80,
    "tags.`lines`": 95,
    "duration": 75,
}
_COMPARISON_COLUMNS = {
    "attributes.`Run Name`": 250,
    "runDateAndNestInfo": 135,
    "metrics.`test_cer`": 85,
    "tags.`best`": 200,
    "tags.`lines`": 95,
    "tags.`dvc.exp_name`": 200,
    "duration": 75,
}
"""Columns with their widths in pixels. A screen of 1400 pixels holds all of them."""
_CURVES = ("val_cer", "val_loss")
_RUNS_PER_CHART = 100


def save_views(store: Store) -> None:
    """Save the views in the store, unless they are there already."""
    tags = store.client.get_experiment(store.experiment_id).tags
    for name, title, state in (
        (TRAININGS, "All trainings", _trainings()),
        (COMPARISONS, "Comparisons", _comparisons()),
    ):
        value = json.dumps({"name": title, "createdAt": 0, "state": json.dumps(state)})
        if tags.get(_TAG + name) != value:
            store.client.set_experiment_tag(store.experiment_id, _TAG + name, value)


def view_address(store: Store, name: str = TRAININGS, mode: str = "TABLE") -> str:
    """The address of a view on a server of this store, from its `#` on; `mode` is TABLE or CHART."""
    # The workflow type hides MLflow's pages for language models.
    query = {"workflowType": "machine_learning", "viewStateShareKey": name, "compareRunsMode": mode}
    return f"#/experiments/{store.experiment_id}/runs?{urlencode(query)}"


def compare_address(store: Store, run_ids: Sequence[str]) -> str:
    """The address of MLflow's page that compares these runs, from its `#` on."""
    query = {"runs": json.dumps(list(run_ids)), "experiments": json.dumps([store.experiment_id])}
    return f"#/compare-runs?{urlencode(query)}"


def _trainings() -> Json:
    return {
        "searchFilter": "tags.source != 'compare'",
        "orderByKey": "metrics.`test_cer`",
        "orderByAsc": True,
        **_columns(_COLUMNS),
        # By default, charts show ten runs.
        "runsHiddenMode": "SHOW_ALL",
        "compareRunCharts": [*map(_curves, _CURVES), _chart("BAR", "test_cer")],
        # MLflow adds a chart of every other metric to the section `Model metrics`.
        "compareRunSections": [
            {"uuid": "first", "name": "Comparison", "display": True, "isReordered": True},
            {"uuid": "rest", "name": "Model metrics", "display": False, "isReordered": False},
        ],
        "isAccordionReordered": True,
    }


def _chart(kind: str, metric: str) -> dict[str, object]:
    place = {"uuid": metric, "metricSectionId": "first", "runsCountToCompare": _RUNS_PER_CHART}
    return {**place, "type": kind, "metricKey": metric}


def _curves(metric: str) -> dict[str, object]:
    axes = {"xAxisKey": "step", "xAxisScaleType": "linear", "yAxisKey": "metric", "scaleType": "linear"}
    return {**_chart("LINE", metric), **axes, "selectedMetricKeys": [metric], "lineSmoothness": 0}


def _comparisons() -> Json:
    return {
        "searchFilter": "tags.source = 'compare'",
        "orderByKey": "attributes.start_time",
        "orderByAsc": False,
        **_columns(_COMPARISON_COLUMNS),
    }


def _columns(widths: Mapping[str, int]) -> Json:
    chosen = [column for column in widths if column.startswith(("metrics.", "tags."))]
    return {"selectedColumns": chosen, "columnOrder": list(widths), "columnWidths": widths}
