"""The smallest change of one claim's margin that changes the outcome."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.decision.outcome import outcome_of
from evalkit.decision.requirement import STUDENT_P99, Direction, Requirement
from evalkit.decision.verdict import Outcome, decide
from evalkit.quality.paired_gap import GAP
from evalkit.stats.interval import Interval
from evalkit.stats.measurement import ALL_ROWS, Measurement
from evalkit.stats.paired_counts import PairedCounts
from evalkit.stats.paired_difference import difference
from evalkit.stats.retention import retention
from tests.unit.decision.turning import (
    CONFIDENCE,
    COST,
    LEVEL,
    MUCH_WORSE,
    ON_TOO_FEW_ROWS,
    SAME,
    SLIGHTLY_WORSE,
    alone,
    stability,
)

Measure = Callable[..., Measurement]
Claim = Callable[..., Requirement]


def with_bound(claims: Sequence[Requirement], index: int, bound: float) -> list[Requirement]:
    changed = list(claims)
    changed[index] = dataclasses.replace(changed[index], bound=bound)
    return changed


class TestMargin:
    def test_of_a_go_is_tightened_to_the_end_that_was_tested(self, gap: Measure, gap_claim: Claim) -> None:
        claims = [gap_claim(), gap_claim("language=de", 0.08)]
        measured = [gap(**SAME), gap("language=de", **SLIGHTLY_WORSE)]
        change = stability(claims, measured).margin
        assert change is not None
        assert isinstance(measured[1].value, Interval)
        assert (change.measurement, change.subpopulation) == (GAP, "language=de")
        assert (change.from_bound, change.to_bound) == (-0.08, pytest.approx(measured[1].value.lower, abs=1e-9))
        assert change.share == pytest.approx((0.08 + measured[1].value.lower) / 0.08)
        assert change.outcome is Outcome.INCONCLUSIVE

    def test_is_chosen_by_its_share_whatever_the_unit(
        self, gap: Measure, figure: Measure, gap_claim: Claim, below: Claim, above: Claim
    ) -> None:
        # 2 of 50 ms are a smaller share than half of a margin of 5 points, and than 1 of 2 ×.
        claims = [gap_claim(), below(STUDENT_P99, 50), above(COST, 2)]
        measured = [gap(**SAME), figure(STUDENT_P99, 45, 40, 48), figure(COST, 3.5, 3, 4)]
        change = stability(claims, measured).margin
        assert change is not None
        assert (change.measurement, change.to_bound) == (STUDENT_P99, pytest.approx(48))
        assert change.share == pytest.approx(0.04)

    def test_of_retention_is_a_share_of_what_may_be_lost(self, kept: Measure, above: Claim) -> None:
        measured = kept(both=870, student_only=5, teacher_only=10, neither=115)
        change = stability([above(measured.name, 0.95)], [measured]).margin
        assert change is not None
        assert isinstance(measured.value, Interval)
        assert change.share == pytest.approx((measured.value.lower - 0.95) / 0.05)

    def test_of_one_open_claim_may_be_widened_to_a_go(self, gap: Measure, gap_claim: Claim) -> None:
        claims = [gap_claim(), gap_claim("language=de", 0.05)]
        measured = [gap(**SAME), gap("language=de", both=90, student_only=3, teacher_only=5, neither=2)]
        change = stability(claims, measured).margin
        assert change is not None
        assert isinstance(measured[1].value, Interval)
        assert change.to_bound == pytest.approx(measured[1].value.lower)
        assert change.outcome is Outcome.GO
        assert decide(with_bound(claims, 1, change.to_bound), measured, [], CONFIDENCE).outcome is Outcome.GO

    def test_of_an_open_claim_may_be_nearer_to_a_no_go(self, gap: Measure, gap_claim: Claim) -> None:
        measured = [gap(both=900, teacher_only=58, neither=42)]  # −5.8 points
        change = stability([gap_claim(margin=0.05)], measured).margin
        assert change is not None
        assert change.outcome is Outcome.NO_GO
        assert -0.05 < change.to_bound < 0

    def test_of_the_only_broken_claim_is_widened_until_holm_lets_go(self, gap: Measure, gap_claim: Claim) -> None:
        names = [f"a={number}" for number in range(10)]
        claims = [gap_claim(name) for name in names]
        measured = [gap(name, **(MUCH_WORSE if name == "a=3" else SAME)) for name in names]
        change = stability(claims, measured).margin
        assert change is not None
        assert change.subpopulation == "a=3"
        corrected = difference(PairedCounts(student_only=0, **MUCH_WORSE), 1 - 2 * 0.05 / 10)
        assert isinstance(corrected, Interval)
        assert change.to_bound == pytest.approx(corrected.upper)
        assert change.outcome is Outcome.INCONCLUSIVE

    def test_of_several_broken_claims_is_none_and_says_why(self, gap: Measure, gap_claim: Claim) -> None:
        claims = [gap_claim("a=1"), gap_claim("a=2")]
        found = stability(claims, [gap("a=1", **MUCH_WORSE), gap("a=2", **MUCH_WORSE)])
        assert found.margin is None
        assert found.rows is None
        why = "2 claims are each shown to be broken, so no change of one of them is enough"
        assert (found.no_margin, found.no_rows) == (why, why)

    def test_a_claim_that_fails_only_because_a_clearer_one_did_does_not_count_as_a_second(
        self, gap: Measure, gap_claim: Claim
    ) -> None:
        # Holm frees a=2 only once a=1 is rejected: without a=1 it stands open, so a=1 alone decides.
        marginal = {"both": 400, "teacher_only": 34, "neither": 66}
        claims = [gap_claim("a=1"), gap_claim("a=2")]
        measured = [gap("a=1", both=350, teacher_only=70, neither=80), gap("a=2", **marginal)]
        verdict = decide(claims, measured, [], CONFIDENCE)
        assert [check.outcome.value for check in verdict.checks] == ["failed", "failed"]
        assert verdict.stability is not None
        assert verdict.stability.margin is not None
        assert verdict.stability.margin.subpopulation == "a=1"

    def test_of_nothing_required_is_none(self, gap: Measure, gap_claim: Claim) -> None:
        found = stability([gap_claim(required=False)], [gap(**SAME)])
        assert (found.margin, found.rows) == (None, None)
        assert (found.no_margin, found.no_rows) == ("nothing was required", "nothing was required")

    def test_never_becomes_one_that_cannot_be_stated(self, gap: Measure, gap_claim: Claim) -> None:
        # The student is shown to be better: with no margin above 0 would this claim be open.
        found = stability([gap_claim()], [gap(both=900, student_only=50, neither=50)])
        assert found.margin is None
        assert found.no_margin == "no margin that can be stated would change the outcome"

    def test_of_a_claim_that_was_not_measured_cannot_be_widened(self, gap: Measure, gap_claim: Claim) -> None:
        claims = [gap_claim(), gap_claim("language=de")]
        change = stability(claims, [gap(**SLIGHTLY_WORSE)]).margin
        assert change is None or change.outcome is Outcome.NO_GO

    def test_of_one_model_compared_with_itself_makes_no_go(
        self, gap: Measure, figure: Measure, gap_claim: Claim
    ) -> None:
        measured = [gap(**ON_TOO_FEW_ROWS), figure("agreement", 1.0, 0.99, 1.0)]
        found = stability([gap_claim()], measured)
        for change in (found.margin, found.rows):
            assert change is None or change.outcome is Outcome.NO_GO

    @pytest.mark.parametrize("direction", Direction)
    def test_of_a_metric_moves_the_way_its_direction_asks_for(self, direction: Direction, figure: Measure) -> None:
        sign = -1.0 if direction is Direction.ABOVE else 1.0
        name = "student_minus_teacher_log_loss"
        claim = Requirement(measurement=name, subpopulation=ALL_ROWS, bound=sign * 0.1, direction=direction)
        ends = sorted((sign * 0.02, sign * 0.06))
        change = stability([claim], [figure(name, sign * 0.04, *ends)]).margin
        assert change is not None
        assert change.to_bound == pytest.approx(sign * 0.06)

    def test_of_a_broken_latency_is_where_its_p_value_turns(self, figure: Measure, below: Claim) -> None:
        claims, measured = (
            [below(STUDENT_P99, 50), below("x", 5)],
            [figure(STUDENT_P99, 60, 58, 63), figure("x", 2, 1, 3)],
        )
        change = stability(claims, measured).margin
        assert change is not None
        assert 50 < change.to_bound < 58
        assert change.outcome is Outcome.INCONCLUSIVE

    def test_of_a_stated_price_is_the_price(self, estimate: Measure, above: Claim) -> None:
        stated = Interval(point=1.5, lower=1.5, upper=1.5, level=1.0, n=1, method="stated")
        change = stability([above(COST, 2)], [estimate(COST, stated)]).margin
        assert change is not None
        assert change.to_bound == pytest.approx(1.5)


def counts_of(*, both: int = 0, student_only: int = 0, teacher_only: int = 0, neither: int = 0) -> PairedCounts:
    return PairedCounts(both=both, student_only=student_only, teacher_only=teacher_only, neither=neither)


def measured_as(name: str, seen: PairedCounts, where: str = ALL_ROWS) -> Measurement:
    value = (difference if name == GAP else retention)(seen, LEVEL)
    return Measurement(name=name, subpopulation=where, unit="", value=value, evidence="e.json", counts=seen)


several = st.lists(
    st.builds(
        counts_of,
        both=st.integers(0, 400),
        student_only=st.integers(0, 40),
        teacher_only=st.integers(0, 60),
        neither=st.integers(1, 60),
    ),
    min_size=1,
    max_size=4,
)


@settings(deadline=None, max_examples=40)
@given(several, st.floats(0.01, 0.3))
def test_the_named_change_of_a_margin_changes_the_outcome_and_a_smaller_one_does_not(
    groups: list[PairedCounts], margin: float
) -> None:
    names = [f"a={number}" for number in range(len(groups))]
    claims = [
        Requirement(measurement=GAP, subpopulation=name, bound=-margin, direction=Direction.ABOVE) for name in names
    ]
    measured = [measured_as(GAP, seen, name) for name, seen in zip(names, groups, strict=True)]
    before, change = outcome_of(claims, measured, CONFIDENCE), alone(claims, measured).margin

    def outcome_at(index: int, bound: float) -> Outcome:
        return outcome_of(with_bound(claims, index, bound), measured, CONFIDENCE)

    if change is not None:
        index = names.index(change.subpopulation)
        assert outcome_at(index, change.to_bound) is change.outcome is not before
    reach = 0.999 if change is None else 0.999 * abs(change.to_bound - change.from_bound)
    for index in range(len(names)):
        for bound in (-margin - reach, -margin + reach):
            if -1 < bound < 0:
                assert outcome_at(index, bound) is before
