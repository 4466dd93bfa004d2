"""The student against its controls: gains that hold together, counted by seed and by cluster."""

from __future__ import annotations

import numpy as np
import pytest

from evalkit.quality.controls import Budget, Contender, against_controls, gain_measurements
from evalkit.stats.distillation_gain import gain
from evalkit.stats.interval import Interval

ROWS, LEVEL = 600, 0.90


def answering(name: str, share: float, trainings: int, seed: int) -> Contender:
    right = np.random.default_rng(seed).random((trainings, ROWS)) < share
    return Contender(name=name, right=right, budget=Budget(rows=100, steps=50, seconds=1.5))


STUDENT = answering("student", 0.9, 3, 1)
CONTROLS = [answering("hard_labels", 0.8, 3, 2), answering("tfidf", 0.7, 1, 3)]


def test_the_intervals_of_all_gains_hold_together_and_those_of_accuracies_alone() -> None:
    report = against_controls(STUDENT, CONTROLS, clusters=None, level=LEVEL, worth=0.01, taught=True)
    assert [line.gain for line in report.controls] == [gain(STUDENT.right, each.right, 0.95) for each in CONTROLS]
    assert [line.trainings for line in (report.student, *report.controls)] == [3, 3, 1]
    assert (report.seeds, report.student.gain) == (3, None)
    for line in (report.student, *report.controls):
        assert isinstance(line.accuracy, Interval)
        assert line.accuracy.level == LEVEL
        assert line.accuracy.lower < line.accuracy.point < line.accuracy.upper


def test_clusters_widen_every_interval_of_rows_that_are_alike() -> None:
    """Each row ten times: as many clusters as there were rows, and no more said than of them."""
    tenfold = [Contender(name=each.name, right=np.repeat(each.right, 10, axis=1)) for each in (STUDENT, *CONTROLS)]
    numbers = np.repeat(np.arange(ROWS), 10)
    once, many = (
        against_controls(first, rest, clusters=clusters, level=LEVEL, worth=0.01, taught=True)
        for first, rest, clusters in ((STUDENT, CONTROLS, None), (tenfold[0], tenfold[1:], numbers))
    )
    for alone, copied in zip(once.controls, many.controls, strict=True):
        assert isinstance(alone.gain, Interval)
        assert isinstance(copied.gain, Interval)
        assert (copied.gain.lower, copied.gain.upper) == pytest.approx((alone.gain.lower, alone.gain.upper))


def test_each_gain_is_a_measurement_that_says_where_it_comes_from() -> None:
    report = against_controls(STUDENT, CONTROLS, clusters=None, level=LEVEL, worth=0.01, taught=True)
    found = gain_measurements(report)
    assert [each.name for each in found] == [
        "student_accuracy_gain_over_hard_labels",
        "student_accuracy_gain_over_tfidf",
    ]
    assert {each.evidence for each in found} == {"controls.parquet"}


def test_controls_of_other_rows_are_refused() -> None:
    other = Contender(name="tfidf", right=np.ones((1, ROWS - 1), dtype=bool))
    with pytest.raises(ValueError, match="give the same seeds and rows"):
        against_controls(STUDENT, [other], clusters=None, level=LEVEL, worth=0.01, taught=True)
