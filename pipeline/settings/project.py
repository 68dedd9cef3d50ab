"""All of `params.yaml` at once, and the contradictions between its blocks."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints

from pipeline.common import paths
from pipeline.common.errors import InputError
from pipeline.common.geometry import CELL, densest_width
from pipeline.settings.base import PARAMS_FILE, Settings, validate
from pipeline.settings.cluster import ClusterSettings
from pipeline.settings.decoding import DecodingSettings, LanguageModelSettings, OwnLanguageModelSettings
from pipeline.settings.effects import experiment_effects, source_problems
from pipeline.settings.experiment import ExperimentSettings, TrainingSettings, merge_training
from pipeline.settings.lines import LinesSettings
from pipeline.settings.messages import unknown_key
from pipeline.settings.own_lines import OwnLinesSettings
from pipeline.settings.pretrained import PretrainedSettings
from pipeline.settings.sources import CorpusSettings, EmnistSettings
from pipeline.settings.template import loaded_experiment, template_problems

Key = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
"""Name of a data set, an experiment or a beam search. DVC silently drops or changes other names."""


def _refuse_null(decodings: object) -> object:
    if decodings is None:  # DVC refuses it too, and without advice
        raise ValueError("must be a block of keys; write {} for no beam search")
    return decodings


class ProjectSettings(Settings):
    """The whole of `params.yaml`."""

    emnist: EmnistSettings
    """The source of characters."""
    corpus: CorpusSettings
    """The source of text."""
    lines: dict[Key, LinesSettings]
    """Data sets of synthetic lines by name."""
    own_lines: dict[Key, OwnLinesSettings] = Field(default_factory=dict)
    """Data sets of transcribed lines by name; no name is in `lines` too."""
    pretrained: dict[Key, PretrainedSettings] = Field(default_factory=dict)
    """Recognizers that others trained, by name."""
    training: TrainingSettings
    """Training settings that all experiments share."""
    experiments: Annotated[dict[Key, ExperimentSettings], Field(min_length=1)]
    """Experiments by name."""
    language_model: LanguageModelSettings
    """The character n-gram model of the training text."""
    own_language_models: dict[Key, OwnLanguageModelSettings] = Field(default_factory=dict)
    """Language models of transcribed lines by name."""
    cluster: ClusterSettings = Field(default_factory=ClusterSettings)
    """The room that a stage takes on a cluster."""
    decoding: Annotated[dict[Key, DecodingSettings], BeforeValidator(_refuse_null)]
    """Beam searches by name."""


def check_project(params: Mapping[str, Any]) -> ProjectSettings:
    """Validate all settings before any other work.

    Raises:
        InputError: one line names every faulty key.
    """
    project = validate(ProjectSettings, params)
    problems = [*template_problems(params)]
    problems += [*source_problems("emnist", project.emnist), *source_problems("corpus", project.corpus)]
    problems += [problem for key in project.experiments for problem in _experiment_problems(key, project)]
    problems += [problem for key in project.decoding for problem in decoding_problems(key, project)]
    problems += [
        f"own_lines.{key}: `lines` has this name too; rename one" for key in project.own_lines.keys() & project.lines
    ]
    problems += [
        unknown_key(f"own_language_models.{key}.lines: {model.lines}", model.lines, list(project.own_lines))
        for key, model in project.own_language_models.items()
        if model.lines not in project.own_lines
    ]
    if problems:
        raise InputError(f"{PARAMS_FILE}: {'; '.join(problems)}")
    return project


def experiment_training(key: str, project: ProjectSettings) -> TrainingSettings:
    """Merge the shared training settings with the experiment's own.

    Raises:
        InputError: they are not valid.
    """
    merged = merge_training(project.experiments[key], project.training.model_dump())
    return validate(TrainingSettings, merged, prefix=("experiments", key, "training"))


def _experiment_problems(key: str, project: ProjectSettings) -> Iterator[str]:
    experiment = project.experiments[key]
    path = f"experiments.{key}"
    yield from _load_problems(path, experiment, project)
    training = None
    try:
        training = experiment_training(key, project)
        yield from experiment_effects(path, experiment, training)
    except InputError as error:
        yield str(error).removeprefix(f"{PARAMS_FILE}: ")
    lines = project.lines.get(experiment.lines)
    if own_lines := project.own_lines.get(experiment.lines):
        yield from own_lines_problems(path, experiment, own_lines, training)
    elif lines is None:
        names = [*project.lines, *project.own_lines]
        yield unknown_key(f"{path}.lines: {experiment.lines}", experiment.lines, names)
    elif height_needed(experiment) not in (None, CELL):
        yield f"{path}.model: {experiment.model.name} reads lines of {height_needed(experiment)} pixels, not of {CELL}"
    elif experiment.loss == "ce":
        yield from cross_entropy_problems(path, experiment, lines)
    else:
        yield from ctc_problems(path, experiment, lines)


def own_lines_problems(
    path: str, experiment: ExperimentSettings, lines: OwnLinesSettings, training: TrainingSettings | None
) -> Iterator[str]:
    """Check that transcribed lines suit the loss, the model and the training, which is None if it is not valid."""
    if experiment.loss != "ctc":
        yield f"{path}.loss: {experiment.loss} needs a cell for each character; train own_lines with ctc"
    if training and training.endless:
        yield f"{path}.training.endless: makes synthetic lines; leave it out for own_lines"
    if height_needed(experiment) not in (None, lines.height):
        yield (
            f"{path}.model: {experiment.model.name} reads lines of {height_needed(experiment)} pixels; "
            f"set own_lines.{experiment.lines}.height, now {lines.height}"
        )


def height_needed(experiment: ExperimentSettings) -> int | None:
    """The only height in pixels that the model reads, or None if it reads any."""
    return getattr(experiment.model, "height", None)


def _load_problems(path: str, experiment: ExperimentSettings, project: ProjectSettings) -> Iterator[str]:
    """Check that a checkpoint below `models/` is one that an experiment trains."""
    source = loaded_experiment(experiment.load)
    if source is None:
        return
    if source not in project.experiments:
        yield unknown_key(f"{path}.load: {experiment.load}: experiment {source}", source, list(project.experiments))
        return
    seeds = project.experiments[source].training.get("seeds", project.training.seeds)
    checkpoints = [str(paths.checkpoint(source, seed)) for seed in seeds]
    if str(Path(str(experiment.load))) not in checkpoints:
        yield f"{path}.load: {experiment.load}: no checkpoint of {source}; it has {', '.join(checkpoints)}"


def cross_entropy_problems(path: str, experiment: ExperimentSettings, lines: LinesSettings) -> Iterator[str]:
    """Check that there is one step for each target position, as cross-entropy needs."""
    model, targets = experiment.model, lines.max_length
    steps = model.windows.steps(CELL * targets)
    here = f"{path}.model: this model makes S = {steps} steps for {targets} targets"
    change = f"change window_stride (now {model.window_stride}) or window_width (now {model.window_width})"
    if steps < targets:
        yield f"{here}, too few; {change}"
    elif steps > targets and not model.limit_output_length:
        yield f"{here}; set limit_output_length or {change}"


def ctc_problems(path: str, experiment: ExperimentSettings, lines: LinesSettings) -> Iterator[str]:
    """Check that there is a step for each character and one more between equal neighbours, as CTC needs.

    The texts are not known yet. So each text length is checked at the largest overlap and with one pair of equal
    neighbours. Training checks the lines themselves.
    """
    model = experiment.model
    tokens = 2 if lines.with_start_end_tokens else 0
    for characters in range(1, lines.max_characters + 1):
        width = densest_width(characters, lines.max_overlap)
        steps = model.windows.line_steps(width)
        repeats = 1 if characters > 1 else 0
        if steps < characters + tokens + repeats:
            yield (
                f"{path}.model: CTC cannot fit a line of {characters} characters, {width} pixels wide at overlap "
                f"{lines.max_overlap}: window_stride {model.window_stride} and window_width {model.window_width} "
                f"make S = {steps} steps, and it needs {characters + tokens} plus {repeats} for repeats; "
                f"choose a smaller window_stride"
            )
            return


def decoding_problems(key: str, project: ProjectSettings) -> Iterator[str]:
    """Check that the beam search decodes a CTC experiment whose lines have no `<S>` and `<E>`."""
    name = project.decoding[key].experiment
    path = f"decoding.{key}.experiment: {name}"
    experiment = project.experiments.get(name)
    if experiment is None:
        yield unknown_key(path, name, list(project.experiments))
    elif experiment.loss != "ctc":
        yield f"{path} is trained with {experiment.loss}; name an experiment that is trained with ctc"
    elif (lines := project.lines.get(experiment.lines)) and lines.with_start_end_tokens:
        yield f"{path} has lines with_start_end_tokens; name an experiment whose lines have none"
    elif any(project.decoding[key].intermediate_shares) and not getattr(experiment.model, "intermediate", False):
        yield (
            f"decoding.{key}.intermediate_shares: the model of {name} has no intermediate logits; "
            "set intermediate: true there, or shares to [0]"
        )
    else:
        yield from _language_model_problems(key, experiment.lines, project)


def _language_model_problems(key: str, lines: str, project: ProjectSettings) -> Iterator[str]:
    """Check that the language model is of the data set that the beam search decodes."""
    chosen = project.decoding[key].language_model
    suiting = [paths.LANGUAGE_MODEL]
    if lines in project.own_lines:
        suiting = [
            paths.language_model(name) for name, own in project.own_language_models.items() if own.lines == lines
        ]
    if Path(chosen) not in suiting:
        names = " or ".join(map(str, suiting)) or f"a block of own_language_models with lines: {lines}"
        yield f"decoding.{key}.language_model: {chosen}: not a language model for the lines {lines}; it needs {names}"
