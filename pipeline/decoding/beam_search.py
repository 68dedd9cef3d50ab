"""Prefix beam search for CTC with a character language model, many lines at once.

A hypothesis is a text. Its probability is summed over its alignments so far, separately for those that end with a blank
and those that do not (Hannun et al., "First-Pass Large Vocabulary Continuous Speech Recognition using Bi-Directional
Recurrent DNNs", 2014). Hypotheses are ranked by

    log p_ctc(text) + lm_weight * log p_lm(text) - prior_weight * sum of log p(character) + length_bonus * length

The recognizer learns from its lines how frequent each character is, and the language model adds this a second time. The
prior corrects for it (the density ratio of McDermott et al., "A Density Ratio Approach to Language Model Fusion in
End-to-End Automatic Speech Recognition", 2019, with character frequencies as the source-domain language model).

More shape letters: K hypotheses per line (the beam width), A candidate characters per step.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from pipeline.common.vocabulary import BLANK, FIRST
from pipeline.decoding.beam_state import NEG_INF, NO_PARENT, Beam, extend_hash, initial_beam, unused_hashes
from pipeline.decoding.hypotheses import Hypotheses, SearchSettings
from pipeline.decoding.language_model.cache import LanguageModelCache
from pipeline.decoding.language_model.model import EMPTY_CONTEXT


def beam_search(
    log_probabilities: Tensor, lengths: Sequence[int], settings: SearchSettings, lm: LanguageModelCache | None
) -> Hypotheses:
    """Find the best texts for log-probabilities (B, C, S) on the CPU; the steps after `lengths` are ignored.

    Without `lm` there is no language model and no prior.
    """
    steps = _pad_with_blanks(log_probabilities.double(), lengths)
    start_context = EMPTY_CONTEXT if lm is None else lm.model.start_context
    beam, origins, written = initial_beam(len(steps), settings.width, start_context), [], []
    rewards = _character_rewards(steps.shape[1] - FIRST, settings, lm)
    for step in range(steps.shape[2]):
        beam, origin, classes = _advance(beam, steps[:, :, step], settings, lm, rewards)
        origins.append(origin)
        written.append(classes)
    lm_scores = beam.lm + _end_log_probabilities(beam, lm)
    found = Hypotheses(_trace_back(origins, written), beam.total, lm_scores, beam.rewards)
    order = found.scores(settings.lm_weight).argsort(dim=1, descending=True, stable=True)
    return Hypotheses(
        found.classes.take_along_dim(order[..., None], 1),
        *(values.take_along_dim(order, 1) for values in (found.ctc, found.lm, found.rewards)),
    )


def _pad_with_blanks(steps: Tensor, lengths: Sequence[int]) -> Tensor:
    """Give the steps after a line probability 1 for the blank, which changes no hypothesis."""
    after = torch.arange(steps.shape[2]) >= torch.tensor(lengths)[:, None]
    steps = steps.masked_fill(after[:, None, :], NEG_INF)
    steps[:, BLANK][after] = 0
    return steps


def _character_rewards(characters: int, settings: SearchSettings, lm: LanguageModelCache | None) -> Tensor:
    """(characters,) length bonus and prior of each character."""
    if lm is None:
        return torch.full((characters,), settings.length_bonus, dtype=torch.float64)
    table, row = lm.look_up(torch.tensor(EMPTY_CONTEXT))
    return settings.length_bonus - settings.prior_weight * table[row]


def _advance(
    beam: Beam, step: Tensor, settings: SearchSettings, lm: LanguageModelCache | None, rewards: Tensor
) -> tuple[Beam, Tensor, Tensor]:
    """The beam after a step (B, C), and for each hypothesis the slot it comes from and the class it wrote, (B, K)."""
    # The search never writes `<S>`, `<E>` or `<P>`.
    likely, classes = step[:, FIRST:].topk(min(settings.candidates, step.shape[1] - FIRST))
    classes = classes + FIRST
    blank, non_blank, extended = _alignment_scores(beam, step, likely, classes)
    lm_scores = (beam.lm[..., None] + _character_log_probabilities(beam, classes, lm)).expand_as(extended)
    new_rewards = beam.rewards[..., None] + rewards[classes - FIRST][:, None, :]
    keep_scores = torch.logaddexp(blank, non_blank) + settings.lm_weight * beam.lm + beam.rewards
    extend_scores = extended + settings.lm_weight * lm_scores + new_rewards
    scores, chosen = torch.cat((keep_scores, extend_scores.flatten(1)), 1).topk(settings.width)

    extends = chosen >= settings.width
    pairs = (chosen - settings.width).clamp(min=0)
    origin = torch.where(extends, pairs // classes.shape[1], chosen)
    character = torch.where(extends, classes.take_along_dim(pairs % classes.shape[1], 1), BLANK)
    old = beam.gather(origin)
    unused = scores == NEG_INF
    prefix = torch.where(extends, extend_hash(old.prefix, character), old.prefix)
    parent = torch.where(extends, old.prefix, old.parent)
    context = old.context if lm is None else lm.model.advance(old.context, character - FIRST)
    new = Beam(
        blank=blank.take_along_dim(origin, 1).masked_fill(extends, NEG_INF),
        non_blank=torch.where(
            extends, extended.flatten(1).take_along_dim(pairs, 1), non_blank.take_along_dim(origin, 1)
        ),
        last=torch.where(extends, character, old.last),
        prefix=torch.where(unused, unused_hashes(settings.width), prefix),
        parent=parent.masked_fill(unused, NO_PARENT),
        context=torch.where(extends, context, old.context),
        lm=torch.where(extends, lm_scores.flatten(1).take_along_dim(pairs, 1), old.lm),
        rewards=torch.where(extends, new_rewards.flatten(1).take_along_dim(pairs, 1), old.rewards),
    )
    return new, origin, character


def _alignment_scores(beam: Beam, step: Tensor, likely: Tensor, classes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """CTC log-probabilities after a step.

    Of the same texts (B, K), ending with a blank and with their last character; and of the texts with one more
    character (B, K, A). If an extended text is already in the beam, its probability is added there instead.
    """
    total = beam.total
    blank = total + step[:, BLANK, None]
    repeat = step.take_along_dim(beam.last, 1).masked_fill(beam.last == BLANK, NEG_INF)
    non_blank = beam.non_blank + repeat
    repeats = classes[:, None, :] == beam.last[..., None]
    extended = likely[:, None, :] + torch.where(repeats, beam.blank[..., None], total[..., None])

    is_child = beam.prefix[:, :, None] == beam.parent[:, None, :]
    has_parent, parent = is_child.any(1), is_child.int().argmax(1)
    old = beam.gather(parent)
    from_parent = repeat + torch.where(old.last == beam.last, old.blank, old.total)
    non_blank = torch.where(has_parent, torch.logaddexp(non_blank, from_parent), non_blank)
    lines, children, candidates = (repeats & has_parent[..., None]).nonzero(as_tuple=True)
    extended[lines, parent[lines, children], candidates] = NEG_INF
    return blank, non_blank, extended


def _character_log_probabilities(beam: Beam, classes: Tensor, lm: LanguageModelCache | None) -> Tensor:
    """(B, K, A) language model log-probability of each candidate as the next character."""
    if lm is None:
        return torch.zeros((), dtype=torch.float64)
    table, rows = lm.look_up(beam.context)
    return table[rows[..., None], (classes - FIRST)[:, None, :]]


def _end_log_probabilities(beam: Beam, lm: LanguageModelCache | None) -> Tensor:
    """(B, K) language model log-probability of the end of the line."""
    if lm is None:
        return torch.zeros((), dtype=torch.float64)
    table, rows = lm.look_up(beam.context)
    return table[rows, lm.model.symbols.boundary]


def _trace_back(origins: Sequence[Tensor], written: Sequence[Tensor]) -> Tensor:
    """(B, K, S) class that each final hypothesis wrote at each step."""
    classes = []
    slots = torch.arange(written[-1].shape[1]).expand_as(written[-1])
    for origin, step_classes in zip(reversed(origins), reversed(written), strict=True):
        classes.append(step_classes.take_along_dim(slots, 1))
        slots = origin.take_along_dim(slots, 1)
    return torch.stack(classes[::-1], dim=2)
