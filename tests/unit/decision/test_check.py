"""One claim against its evidence: share of the margin used, what is still needed, and the sentence."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from evalkit.decision.check import Check, CheckOutcome, check_all, further_by_width
from evalkit.decision.requirement import SPEED_UP, STUDENT_P50, STUDENT_P99, Requirement
from evalkit.stats.interval import Interval, NotEstimable
from evalkit.stats.measurement import Measurement
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

    @pytest.mark.parametrize("outcome", CheckOutcome)
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
        # The upper half-width 10 must shrink to 5: four times the requests, so three times as many more.
        check = only_check(below(STUDENT_P99, 50), figure(STUDENT_P99, 45, 40, 55, n=1000))
        assert check.further_needed == 3000
        assert check.counted_in == "requests"

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
            (3.0, 1.0, 5.0, 300),  # lower half-width 2 must shrink to 1
            (1.0, 0.0, 3.0, 300),  # upper half-width 2 must shrink to 1
            (2.0, 1.0, 3.0, None),  # at the bound no width is small enough
            (2.0 + 1e-9, 1.0, 3.0, None),  # 10²⁰ more are no advice
            (3.0, -math.inf, 5.0, None),
        ],
    )
    def test_by_width_follows_from_one_over_the_root_of_n(
        self, point: float, lower: float, upper: float, more: int | None
    ) -> None:
        value = Interval(point=point, lower=lower, upper=upper, level=0.9, n=100, method="for the test")
        assert further_by_width(value, bound=2.0) == more


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
