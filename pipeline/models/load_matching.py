"""Begin a training with the weights of a model that knows other characters."""

import torch
from torch import Tensor

from pipeline.common.vocabulary import FIRST, Vocabulary
from pipeline.models.recognizer import Recognizer


def load_matching(recognizer: Recognizer, loaded: Recognizer) -> None:
    """Copy the weights of `loaded` into `recognizer`.

    Where a layer has a row for each class, the rows of characters that both know are copied, and the others stay as
    they are: freshly drawn.

    Raises:
        ValueError: the models differ in more than their characters.
    """
    target, source = recognizer.model.state_dict(), loaded.model.state_dict()
    if different := sorted(target.keys() ^ source.keys()):
        raise ValueError(f"{different[0]} is in one of them only")
    vocabularies = recognizer.objective.vocabulary, loaded.objective.vocabulary
    for name, weight in target.items():
        target[name] = _merge(name, weight, source[name], *vocabularies)
    recognizer.model.load_state_dict(target)


def _merge(name: str, weight: Tensor, given: Tensor, ours: Vocabulary, theirs: Vocabulary) -> Tensor:
    """`weight` with the entries of `given`; a side of as many entries as classes is matched by characters."""
    if ours == theirs and weight.shape == given.shape:
        return given
    merged = weight.clone()
    if weight.ndim != given.ndim:
        raise ValueError(f"{name}: {tuple(given.shape)} instead of {tuple(weight.shape)}")
    ours_at, theirs_at = [], []
    for size, given_size in zip(weight.shape, given.shape, strict=True):
        if (size, given_size) == (ours.num_classes, theirs.num_classes):
            pairs = matching_classes(ours, theirs)
            ours_at.append(pairs[0])
            theirs_at.append(pairs[1])
        elif size == given_size:
            ours_at.append(torch.arange(size))
            theirs_at.append(torch.arange(size))
        else:
            raise ValueError(f"{name}: {tuple(given.shape)} instead of {tuple(weight.shape)}")
    if not weight.ndim:
        return given
    merged[torch.meshgrid(*ours_at, indexing="ij")] = given[torch.meshgrid(*theirs_at, indexing="ij")]
    return merged


def matching_classes(ours: Vocabulary, theirs: Vocabulary) -> tuple[Tensor, Tensor]:
    """The classes of special tokens and common characters in both vocabularies."""
    positions = {character: FIRST + index for index, character in enumerate(theirs.characters)}
    pairs = [(index, index) for index in range(FIRST)]
    pairs += [
        (FIRST + index, positions[character])
        for index, character in enumerate(ours.characters)
        if character in positions
    ]
    first, second = zip(*pairs, strict=True)
    return torch.tensor(first), torch.tensor(second)
