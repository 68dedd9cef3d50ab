from pipeline.decoding.hypotheses import SearchSettings
from pipeline.inference.tuning import Trial, best_trial


def test_the_best_trial_has_the_lowest_cer_and_is_the_first_of_these() -> None:
    trials = [Trial(SearchSettings(4, 2, weight), 0.0, cer) for weight, cer in ((1.0, 0.3), (2.0, 0.1), (3.0, 0.1))]
    assert best_trial(trials) is trials[1]
