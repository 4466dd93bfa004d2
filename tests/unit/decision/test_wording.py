"""Claims in words."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import pytest

from evalkit.decision.evidence import claim_of
from evalkit.decision.requirement import (
    SPEED_UP,
    SPEED_UP_P99,
    STUDENT_P50,
    STUDENT_P99,
    TEACHER_ACCURACY,
    UNSPENT_ERROR,
    Requirement,
)
from evalkit.decision.wording import describe, name_of, stated
from evalkit.quality.paired_gap import GAP, RETENTION
from evalkit.quality.reweighted import weighted_by
from evalkit.stats.interval import NotEstimable
from evalkit.stats.measurement import ALL_ROWS, Measurement

Measure = Callable[..., Measurement]
Claim = Callable[..., Requirement]

COST = "teacher_over_student_cost"
OWN = "student_minus_teacher_house.rules:cost_of_errors"


@pytest.mark.parametrize(
    ("measurement", "where", "name"),
    [
        (GAP, ALL_ROWS, "accuracy gap over all rows"),
        (GAP, "language=de", "accuracy gap on language=de"),
        (GAP, weighted_by("channel"), "accuracy gap over all rows weighted by channel"),
        (GAP, "found: @words=≥23", "accuracy gap on the discovered subpopulation @words=≥23"),
        (UNSPENT_ERROR, ALL_ROWS, "what is left of the error for looks at these rows"),
        (RETENTION, ALL_ROWS, "retention of the teacher's accuracy"),
        (TEACHER_ACCURACY, ALL_ROWS, "the teacher's accuracy"),
        ("student_minus_teacher_ndcg@10", ALL_ROWS, "gap in ndcg@10 over all rows"),
        ("student_minus_teacher_macro_f1", "language=de", "gap in macro_f1 on language=de"),
        (OWN, ALL_ROWS, "gap in house.rules:cost_of_errors over all rows"),
        (STUDENT_P50, ALL_ROWS, "p50 latency"),
        (STUDENT_P99, ALL_ROWS, "p99 latency"),
        (SPEED_UP, ALL_ROWS, "speed-up at p50"),
        (SPEED_UP_P99, ALL_ROWS, "speed-up at p99"),
        (COST, ALL_ROWS, "cost reduction"),
    ],
)
class TestNames:
    def test_are_words(self, measurement: str, where: str, name: str, above: Claim) -> None:
        assert name_of(dataclasses.replace(above(measurement, 0.5), subpopulation=where)) == name

    def test_stand_where_nothing_was_measured(self, measurement: str, where: str, name: str, above: Claim) -> None:
        claim = dataclasses.replace(above(measurement, 0.5), subpopulation=where)
        assert describe(claim_of(claim, None, 0.95)) == f"{name} was not measured"

    def test_stand_where_nothing_could_be_measured(
        self, measurement: str, where: str, name: str, above: Claim, estimate: Measure
    ) -> None:
        claim = dataclasses.replace(above(measurement, 0.5), subpopulation=where)
        void = estimate(measurement, NotEstimable(reason="it is void", n=0), where)
        assert describe(claim_of(claim, void, 0.95)) == f"{name} could not be measured: it is void"

    def test_stand_where_an_interval_makes_no_sense_and_its_numbers_do_not(
        self, measurement: str, where: str, name: str, above: Claim, figure: Measure
    ) -> None:
        claim = dataclasses.replace(above(measurement, 0.5), subpopulation=where)
        broken = figure(measurement, math.nan, math.nan, math.inf)
        assert describe(claim_of(claim, broken, 0.95)) == f"{name} could not be judged: its interval is not finite"


@pytest.mark.parametrize(
    ("measurement", "bound", "ends", "sentence"),
    [
        (
            "student_minus_teacher_macro_f1",
            -0.02,
            (-0.0314, 0.012),
            "gap in macro_f1 over all rows is between −0.0314 and +0.012; allowed −0.02",
        ),
        (
            "student_minus_teacher_log_loss",
            0.1,
            (-0.004, 0.25),
            "gap in log_loss over all rows is between −0.004 and +0.25; allowed +0.1",
        ),
        (TEACHER_ACCURACY, 0.9, (0.881, 0.925), "the teacher's accuracy is between 88.1 and 92.5 %; required 90.0 %"),
    ],
)
def test_a_measured_claim_states_its_interval_and_its_bar(
    measurement: str, bound: float, ends: tuple[float, float], sentence: str, above: Claim, figure: Measure
) -> None:
    measured = figure(measurement, sum(ends) / 2, *ends)
    assert describe(claim_of(above(measurement, bound), measured, 0.95)) == sentence


@pytest.mark.parametrize(
    ("measurement", "bound", "text"),
    [
        (GAP, -0.0472, "−4.72 points"),
        (RETENTION, 0.9512, "95.12 %"),
        (TEACHER_ACCURACY, 0.9, "90 %"),
        (STUDENT_P99, 48.25, "48.25 ms"),
        (SPEED_UP, 1.5, "1.5 ×"),
        (SPEED_UP_P99, 1.5, "1.5 ×"),
        (COST, 2.0, "2 ×"),
        ("student_minus_teacher_log_loss", 0.1, "0.1"),
    ],
)
def test_a_bar_is_stated_with_its_unit(measurement: str, bound: float, text: str) -> None:
    assert stated(measurement, bound) == text
