"""The population stability index, by hand and by chance."""

from math import log

import numpy as np
import pytest

from runtime.bundles.reference import Reference
from runtime.monitoring.drift import measure_drift, stability_index

LABELS = ("acid", "base", "polymer")
REFERENCE = Reference(texts=1000, promises=(), labels=(0.5, 0.3, 0.2), edges=(0.5, 0.8), scores=(0.2, 0.3, 0.5))
Recent = list[tuple[str, float]]


def _draw(seed: int, texts: int, labels: tuple[float, ...], best: float = 1.0) -> Recent:
    generator = np.random.default_rng(seed)
    names = generator.choice(LABELS, size=texts, p=labels).tolist()
    bins = generator.choice(3, size=texts, p=REFERENCE.scores).tolist()
    return [(name, (0.4, 0.7, 0.9)[index] * best) for name, index in zip(names, bins, strict=True)]


def test_the_index_is_the_sum_of_its_definition() -> None:
    by_hand = (0.8 - 0.5) * log(0.8 / 0.5) + (0.2 - 0.5) * log(0.2 / 0.5)
    assert stability_index((0.5, 0.5), 10**9, (8 * 10**8, 2 * 10**8)) == pytest.approx(by_hand)


def test_equal_shares_have_no_drift() -> None:
    assert stability_index((0.25, 0.75), 400, (100, 300)) == pytest.approx(0.0)


def test_a_bin_that_was_or_is_empty_leaves_the_index_finite() -> None:
    assert 1 < stability_index((1.0, 0.0), 100, (0, 100)) < 20


def test_texts_as_before_stay_within_what_chance_does() -> None:
    drifts = [measure_drift(_draw(seed, 500, REFERENCE.labels), LABELS, REFERENCE) for seed in range(200)]
    found = [drift for drift in drifts if drift]
    assert len(found) == 200
    # The reference is taken as exact here, so that chance has less to say than it allows for.
    assert sum(drift.labels > drift.labels_by_chance for drift in found) < 20
    assert sum(drift.scores > drift.scores_by_chance for drift in found) < 20


def test_other_labels_or_lower_scores_are_noticed_each_for_itself() -> None:
    labels = measure_drift(_draw(0, 500, (0.2, 0.3, 0.5)), LABELS, REFERENCE)
    assert labels is not None
    assert labels.labels > 0.25 > labels.labels_by_chance
    assert labels.scores < labels.scores_by_chance
    scores = measure_drift(_draw(0, 500, REFERENCE.labels, best=0.7), LABELS, REFERENCE)
    assert scores is not None
    assert scores.scores > 0.25 > scores.scores_by_chance
    assert scores.labels < scores.labels_by_chance


def test_few_texts_prove_little() -> None:
    drift = measure_drift([("acid", 0.9)] * 3, LABELS, REFERENCE)
    assert drift is not None
    assert (drift.texts, drift.labels < drift.labels_by_chance) == (3, True)


def test_empty_texts_and_labels_of_an_earlier_bundle_do_not_count() -> None:
    assert measure_drift([], LABELS, REFERENCE) is None
    assert measure_drift([("", 0.0), ("older", 0.9)], LABELS, REFERENCE) is None
    drift = measure_drift([("", 0.0), *[("older", 0.9)] * 9, ("acid", 0.9)], LABELS, REFERENCE)
    assert drift is not None
    assert drift.texts == 1
    assert drift == measure_drift([("acid", 0.9)], LABELS, REFERENCE)


def test_one_class_cannot_drift() -> None:
    only = Reference(texts=9, promises=(), labels=(1.0,), edges=(), scores=(1.0,))
    drift = measure_drift([("acid", 0.1)], ("acid",), only)
    assert drift is not None
    assert (drift.labels, drift.scores, drift.labels_by_chance) == (0.0, 0.0, 0.0)
