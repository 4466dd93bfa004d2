"""Capacity, training and coverage are told apart where the evidence allows, and not where it does not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from evalkit.diagnosis.finding import FailureMode, Finding
from evalkit.diagnosis.over_compression import FEWEST_TEXTS, Rung, over_compression
from evalkit.stats.interval import NotEstimable

SEEDS = 200


def rung(seed: int, train: float, held_out: float, name: str = "student", parameters: int = 100, texts: int = 1000):
    rng = np.random.default_rng(seed)
    return Rung(
        name=name, parameters=parameters, train=rng.random(texts) < train, held_out=rng.random(texts) < held_out
    )


def test_a_student_alone_that_does_not_follow_is_too_small_or_too_little_trained() -> None:
    finding = over_compression(rung(1, 0.8, 0.78), 0.90)
    assert finding.fired
    assert finding.failure_mode is FailureMode.OVER_COMPRESSION
    assert "this student alone cannot tell" in finding.explanation


def test_a_student_that_is_right_more_often_than_its_teacher_is_not_asked_to_follow_it() -> None:
    finding = over_compression(rung(1, 0.8, 0.78), 0.90, is_better=True)
    assert not finding.fired
    assert "no fault" in finding.explanation


def test_where_the_teacher_sized_control_follows_the_student_is_too_small() -> None:
    control = rung(2, 0.97, 0.95, "the teacher's size", 1000)
    finding = over_compression(rung(1, 0.8, 0.78), 0.90, control=control)
    assert finding.failure_mode is FailureMode.OVER_COMPRESSION
    assert finding.corrective_practice == "take a larger student"
    assert "the teacher's size 97" in finding.explanation


def test_where_a_larger_rung_follows_the_student_is_too_small() -> None:
    ladder = [rung(2, 0.86, 0.84, "medium", 300), rung(3, 0.97, 0.95, "large", 900), rung(4, 0.6, 0.6, "tiny", 10)]
    finding = over_compression(rung(1, 0.8, 0.78), 0.90, ladder=ladder)
    assert finding.corrective_practice == "take a larger student"


def test_smaller_rungs_say_nothing() -> None:
    finding = over_compression(rung(1, 0.8, 0.78), 0.90, ladder=[rung(3, 0.97, 0.95, "odd", 10)])
    assert "this student alone cannot tell" in finding.explanation


def test_where_the_teacher_sized_control_does_not_follow_either_training_fell_short() -> None:
    finding = over_compression(rung(1, 0.8, 0.78), 0.90, control=rung(2, 0.8, 0.78, "the teacher's size", 1000))
    assert finding.fired
    assert finding.failure_mode is FailureMode.UNDER_TRAINING


def test_a_student_that_follows_only_what_it_was_taught_needs_more_text() -> None:
    finding = over_compression(rung(1, 0.98, 0.85), 0.90, held_out_ids=[str(number) for number in range(1000)])
    assert finding.fired
    assert finding.failure_mode is FailureMode.COVERAGE
    lost = np.flatnonzero(~rung(1, 0.98, 0.85).held_out)
    assert finding.examples == tuple(str(number) for number in lost[:5])


def test_too_few_texts_are_not_estimable() -> None:
    finding = over_compression(rung(1, 0.2, 0.2, texts=FEWEST_TEXTS - 1), 0.90)
    assert isinstance(finding.measurement.value, NotEstimable)
    assert not finding.fired
    assert over_compression(rung(1, 0.2, 0.2, texts=FEWEST_TEXTS), 0.90).fired


def test_a_ladder_of_other_texts_is_refused() -> None:
    with pytest.raises(ValueError, match="compared on the same texts"):
        over_compression(rung(1, 0.8, 0.8), 0.90, control=rung(2, 0.97, 0.95, "large", 900, texts=500))


@pytest.mark.parametrize(
    ("cause", "planted", "null"),
    [("capacity or training", (0.85, 0.84), (0.90, 0.88)), ("coverage", (0.97, 0.88), (0.95, 0.90))],
)
def test_it_fires_when_planted_and_at_the_edge_of_its_rule_only_as_its_level_allows(
    cause: str, planted: tuple[float, float], null: tuple[float, float]
) -> None:
    def fired(shares: tuple[float, float]) -> int:
        return sum(over_compression(rung(seed, *shares), 0.90).fired for seed in range(SEEDS))

    hit, false = fired(planted), fired(null)
    print(f"{cause}: fired {hit}/{SEEDS} planted, {false}/{SEEDS} null")  # noqa: T201 - the rate is part of the evidence
    assert hit >= 0.9 * SEEDS
    assert false <= binom.ppf(0.999, SEEDS, 0.05)


def test_a_student_that_learned_it_all_is_silent() -> None:
    finding: Finding = over_compression(rung(1, 0.99, 0.97), 0.90)
    assert not finding.fired
    assert "nothing of that is shown to be too little" in finding.explanation
