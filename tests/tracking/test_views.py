import json

from pipeline.tracking.store import Store
from pipeline.tracking.views import COMPARISONS, TRAININGS, compare_address, save_views, view_address


def view(store: Store, name: str) -> dict[str, object]:
    tags = store.client.get_experiment(store.experiment_id).tags
    state: dict[str, object] = json.loads(json.loads(tags[f"mlflow.sharedViewState.{name}"])["state"])
    return state


def test_every_training_and_every_comparison_is_in_one_view(store: Store) -> None:
    created = {
        source: store.client.create_run(store.experiment_id, tags={"source": source}).info.run_id
        for source in ("train", "backfill", "compare")
    }
    store.client.create_run(store.experiment_id, tags={"search": "a search is neither"})
    save_views(store)
    found = {}
    for name in (TRAININGS, COMPARISONS):
        state = view(store, name)
        order = [f"{state['orderByKey']} {'ASC' if state['orderByAsc'] else 'DESC'}"]
        runs = store.client.search_runs([store.experiment_id], str(state["searchFilter"]), order_by=order)
        found[name] = {run.info.run_id for run in runs}
    assert found == {TRAININGS: {created["train"], created["backfill"]}, COMPARISONS: {created["compare"]}}


def test_a_changed_view_is_repaired(store: Store) -> None:
    save_views(store)
    before = view(store, TRAININGS)
    tag = f"mlflow.sharedViewState.{TRAININGS}"
    store.client.set_experiment_tag(store.experiment_id, tag, "something older")
    save_views(store)
    assert view(store, TRAININGS) == before


def test_addresses_name_the_experiment(store: Store) -> None:
    path = f"#/experiments/{store.experiment_id}/runs?workflowType=machine_learning&viewStateShareKey=comparisons"
    assert view_address(store, COMPARISONS, "CHART") == f"{path}&compareRunsMode=CHART"
    runs = "%5B%22a%22%2C+%22b%22%5D"
    assert compare_address(store, ["a", "b"]) == (
        f"#/compare-runs?runs={runs}&experiments=%5B%22{store.experiment_id}%22%5D"
    )
