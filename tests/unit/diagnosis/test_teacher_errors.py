"""Copied mistakes are told from mistakes that the same hard rows bring about."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from evalkit.diagnosis.finding import FailureMode, Finding
from evalkit.diagnosis.teacher_errors import FEWEST_ERRORS, NO_CONTROL, CopiedRows, teacher_errors
from evalkit.stats.interval import Interval, NotEstimable

CLASSES = 4
SEEDS = 60


def answers(
    seed: int, copied: float, rows: int = 1500, seeds: int = 1, systematic: float = 0.15, alike: float = 0.3
) -> CopiedRows:
    """A teacher wrong on ``systematic`` of the rows. The control gives the teacher's wrong answer on ``alike`` of
    them, since they are hard; the student on ``copied`` more."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(CLASSES, size=rows)
    wrong = rng.random(rows) < systematic
    teacher = np.where(wrong, (truth + 1) % CLASSES, truth)

    def of(share: float) -> np.ndarray:
        own = np.where(rng.random(rows) < 0.9, truth, (truth + rng.integers(1, CLASSES, rows)) % CLASSES)
        return np.where(wrong & (rng.random(rows) < share), teacher, own)

    student = of(alike + copied)
    control = np.stack([of(alike) for _ in range(seeds)])
    return CopiedRows(
        ids=[f"row {number}" for number in range(rows)], truth=truth, teacher=teacher, student=student, control=control
    )


def found(rows: CopiedRows, margin: float | None = 0.05) -> Finding:
    return teacher_errors(rows, margin, 0.90, np.random.default_rng(0))


def test_planted_copying_fires_with_its_excess_and_rows_to_look_at() -> None:
    rows = answers(1, copied=0.4)
    finding = found(rows)
    assert finding.fired
    assert finding.failure_mode is FailureMode.TEACHER_ERRORS
    value = finding.measurement.value
    assert isinstance(value, Interval)
    assert value.lower < 0.4 * 0.97 < value.upper  # the student's own errors hit the teacher's answer sometimes too
    for name in finding.examples:
        index = int(name.split()[1])
        assert rows.teacher[index] == rows.student[index] != rows.truth[index]
        assert rows.control is not None
        assert rows.control[0, index] != rows.teacher[index]
    assert len(finding.examples) == 5


@pytest.mark.slow
def test_it_fires_when_planted_and_on_the_null_at_most_as_often_as_its_level_allows() -> None:
    planted = sum(found(answers(seed, copied=0.25)).fired for seed in range(SEEDS))
    null = sum(found(answers(seed, copied=0.0)).fired for seed in range(SEEDS))
    print(f"teacher errors: fired {planted}/{SEEDS} planted, {null}/{SEEDS} null")  # noqa: T201 - the rate is part of the evidence
    assert planted >= 0.95 * SEEDS
    assert null <= binom.ppf(0.999, SEEDS, 0.05)


def test_errors_that_are_all_copied_by_the_student_alone_have_a_bound_and_fire() -> None:
    """No resample differs, so that a bootstrap has no spread: 150 of 150 copied, none by the control."""
    truth = np.zeros(600, dtype=int)
    teacher = np.where(np.arange(600) < 150, 1, truth)
    rows = CopiedRows(
        ids=[str(each) for each in range(600)], truth=truth, teacher=teacher, student=teacher, control=truth[np.newaxis]
    )
    value = found(rows).measurement.value
    assert isinstance(value, Interval)
    unseen = 1 - 0.05 ** (1 / 150)
    assert (value.point, value.lower, value.upper) == pytest.approx((1.0, 1.0 - 2 * unseen, 1.0))
    assert found(rows).fired
    alike = found(replace(rows, control=teacher[np.newaxis]))
    assert isinstance(alike.measurement.value, Interval)
    assert alike.measurement.value.upper == -alike.measurement.value.lower == pytest.approx(unseen)
    assert not alike.fired
    tenfold = replace(rows, clusters=np.arange(600) // 10)
    in_clusters = found(tenfold).measurement.value
    assert isinstance(in_clusters, Interval)
    assert in_clusters.lower == pytest.approx(1.0 - 2 * (1 - 0.05 ** (1 / 15)))


def test_mistakes_of_a_hard_row_are_not_copies() -> None:
    finding = found(answers(3, copied=0.0, alike=0.8))
    assert not finding.fired
    assert "repeats its answer in 79.4% and a student trained on true labels in 79.4%" in finding.explanation


def test_errors_fewer_than_the_bar_allows_do_not_fire_however_copied() -> None:
    rows = answers(1, copied=0.6, systematic=0.04, rows=3000)
    assert found(rows, margin=0.01).fired
    assert not found(rows, margin=0.10).fired
    assert found(rows, margin=None).fired


def test_without_a_control_it_names_the_remedy_and_never_fires() -> None:
    rows = answers(1, copied=0.6)
    alone = CopiedRows(ids=rows.ids, truth=rows.truth, teacher=rows.teacher, student=rows.student, control=None)
    finding = found(alone)
    assert isinstance(finding.measurement.value, NotEstimable)
    assert finding.measurement.value.reason == NO_CONTROL
    assert "controls: [hard_labels]" in finding.explanation
    assert not finding.fired


def test_too_few_mistakes_of_the_teacher_are_not_estimable() -> None:
    value = found(answers(1, copied=0.6, rows=100)).measurement.value
    assert isinstance(value, NotEstimable)
    assert value.n_needed == FEWEST_ERRORS


def test_the_seeds_of_the_control_are_averaged() -> None:
    one, three = (found(answers(5, copied=0.3, seeds=seeds)).measurement.value for seeds in (1, 3))
    assert isinstance(one, Interval)
    assert isinstance(three, Interval)
    assert three.upper - three.lower < one.upper - one.lower


def test_rows_of_one_cluster_count_as_one() -> None:
    base = answers(6, copied=0.3, rows=600)
    assert base.control is not None
    tenfold = CopiedRows(
        ids=list(base.ids) * 10,
        truth=np.tile(base.truth, 10),
        teacher=np.tile(base.teacher, 10),
        student=np.tile(base.student, 10),
        control=np.tile(base.control, 10),
        clusters=np.tile(np.arange(600), 10),
    )
    once, repeated = found(base).measurement.value, found(tenfold).measurement.value
    assert isinstance(once, Interval)
    assert isinstance(repeated, Interval)
    assert repeated.n == 600
    assert repeated.lower == pytest.approx(once.lower, abs=0.02)


def test_a_control_of_other_rows_is_refused() -> None:
    rows = answers(1, copied=0.1)
    short = CopiedRows(
        ids=rows.ids, truth=rows.truth, teacher=rows.teacher, student=rows.student, control=np.zeros((1, 7), int)
    )
    with pytest.raises(ValueError, match="7 answers for 1500 rows of the teacher"):
        found(short)
