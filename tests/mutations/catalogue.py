"""Faults to put into the code, one at a time. For each file: what stands there, and what a mistake makes of it."""

MUTATIONS: dict[str, list[tuple[str, str]]] = {
    "pipeline/common/files.py": [
        ("        partial.replace(target)", "        shutil.copyfile(partial, target)"),
    ],
    "pipeline/common/geometry.py": [
        ("return -(-line_width // self.stride)", "return line_width // self.stride"),
        ("return CELL - int(CELL * overlap)", "return int(CELL * (1 - overlap))"),
    ],
    "pipeline/common/vocabulary.py": [
        ("lengths + 1] = END", "lengths] = END"),
        ("(lengths + 2 * wrap).max", "(lengths + wrap).max"),
    ],
    "pipeline/data/loading/augmentation.py": [
        ("x = x + slant * y", "x = x - slant * y"),
        ("len(line_std)), np.float32)[lines] * line_std", "len(line_std)), np.float32)[lines * 0] * line_std"),
    ],
    "pipeline/data/loading/batches.py": [
        ("pools = [lines[i : i + size]", "pools = [np.arange(len(lines))[i : i + size]"),
        ("range(rank, -(-len(batches) // replicas) * replicas, replicas)", "range(rank, len(batches), replicas)"),
    ],
    "pipeline/data/loading/datamodule.py": [
        ("np.random.default_rng([self.seed, epoch])", "np.random.default_rng([self.seed])"),
        ("np.random.default_rng([self.seed, epoch])", "np.random.default_rng([epoch])"),
        ("LineDataset(self.validation), None)", "LineDataset(self.train), None)"),
    ],
    "pipeline/data/loading/streaming.py": [
        ("default_rng([self.seed, self.epoch, pool])", "default_rng([self.seed, pool])"),
        ('read_characters(characters, "train")', 'read_characters(characters, "test")'),
    ],
    "pipeline/data/sources/characters.py": [
        ('"validation": validation, "test": test}', '"validation": test, "test": validation}'),
        ("spawn_generators(settings.seed)", "spawn_generators(0)"),
        ("balance(train, rng), balance(test, rng)", "balance(train, rng), test"),
    ],
    "pipeline/data/sources/download.py": [
        ('"sha256", pin.sha256),', '"sha256", None),'),
        ("if not target.is_file() or _find_fault(target, pin):", "if not target.is_file():"),
    ],
    "pipeline/data/sources/transfer.py": [
        ("if total is None or not (pinned or _version(response) == version):", "if total is None:"),
        ("if total is not None and size != total:", "if total is not None and size > total:"),
    ],
    "pipeline/data/storage/characters.py": [
        ("round(len(members) * fraction), 1)", "round(len(members) * fraction), 0)"),
        ("first.append(members[cut:])", "first.append(members)"),
        ("members = shuffled[characters", "members = np.arange(len(characters))[characters"),
        ("cap = len(characters) // classes", "cap = int(np.median(np.bincount(characters.labels)))"),
    ],
    "pipeline/data/storage/corpus.py": [
        ("np.split(order, [train, train + validation])", "np.split(order, [train, train + test])"),
        ("order = rng.permutation(len(documents))", "order = np.arange(len(documents))"),
    ],
    "pipeline/data/storage/line_store.py": [
        ("max_length, wrap=wrap)", "max_length)"),
        ("if [len(text) for text in texts] != lengths.tolist():", "if len(texts) != len(lengths):"),
    ],
    "pipeline/data/synthesis/compose.py": [
        (
            "np.minimum(cells[corner].view(np.uint8).reshape(ink.shape), ~ink)",
            "cells[corner].view(np.uint8).reshape(ink.shape)",
        ),
        ("layers = -(-CELL // smallest_advance)", "layers = CELL // smallest_advance"),
    ],
    "pipeline/data/synthesis/renderer.py": [
        ("CELL - (CELL * overlaps).astype(np.int64)", "CELL - np.rint(CELL * overlaps).astype(np.int64)"),
        ('if settings.overlap_per == "character" else 1', 'if settings.overlap_per == "line" else 1'),
        ("image_numbers[has_ink] = self.by_class[chosen]", "image_numbers[has_ink] = chosen"),
        ("chosen = choices[lines, labels[has_ink]]", "chosen = choices[0, labels[has_ink]]"),
        ("np.take_along_axis(starts, lengths - 1, axis=1)", "np.take_along_axis(starts, lengths, axis=1)"),
    ],
    "pipeline/data/synthesis/texts.py": [
        ('side="right"', 'side="left"'),
        ("np.diff(self.spaces) <= max_characters + 1", "np.diff(self.spaces) <= max_characters"),
        ("rng.integers(last_spaces - firsts)", "last_spaces - firsts - 1"),
    ],
    "pipeline/decoding/beam_search.py": [
        ("torch.where(repeats, beam.blank[..., None], total[..., None])", "total[..., None]"),
        ("extended[lines, parent[lines, children], candidates] = NEG_INF", "del lines, children, candidates"),
        ("lm_scores = beam.lm + _end_log_probabilities(beam, lm)", "lm_scores = beam.lm"),
        ("length_bonus - settings.prior_weight *", "length_bonus + settings.prior_weight *"),
    ],
    "pipeline/decoding/confidence.py": [
        ("initial=-np.inf)) / temperature", "initial=-np.inf)) * temperature"),
        ("np.minimum((confidence * BINS).astype(int), BINS - 1)", "(confidence * BINS).astype(int)"),
    ],
    "pipeline/decoding/forced_alignment.py": [
        ("ends = [2 * count, max(0, 2 * count - 1)]", "ends = [2 * count]"),
        (" & (states[:, 2:] != states[:, :-2])", ""),
    ],
    "pipeline/decoding/greedy.py": [
        ("    kept[:, 1:] &= classes[:, 1:] != classes[:, :-1]\n", ""),
        ("kept.cumsum(1) <= max_length", "kept.cumsum(1) < max_length"),
        ("torch.arange(steps) < torch", "torch.arange(steps) <= torch"),
    ],
    "pipeline/decoding/language_model/model.py": [
        ("ngrams.offsets[:-1]) + followers", "ngrams.offsets[:-1])"),
        ("in (continuation_counts(c, symbols) for c in counts[1:])", "in counts[:-1]"),
        ("n[1] / (n[1] + 2 * n[2])", "n[1] / (n[1] + n[2])"),
    ],
    "pipeline/decoding/posteriors.py": [
        (
            "(1 - weight) * self.log_probabilities + weight * self",
            "weight * self.log_probabilities + (1 - weight) * self",
        ),
    ],
    "pipeline/inference/batches.py": [
        ("zip(indices, predictions, strict=True)", "zip(sorted(indices), predictions, strict=True)"),
        ("recognizer.model.eval().to(", "recognizer.model.to("),
    ],
    "pipeline/inference/decode.py": [
        ("grid_search(validation.posteriors, validation.texts", "grid_search(test.posteriors, test.texts"),
        ("(calibration_set, validation.texts)", "(search_lines(test.posteriors, best.search, lm), test.texts)"),
    ],
    "pipeline/inference/seeds.py": [
        ("stdev(metrics", "__import__('statistics').pstdev(metrics"),
    ],
    "pipeline/inference/tuning.py": [
        ("return min(trials", "return max(trials"),
    ],
    "pipeline/kernels/blank_background.py": [
        ("windows.first_blank_step(images.shape[-1]) + 1)", "windows.first_blank_step(images.shape[-1]))"),
    ],
    "pipeline/metrics/epoch.py": [
        (".add_(amount)", ".copy_(torch.tensor(amount))"),
        ('dist_reduce_fx="sum"', 'dist_reduce_fx="mean"'),
    ],
    "pipeline/metrics/error_rates.py": [
        ("edits / np.maximum(longest, 1)", "edits / np.maximum(characters, 1)"),
        ("max(1, sum(map(len, targets)))", "max(1, sum(map(len, predictions)))"),
        ('"cer": ("edits", "characters")', '"cer": ("lab_rates", "lines")'),
        ("Levenshtein.distance(p.split(), t.split())", "float(p.split() != t.split())"),
        ("targets != PADDING", "targets > PADDING"),
        ("(hits & on_text).sum()", "hits.sum()"),
    ],
    "pipeline/models/checkpoint.py": [
        ("weights_only=True", "weights_only=False"),
        ("    recognizer.model.eval()\n", ""),
    ],
    "pipeline/models/layers/attention.py": [
        (">= lengths_on(", "> lengths_on("),
    ],
    "pipeline/objectives/base.py": [
        ("(step_losses * counted).sum() / sum(lengths)", "step_losses.mean()"),
    ],
    "pipeline/objectives/cross_entropy.py": [
        (".transpose(1, 2).flatten(0, 1)", ".reshape(-1, logits.shape[1])"),
        ("[self.max_length] * len(widths)", "[windows.line_steps(width) for width in widths]"),
    ],
    "pipeline/objectives/ctc.py": [
        (" + sum(a == b for a, b in pairwise(text))", ""),
        ("blank=BLANK", "blank=PADDING"),
        ("tuple(lengths),", "(logits.shape[2],) * len(lengths),"),
        ("zero_infinity=True", "zero_infinity=False"),
        ("zero_infinity=True", 'zero_infinity=True, reduction="sum"'),
        ("collapse(best_path(logits, lengths)", "collapse(best_path(logits)"),
        ("(steps - non_blank) / steps", "non_blank / steps"),
    ],
    "pipeline/report/analysis/bootstrap.py": [
        ("tail = (1 - LEVEL) / 2", "tail = 1 - LEVEL"),
    ],
    "pipeline/settings/base.py": [
        ('extra="forbid"', 'extra="ignore"'),
        ("strict=True", "strict=False"),
    ],
    "pipeline/settings/experiment.py": [
        ('{**shared.get("trainer", {}), **trainer}', "dict(trainer)"),
        ("{**shared, **experiment.training}", "{**experiment.training, **shared}"),
        ("if len(set(seeds)) < len(seeds):", "if not seeds:"),
    ],
    "pipeline/settings/lines.py": [
        ("if self.min_overlap > self.max_overlap:", "if self.min_overlap >= self.max_overlap:"),
        ("Field(ge=0, le=0.9)", "Field(ge=0, lt=0.9)"),
        ("return self.max_length - 2", "return self.max_length - 1"),
    ],
    "pipeline/settings/project.py": [
        ("if steps < targets:", "if steps <= targets:"),
        ("repeats = 1 if characters > 1 else 0", "repeats = 0"),
    ],
    "pipeline/tracking/comparisons.py": [
        ("key=lambda member: member.test_cer)", "key=lambda member: -member.test_cer)"),
    ],
    "pipeline/tracking/evaluations.py": [
        ("attributes.start_time DESC", "attributes.start_time ASC"),
    ],
    "pipeline/tracking/registry.py": [
        ("cer <= candidate.test_cer", "cer < candidate.test_cer"),
        ("and same_data and cer", "and cer"),
    ],
    "pipeline/tracking/run.py": [
        ('"KILLED" if killed else "FAILED"', '"FAILED"'),
    ],
    "pipeline/tracking/values.py": [
        ("if value is not None and math.isfinite(value)}", "if value is not None}"),
    ],
    "pipeline/training/callbacks.py": [
        ('        torch.set_rng_state(state_dict["cpu"])\n', ""),
        ("trainer.should_stop = self.wait_count >= self.patience", "trainer.should_stop = False"),
        ("float(trainer.optimizers[0].param_groups[0]", "float(trainer.optimizers[0].defaults"),
        ('self.rows, self.seconds = list(state_dict["rows"]), state_dict["seconds"]', "return"),
    ],
    "pipeline/training/ctc_checks.py": [
        ('sort_values("val_loss").iloc[0]', 'sort_values("val_loss").iloc[-1]'),
        ("if steps[line] < needed[line]]", "if steps[line] <= needed[line]]"),
    ],
    "pipeline/training/lit_module.py": [
        (
            "    def _count_steps(",
            "    def on_load_checkpoint(self, checkpoint: Any) -> None:\n        checkpoint['lr_schedulers'] = []\n\n"
            "    def _count_steps(",
        ),
        ('"interval": "step"', '"interval": "epoch"'),
        (
            "math.ceil(trainer.datamodule.train_batches / trainer.accumulate_grad_batches)",
            "trainer.datamodule.train_batches",
        ),
        (
            '"train", batch, loss, logits, lengths)\n        loss = self._smooth(loss,',
            '"train", batch, self._smooth(loss, logits, lengths), logits, lengths)\n        loss = self._smooth(loss,',
        ),
        (
            "torch.lerp(loss, torch.stack(intermediate_losses).mean(), ",
            "torch.lerp(torch.stack(intermediate_losses).mean(), loss, ",
        ),
        ("        metrics.reset()\n", ""),
    ],
    "pipeline/training/optimizers.py": [
        ('"weight_decay": 0.0}', '"weight_decay": weight_decay}'),
    ],
    "pipeline/training/resume.py": [
        ("by_age[: 1 - MAX_KEPT]", "by_age[:-MAX_KEPT]"),
        ('"inputs": inputs', '"inputs": ()'),
        ('"code": code.hexdigest()', '"code": ""'),
        ('"training": training.model_dump(exclude={"seeds"})', '"training": training.max_epochs'),
    ],
    "pipeline/training/sample_predictions.py": [
        ("module.training = mode", "pass"),
        ("{0, max_epochs // 2, max_epochs - 1}", "{0, max_epochs // 2, max_epochs}"),
    ],
    "pipeline/training/train.py": [
        ("ckpt_path=resume_from", "ckpt_path=None"),
        ('monitor="val_loss"', 'monitor="train_loss"'),
        ("patience=training.early_stopping_patience", "patience=training.early_stopping_patience + 1"),
        ("        module.load_state_dict(weights)\n", ""),
        (
            "[same_start, *averaging, best, early_stopping, *callbacks, last]",
            "[same_start, *averaging, last, best, early_stopping, *callbacks]",
        ),
        ("pl.seed_everything(seed, verbose=False)", "pl.seed_everything(1, verbose=False)"),
    ],
    "stages/synthesize.py": [
        (
            "read_corpus(CORPUS, part), read_characters(CHARACTERS, part)",
            'read_corpus(CORPUS, part), read_characters(CHARACTERS, "train")',
        ),
        ("np.random.SeedSequence(settings.seed)", "np.random.SeedSequence(0)"),
    ],
    "stages/evaluate.py": [
        ('read_lines(paths.lines(settings.lines), "test")', 'read_lines(paths.lines(settings.lines), "validation")'),
    ],
    "stages/train.py": [
        ('read_lines(lines, "validation")', 'read_lines(lines, "test")'),
    ],
}
