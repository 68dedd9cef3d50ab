from pipeline.settings.base import read_params
from tests.projects import Project


def test_valid_settings_write_a_file_that_never_changes(project: Project) -> None:
    experiments = len(read_params()["experiments"])
    assert project.run("check") == f"check: {experiments} experiments on 3 data sets of lines\n"
    content = (project.root / "data/settings.ok").read_bytes()
    project.change(training={"max_epochs": 7})
    project.run("check")
    assert (project.root / "data/settings.ok").read_bytes() == content


def test_bad_settings_are_refused_in_one_line(project: Project) -> None:
    project.change(training={"max_epoch": 7}, emnist={"balance": "median"})
    line = project.refusal("check")
    assert "emnist.balance: must be 'mean' or 'none', got 'median'" in line
    assert "training.max_epoch: unknown; did you mean max_epochs?" in line
    assert not (project.root / "data").exists()


def test_another_folder_is_refused(project: Project) -> None:
    (project.root / "params.yaml").unlink()
    assert project.refusal("check") == (
        "params.yaml: cannot be read (No such file or directory); run from the project's root"
    )
