"""The whole pipeline from nothing, twice: both runs give the same bytes."""

from pathlib import Path

from tests.projects import Project

EXPERIMENTS = ("simple_ce_aligned", "lstm_ctc_variable")
TIMED = "timings"
NOT_OUTPUTS = {".dvc", ".downloads", ".training", "params.yaml"}


def outputs(root: Path) -> dict[str, bytes]:
    files = [path.relative_to(root) for path in root.rglob("*") if path.is_file()]
    return {file.as_posix(): (root / file).read_bytes() for file in files if file.parts[0] not in NOT_OUTPUTS}


def run_all(project: Project, name: str) -> dict[str, bytes]:
    """Run every stage but the comparison in a new folder."""
    root = project.root.parent / name
    (root / ".dvc").mkdir(parents=True)
    project.monkeypatch.chdir(root)
    project.root = root
    project.change(training={"max_epochs": 2})
    for stage in ("check", "download", "corpus"):
        project.run(stage)
    for lines in ("aligned", "variable"):
        project.run("synthesize", lines)
    for key in EXPERIMENTS:
        project.run("train", key)
        project.run("evaluate", key)
    return outputs(root)


def test_two_runs_from_nothing_differ_only_in_their_timings(tracked: Project) -> None:
    first, second = run_all(tracked, "first"), run_all(tracked, "second")
    made = {path for path in first if not path.startswith(TIMED)}
    assert made == {
        *("data/none", "data/settings.ok", "data/characters.h5", "data/corpus.json"),
        *(f"data/lines/{name}.h5" for name in ("aligned", "variable")),
        *(f"models/{key}/seed_42.ckpt" for key in EXPERIMENTS),
        *(f"{folder}/{key}.csv" for folder in ("history", "predictions") for key in EXPERIMENTS),
        *(f"metrics/{key}.json" for key in EXPERIMENTS),
    }
    assert first.keys() == second.keys()
    assert [path for path in sorted(made) if first[path] != second[path]] == []
    assert sorted(first.keys() - made) == sorted(
        f"timings/{key}_{stage}.json" for key in EXPERIMENTS for stage in ("train", "evaluate")
    )
