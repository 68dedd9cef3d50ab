"""Stage `check`: refuse bad settings before anything else runs."""

from collections.abc import Iterator
from pathlib import Path

from pipeline.common import paths
from pipeline.common.errors import InputError
from pipeline.common.files import write_text
from pipeline.orchestration.stale_outputs import remove_stale_outputs
from pipeline.settings.base import NO_FILE, PARAMS_FILE, read_params
from pipeline.settings.lightning import trainer_problems
from pipeline.settings.project import ProjectSettings, check_project
from pipeline.settings.template import loaded_experiment

OUTPUT = Path("data/settings.ok")
"""Always the same bytes, so that later stages wait for it and never run again because of it."""
NOTHING = "This file stands for no file: DVC has no optional dependencies.\n"
FOLDERS = (Path("decodings"), Path("decoding_timings"))
"""Outputs of beam searches. The stage `compare_decodings` needs the folders also if the settings have no search."""


def main() -> None:
    """Validate params.yaml, make the folders, write the outputs, and take away those of removed settings."""
    OUTPUT.unlink(missing_ok=True)  # DVC leaves it, as it is persistent; nothing may go on after a refusal
    params = read_params()
    project = check_project(params)
    if problems := "; ".join([*trainer_problems(project), *missing_files(project)]):
        raise InputError(f"{PARAMS_FILE}: {problems}")
    for folder in FOLDERS:
        folder.mkdir(exist_ok=True)
    if removed := remove_stale_outputs(params):
        print(f"check: removed {', '.join(removed)}: {PARAMS_FILE} no longer has them; DVC's cache keeps them")
    write_text(Path(NO_FILE), NOTHING)
    write_text(OUTPUT, "params.yaml is valid\n")
    data_sets = len(project.lines) + len(project.own_lines)
    print(f"check: {len(project.experiments)} experiments on {data_sets} data sets of lines")


def missing_files(project: ProjectSettings) -> Iterator[str]:
    """Name the files of the user that do not exist. An experiment's checkpoints are made later."""
    for section, source in (("emnist", project.emnist), ("corpus", project.corpus)):
        if source.archive and not Path(source.archive).exists():
            yield f"{section}.archive: {source.archive}: no such file or folder"
    for key, own_lines in project.own_lines.items():
        if not Path(own_lines.path).exists():
            yield f"own_lines.{key}.path: {own_lines.path}: no such file or folder"
    for key, pretrained in project.pretrained.items():
        if pretrained.file and not Path(pretrained.file).is_file():
            yield f"pretrained.{key}.file: {pretrained.file}: no such file"
    for key, model in project.own_language_models.items():
        if model.text and not Path(model.text).is_file():
            yield f"own_language_models.{key}.text: {model.text}: no such file"
    made = {str(paths.pretrained(key)) for key in project.pretrained}
    for key, experiment in project.experiments.items():
        load = experiment.load
        if load and loaded_experiment(load) is None and load not in made and not Path(load).is_file():
            yield f"experiments.{key}.load: {load}: no such file"
