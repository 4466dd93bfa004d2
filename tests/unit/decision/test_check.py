"""One claim against its evidence: share of the margin used, what is still needed, and the sentence."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import pytest
from scipy.stats import norm

from evalkit.decision.check import MOST_EXACT, Check, CheckOutcome, check_all
from evalkit.decision.further import further_by_width
from evalkit.decision.requirement import (
    SPEED_UP,
    SPEED_UP_P99,
    STUDENT_P50,
    STUDENT_P99,
    TEACHER_ACCURACY,
    Direction,
    Requirement,
)
from evalkit.stats.interval import Interval, NotEstimable
from evalkit.stats.measurement import ALL_ROWS, Measurement
from evalkit.stats.sample_size import further_rows, further_rows_retention

Measure = Callable[..., Measurement]
Claim = Callable[..., Requirement]


def only_check(claim: Requirement, measured: Measurement | None) -> Check:
    return check_all([claim], [] if measured is None else [measured], 0.95)[0]


def test_checks_keep_the_order_of_the_claims(gap: Measure, gap_claim: Claim) -> None:
    checks = check_all([gap_claim("b=1"), gap_claim("a=1")], [gap("a=1", both=9), gap("b=1", both=9)], 0.95)
    assert [check.requirement.subpopulation for check in checks] == ["b=1", "a=1"]
    assert [check.measurement.subpopulation for check in checks if check.measurement] == ["b=1", "a=1"]


class TestUseOfMargin:
    """Harm ÷ what is allowed."""

    def test_of_a_gap_is_the_loss_over_the_margin(self, gap: Measure, gap_claim: Claim) -> None:
        measured = gap(both=900, student_only=10, teacher_only=30, neither=60)
        use = only_check(gap_claim(margin=0.05), measured).use_of_margin
        assert isinstance(measured.value, Interval)
        assert use is not None
        assert use.point == pytest.approx(0.02 / 0.05)
        assert use.upper == pytest.approx(-measured.value.lower / 0.05)
        assert use.lower == pytest.approx(-measured.value.upper / 0.05)

    def test_of_a_student_that_gains_is_below_zero(self, gap: Measure, gap_claim: Claim) -> None:
        use = only_check(gap_claim(margin=0.05), gap(both=900, student_only=40, neither=60)).use_of_margin
        assert use is not None
        assert use.point == pytest.approx(-0.04 / 0.05)

    def test_of_retention_is_the_share_lost_over_the_share_allowed(self, kept: Measure, above: Claim) -> None:
        measured = kept(both=870, student_only=5, teacher_only=30, neither=95)  # 875 of 900 kept
        use = only_check(above(measured.name, 0.95), measured).use_of_margin
        assert isinstance(measured.value, Interval)
        assert use is not None
        assert use.point == pytest.approx((1 - 875 / 900) / 0.05)
        assert use.upper == pytest.approx((1 - measured.value.lower) / 0.05)
        assert use.lower == pytest.approx((1 - measured.value.upper) / 0.05)

    def test_of_a_latency_is_the_time_over_the_limit(self, figure: Measure, below: Claim) -> None:
        use = only_check(below(STUDENT_P99, 50), figure(STUDENT_P99, 40, 38, 43)).use_of_margin
        assert use is not None
        assert (use.lower, use.point, use.upper) == pytest.approx((38 / 50, 40 / 50, 43 / 50))

    def test_of_a_saving_is_the_bar_over_the_saving(self, figure: Measure, above: Claim) -> None:
        name = "teacher_over_student_cost"
        use = only_check(above(name, 2), figure(name, 8, 7, 9)).use_of_margin
        assert use is not None
        assert (use.lower, use.point, use.upper) == pytest.approx((2 / 9, 2 / 8, 2 / 7))

    @pytest.mark.parametrize(
        ("direction", "bound", "lower", "upper"),
        [(Direction.ABOVE, -0.02, -0.015, 0.005), (Direction.BELOW, 0.02, -0.005, 0.015)],
        ids=["more is better", "less is better"],
    )
    def test_of_a_metric_is_its_loss_over_its_margin(
        self, direction: Direction, bound: float, lower: float, upper: float, figure: Measure
    ) -> None:
        name = "student_minus_teacher_macro_f1"
        claim = Requirement(measurement=name, subpopulation=ALL_ROWS, bound=bound, direction=direction)
        use = only_check(claim, figure(name, (lower + upper) / 2, lower, upper)).use_of_margin
        assert use is not None
        assert (use.lower, use.point, use.upper) == pytest.approx((-0.25, 0.25, 0.75))

    def test_of_the_teachers_accuracy_is_its_errors_over_the_errors_allowed(
        self, figure: Measure, above: Claim
    ) -> None:
        use = only_check(above(TEACHER_ACCURACY, 0.9), figure(TEACHER_ACCURACY, 0.95, 0.93, 0.96)).use_of_margin
        assert use is not None
        assert (use.lower, use.point, use.upper) == pytest.approx((0.4, 0.5, 0.7))

    @pytest.mark.parametrize("direction", Direction)
    def test_of_a_bar_of_nothing_is_unknown(self, direction: Direction, figure: Measure) -> None:
        claim = Requirement(measurement="margin", subpopulation=ALL_ROWS, bound=0.0, direction=direction)
        assert only_check(claim, figure("margin", 1, 0.5, 2)).use_of_margin is None

    @pytest.mark.parametrize("outcome", [CheckOutcome.PASSED, CheckOutcome.OPEN, CheckOutcome.FAILED])
    def test_its_unfavourable_end_tells_a_pass_from_what_is_not_one(
        self, outcome: CheckOutcome, figure: Measure, below: Claim
    ) -> None:
        bounds = {CheckOutcome.PASSED: (40, 49), CheckOutcome.OPEN: (45, 55), CheckOutcome.FAILED: (51, 59)}[outcome]
        check = only_check(below(STUDENT_P99, 50), figure(STUDENT_P99, sum(bounds) / 2, *bounds))
        assert check.outcome is outcome
        assert (check.tested_use_of_margin < 1) is (outcome is CheckOutcome.PASSED)

    def test_is_unknown_and_counted_as_infinite_where_nothing_was_measured(self, gap_claim: Claim) -> None:
        check = only_check(gap_claim(), None)
        assert check.use_of_margin is None
        assert check.tested_use_of_margin == math.inf

    def test_of_a_retention_bar_of_one_does_not_count_as_unmeasured(self, kept: Measure, above: Claim) -> None:
        measured = kept(both=900, student_only=80, neither=20)
        check = only_check(above(measured.name, 1.0), measured)
        assert check.outcome is CheckOutcome.PASSED
        assert check.tested_use_of_margin < 1


class TestFurtherNeeded:
    """How much more evidence would decide an open claim."""

    def test_of_an_open_gap_counts_rows(self, gap: Measure, gap_claim: Claim) -> None:
        measured = gap(both=90, student_only=3, teacher_only=5, neither=2)
        check = only_check(gap_claim(margin=0.05), measured)
        assert check.outcome is CheckOutcome.OPEN
        assert measured.counts is not None
        assert check.further_needed == further_rows(measured.counts, 0.05, 0.95)
        assert check.counted_in == "rows"

    def test_of_an_identical_student_is_what_is_missing_to_the_floor(self, gap: Measure, gap_claim: Claim) -> None:
        check = only_check(gap_claim(margin=0.05), gap(both=30, neither=10))
        assert check.further_needed == 52 - 40

    def test_of_an_open_retention_counts_rows(self, kept: Measure, above: Claim) -> None:
        measured = kept(both=80, student_only=3, teacher_only=5, neither=12)
        check = only_check(above(measured.name, 0.95), measured)
        assert check.outcome is CheckOutcome.OPEN
        assert measured.counts is not None
        assert check.further_needed == further_rows_retention(measured.counts, 0.95, 0.95)
        assert check.counted_in == "rows"

    def test_of_a_latency_counts_requests_by_the_width_that_is_left(self, figure: Measure, below: Claim) -> None:
        # The standard error of 10 / 1.645 must shrink until 1.645 + 0.842 of them fit into the 5 ms that are left.
        check = only_check(below(STUDENT_P99, 50), figure(STUDENT_P99, 45, 40, 55, n=1000))
        needed = 1000 * (10 / 5 * (norm.ppf(0.95) + norm.ppf(0.8)) / norm.ppf(0.95)) ** 2
        assert check.further_needed == math.ceil(needed - 1000) == 8141
        assert check.counted_in == "requests"

    def test_of_a_saving_counts_seconds_of_load_and_of_a_metric_rows(self, figure: Measure, above: Claim) -> None:
        saving = only_check(above("teacher_over_student_cost", 2), figure("teacher_over_student_cost", 2.2, 1.8, 2.6))
        assert saving.further_needed is not None
        assert saving.counted_in == "seconds of saturated load"
        metric = only_check(
            above("student_minus_teacher_auc", -0.02), figure("student_minus_teacher_auc", -0.01, -0.03, 0.01)
        )
        assert metric.further_needed is not None
        assert metric.counted_in == "rows"

    @pytest.mark.parametrize(("level", "bounds"), [(0.5, (40, 45)), (0.5, (45, 60)), (0.8999, (40, 45))])
    def test_is_not_asked_for_where_the_evidence_at_hand_has_too_low_a_level(
        self, level: float, bounds: tuple[float, float], figure: Measure, below: Claim
    ) -> None:
        measured = figure(STUDENT_P99, sum(bounds) / 2, *bounds)
        measured = dataclasses.replace(measured, value=dataclasses.replace(measured.value, level=level))
        check = only_check(below(STUDENT_P99, 50), measured)
        assert check.outcome is CheckOutcome.OPEN
        assert check.further_needed is None
        reached = f"{50 * (1 + level):.4g}"
        assert check.unusable == f"its interval holds at one-sided {reached} %, and 95 % was asked for"
        assert check.explanation.endswith(f"allowed 50 ms; but {check.unusable}")

    def test_beyond_the_bar_it_is_for_the_level_at_which_holm_tests(self, gap: Measure, gap_claim: Claim) -> None:
        beyond = {"both": 400, "teacher_only": 34, "neither": 66}
        names = [f"a={number}" for number in range(10)]
        measured = [gap(name, **(beyond if name == "a=3" else {"both": 500})) for name in names]
        check = check_all([gap_claim(name) for name in names], measured, 0.95)[3]
        assert check.outcome is CheckOutcome.OPEN
        assert measured[3].counts is not None
        assert check.further_needed == further_rows(measured[3].counts, 0.05, 1 - 0.05 / 10)

    def test_of_the_many_open_claims_beyond_the_first_is_approximated(self, gap: Measure, gap_claim: Claim) -> None:
        seen = {"both": 90, "student_only": 3, "teacher_only": 5, "neither": 2}
        names = [f"a={number}" for number in range(MOST_EXACT + 5)]
        checks = check_all([gap_claim(name) for name in names], [gap(name, **seen) for name in names], 0.95)
        needed = [check.further_needed for check in checks]
        assert len(set(needed[:MOST_EXACT])) == 1
        assert needed[0] is not None
        assert all(each == pytest.approx(needed[0], rel=0.1) for each in needed)

    def test_of_a_claim_that_could_not_be_estimated_is_what_is_missing_to_an_estimate(
        self, estimate: Measure, below: Claim
    ) -> None:
        too_few = NotEstimable(reason="99 requests bound no p99", n=99, n_needed=299)
        assert only_check(below(STUDENT_P99, 50), estimate(STUDENT_P99, too_few)).further_needed == 200

    def test_is_unknown_where_the_estimate_does_not_say(self, estimate: Measure, below: Claim) -> None:
        void = NotEstimable(reason="void", n=0)
        assert only_check(below(STUDENT_P99, 50), estimate(STUDENT_P99, void)).further_needed is None

    @pytest.mark.parametrize("bounds", [(40, 49), (51, 59)], ids=["passed", "failed"])
    def test_is_not_asked_for_once_a_claim_is_decided(
        self, bounds: tuple[float, float], figure: Measure, below: Claim
    ) -> None:
        assert only_check(below(STUDENT_P50, 50), figure(STUDENT_P50, sum(bounds) / 2, *bounds)).further_needed is None

    @pytest.mark.parametrize(
        ("point", "lower", "upper", "more"),
        [
            (3.0, 1.0, 5.0, 815),  # 100 · (2 / 1 · 2.487 / 1.645)² − 100
            (1.0, 0.0, 3.0, 815),
            (30.0, 28.0, 32.0, 1),
            (2.0, 1.0, 3.0, None),  # at the bound no width is small enough
            (2.0 + 1e-9, 1.0, 3.0, None),  # 10²⁰ more are no advice
            (3.0, -math.inf, 5.0, None),
        ],
    )
    def test_by_width_follows_from_one_over_the_root_of_n(
        self, point: float, lower: float, upper: float, more: int | None
    ) -> None:
        value = Interval(point=point, lower=lower, upper=upper, level=0.9, n=100, method="for the test")
        assert further_by_width(value, bound=2.0, confidence=0.95) == more


class TestExplanation:
    def test_of_a_gap_speaks_of_points_with_a_minus_sign(self, gap: Measure, gap_claim: Claim) -> None:
        # b = c = 0 on 100 rows: ± z² / (n + z²) = ± 2.706 / 102.706 = ± 2.6 points
        check = only_check(gap_claim("language=de", 0.08), gap("language=de", both=80, neither=20))
        assert check.explanation == ("accuracy gap on language=de is between −2.6 and +2.6 points; allowed −8.0")

    @pytest.mark.parametrize(
        ("name", "sentence"),
        [
            (STUDENT_P50, "p50 is between 1.50 and 2.50 ms; allowed 2 ms"),
            (STUDENT_P99, "p99 is between 1.50 and 2.50 ms; allowed 2 ms"),
            (SPEED_UP, "the student is 1.50 to 2.50 × as fast at p50; required 2 ×"),
            (SPEED_UP_P99, "the student is 1.50 to 2.50 × as fast at p99; required 2 ×"),
            ("teacher_over_student_cost", "a request is 1.50 to 2.50 × cheaper; required 2 ×"),
        ],
    )
    def test_of_a_figure_states_interval_bar_and_unit(
        self, name: str, sentence: str, figure: Measure, above: Claim
    ) -> None:
        assert only_check(above(name, 2), figure(name, 2.1, 1.5, 2.5)).explanation == sentence

    def test_of_retention_speaks_of_percent(self, kept: Measure, above: Claim) -> None:
        # b = c = 0 with m right rows: m / (m + z²) to 1 + z² / m
        measured = kept(both=100)
        assert only_check(above(measured.name, 0.95), measured).explanation == (
            "the student keeps 97.4 to 102.7 % of the teacher's accuracy; required 95.0 %"
        )
