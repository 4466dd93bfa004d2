"""Whole decisions under the policy that a spec has when it says nothing else: −5 points, 95 % kept, 2 × cheaper."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from evalkit.cost.per_request import ratio
from evalkit.decision.requirement import requirements_of
from evalkit.decision.verdict import Outcome, decide
from evalkit.spec.requirements import Requirements
from evalkit.stats.interval import Interval
from evalkit.stats.measurement import Measurement

Measure = Callable[..., Measurement]

# 20,000 rows of which the teacher gets 17,000 right; the student loses a share of those and gains 200 others.
KEEPS_96 = {"both": 16_120, "student_only": 200, "teacher_only": 880, "neither": 2_800}
KEEPS_99 = {"both": 16_630, "student_only": 200, "teacher_only": 370, "neither": 2_800}


def rate(rps: float) -> Interval:
    """Cost is a price over this rate; ± 1 % around it."""
    return Interval(point=rps, lower=0.99 * rps, upper=1.01 * rps, level=0.95, n=9, method="for the test")


@pytest.mark.parametrize(
    ("counts", "retained", "cheaper", "outcome"),
    [
        pytest.param(KEEPS_96, 0.96, 8.0, Outcome.GO, id="96 % retention at 8 × cheaper"),
        pytest.param(KEEPS_99, 0.99, 1.5, Outcome.NO_GO, id="99 % retention at 1.5 × cheaper"),
        pytest.param(KEEPS_99, 0.99, 2.0, Outcome.INCONCLUSIVE, id="99 % retention at just the saving asked for"),
    ],
)
def test_a_good_student_that_saves_too_little_does_not_replace_its_teacher(
    counts: dict[str, int],
    retained: float,
    cheaper: float,
    outcome: Outcome,
    gap: Measure,
    kept: Measure,
    estimate: Measure,
) -> None:
    retention = kept(**counts)
    assert isinstance(retention.value, Interval)
    assert retention.value.point == pytest.approx(retained)
    saving = estimate("teacher_over_student_cost", ratio(rate(cheaper), rate(1.0)))
    verdict = decide(requirements_of(Requirements(), ()), [gap(**counts), retention, saving], [], 0.95)
    assert verdict.outcome is outcome


def test_the_student_that_saves_too_little_is_not_told_to_retrain(
    gap: Measure, kept: Measure, estimate: Measure
) -> None:
    saving = estimate("teacher_over_student_cost", ratio(rate(1.5), rate(1.0)))
    measured = [gap(**KEEPS_99), kept(**KEEPS_99), saving]
    verdict = decide(requirements_of(Requirements(), ()), measured, [], 0.95)
    assert verdict.recommendation.text.startswith("KEEP THE TEACHER: a request is 1.47 to 1.53 × cheaper")
