"""'Some claim is broken' is tested over all required claims at once: Holm (1979)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import pytest
from scipy.stats import norm, ttest_1samp

from evalkit.decision.check import CheckOutcome, check_all
from evalkit.decision.evidence import claim_of
from evalkit.decision.family import p_broken
from evalkit.decision.requirement import STUDENT_P99, Requirement
from evalkit.decision.verdict import Outcome, decide
from evalkit.stats.interval import Interval
from evalkit.stats.means import mean_interval
from evalkit.stats.measurement import Measurement
from evalkit.stats.paired_counts import PairedCounts
from evalkit.stats.paired_difference import p_worse
from evalkit.stats.retention import p_retention_below

Measure = Callable[..., Measurement]
Claim = Callable[..., Requirement]

ALPHA = 0.05
# 34 of 500 lost where 25 may be: about (34 − 25) / sqrt(500 · 0.05 · 0.95) = 1.85 standard errors beyond.
MARGINAL = {"both": 400, "teacher_only": 34, "neither": 66}
SAME = {"both": 450, "neither": 50}


@pytest.fixture
def marginal_p() -> float:
    return p_worse(PairedCounts(student_only=0, **MARGINAL), margin=0.05)


def test_the_marginal_failure_is_significant_alone_and_not_among_ten(marginal_p: float) -> None:
    assert ALPHA / 10 < marginal_p < ALPHA


def test_a_marginal_failure_alone_is_a_no_go(gap: Measure, gap_claim: Claim) -> None:
    assert decide([gap_claim("a=0")], [gap("a=0", **MARGINAL)], [], 0.95).outcome is Outcome.NO_GO


def test_a_lone_marginal_failure_among_ten_groups_is_inconclusive(gap: Measure, gap_claim: Claim) -> None:
    names = [f"a={number}" for number in range(10)]
    measured = [gap(name, **(MARGINAL if name == "a=3" else SAME)) for name in names]
    verdict = decide([gap_claim(name) for name in names], measured, [], 0.95)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert [check.outcome for check in verdict.checks].count(CheckOutcome.OPEN) == 1


def test_a_clear_failure_among_ten_groups_is_a_no_go(gap: Measure, gap_claim: Claim) -> None:
    names = [f"a={number}" for number in range(10)]
    broken = {"both": 350, "teacher_only": 70, "neither": 80}
    measured = [gap(name, **(broken if name == "a=3" else SAME)) for name in names]
    assert decide([gap_claim(name) for name in names], measured, [], 0.95).outcome is Outcome.NO_GO


def test_holm_steps_down_so_that_a_clear_failure_frees_the_next_one(
    marginal_p: float, gap: Measure, gap_claim: Claim
) -> None:
    # Two claims: Bonferroni would ask both for p ≤ 0.025; Holm asks the larger only for p ≤ 0.05.
    assert ALPHA / 2 < marginal_p < ALPHA
    claims = [gap_claim("a=1"), gap_claim("a=2")]
    measured = [gap("a=1", both=350, teacher_only=70, neither=80), gap("a=2", **MARGINAL)]
    assert [check.outcome for check in check_all(claims, measured, 0.95)] == [CheckOutcome.FAILED] * 2


def test_watched_groups_neither_join_the_family_nor_are_corrected_for_it(gap: Measure, gap_claim: Claim) -> None:
    names = [f"a={number}" for number in range(10)]
    claims = [gap_claim("all"), *(gap_claim(name, required=False) for name in names)]
    measured = [gap("all", **MARGINAL), *(gap(name, **(MARGINAL if name == "a=3" else SAME)) for name in names)]
    verdict = decide(claims, measured, [], 0.95)
    assert verdict.outcome is Outcome.NO_GO
    assert [check.requirement.subpopulation for check in verdict.checks if check.outcome is CheckOutcome.FAILED] == [
        "all",
        "a=3",
    ]


def test_retention_belongs_to_the_family(gap: Measure, kept: Measure, gap_claim: Claim, above: Claim) -> None:
    lost = {"both": 370, "teacher_only": 30, "neither": 100}  # 92.5 % kept
    retained = kept(**lost)
    assert ALPHA / 10 < p_retention_below(PairedCounts(student_only=0, **lost), 0.95) < ALPHA
    claim = above(retained.name, 0.95)
    names = [f"a={number}" for number in range(9)]
    others = [gap(name, **SAME) for name in names]
    assert decide([claim], [retained], [], 0.95).outcome is Outcome.NO_GO
    assert decide([claim, *map(gap_claim, names)], [retained, *others], [], 0.95).outcome is Outcome.INCONCLUSIVE


class TestOfClaimsThatAreKnownByTheirIntervalAlone:
    """Latency, cost and metrics belong to the family too: their p-value is read off the interval."""

    def test_a_latency_just_beyond_its_limit_fails_alone_and_not_among_fifty_groups(
        self, gap: Measure, figure: Measure, gap_claim: Claim, below: Claim
    ) -> None:
        names = [f"a={number}" for number in range(50)]
        p99, groups = figure(STUDENT_P99, 52, 50.1, 54), [gap(name, **SAME) for name in names]
        assert decide([below(STUDENT_P99, 50.0)], [p99], [], 0.95).outcome is Outcome.NO_GO
        together = decide([below(STUDENT_P99, 50.0), *map(gap_claim, names)], [p99, *groups], [], 0.95)
        assert together.outcome is Outcome.INCONCLUSIVE
        assert together.checks[0].outcome is CheckOutcome.OPEN

    def test_a_latency_far_beyond_its_limit_fails_among_fifty_groups(
        self, gap: Measure, figure: Measure, gap_claim: Claim, below: Claim
    ) -> None:
        names = [f"a={number}" for number in range(50)]
        measured = [figure(STUDENT_P99, 60, 58, 63), *(gap(name, **SAME) for name in names)]
        verdict = decide([below(STUDENT_P99, 50.0), *map(gap_claim, names)], measured, [], 0.95)
        assert verdict.outcome is Outcome.NO_GO
        assert verdict.checks[0].outcome is CheckOutcome.FAILED

    @pytest.mark.parametrize(("claimed", "ends"), [(11.0, (8.0, 10.9)), (7.0, (7.1, 9.0))], ids=["above", "below"])
    def test_an_end_at_the_bar_has_exactly_the_error_of_the_interval(
        self, claimed: float, ends: tuple[float, float], figure: Measure, above: Claim, below: Claim
    ) -> None:
        claim = above("x", claimed) if claimed > ends[1] else below("x", claimed)
        at_the_bar = figure("x", 8.0, *ends, n=9)
        bar = ends[1] if claimed > ends[1] else ends[0]
        nearest = dataclasses.replace(claim, bound=math.nextafter(bar, claimed))
        (p_value,) = p_broken([claim_of(nearest, at_the_bar, 0.95)])
        assert p_value == pytest.approx(0.05, rel=1e-6)

    @pytest.mark.parametrize("values", [[1.0, 2.0, 4.0, 3.5], [9.0, 9.5, 10.0, 8.0, 9.9, 9.1, 9.2, 8.8, 9.4]])
    def test_of_a_mean_is_that_of_the_t_test(self, values: list[float], estimate: Measure, above: Claim) -> None:
        measured = estimate("x", mean_interval(values, 0.9))
        bar = measured.value.upper + 1.5  # type: ignore[union-attr]
        (p_value,) = p_broken([claim_of(above("x", bar), measured, 0.95)])
        assert p_value == pytest.approx(ttest_1samp(values, bar, alternative="less").pvalue)

    def test_of_a_bootstrap_of_many_rows_is_close_to_the_normal(self, figure: Measure, above: Claim) -> None:
        # Altman & Bland 2011: z = distance ÷ standard error, the interval being 2 · 1.645 standard errors wide.
        measured = figure("student_minus_teacher_macro_f1", -0.05, -0.05 - 0.01645, -0.05 + 0.01645, n=5000)
        (p_value,) = p_broken([claim_of(above(measured.name, -0.02), measured, 0.95)])
        assert p_value == pytest.approx(norm.sf(3.0), rel=0.02)

    @pytest.mark.parametrize("few", [2, 3, 9])
    def test_the_fewer_units_stand_behind_an_interval_the_more_cautious_it_is(
        self, few: int, figure: Measure, above: Claim
    ) -> None:
        def p_of(n: int) -> float:
            return float(p_broken([claim_of(above("x", 3.0), figure("x", 1.0, 0.5, 1.5, n=n), 0.95)])[0])

        assert 0.05 > p_of(few) > p_of(few + 1) > p_of(1000)

    def test_a_stated_price_is_certain(self, estimate: Measure, above: Claim) -> None:
        stated = Interval(point=1.5, lower=1.5, upper=1.5, level=1.0, n=1, method="stated price")
        claims = [claim_of(above("saving", bar), estimate("saving", stated), 0.95) for bar in (1.4, 1.5, 1.6)]
        assert p_broken(claims).tolist() == [1.0, 1.0, 0.0]

    def test_an_interval_without_width_or_beside_its_point_gives_no_more_than_its_own_level(
        self, figure: Measure, above: Claim
    ) -> None:
        # Order statistics may tie, and a corrected bootstrap may leave its point: nothing is to be extrapolated.
        for point, lower, upper in ((1.0, 1.0, 1.0), (2.0, 0.5, 1.5)):
            (p_value,) = p_broken([claim_of(above("x", 100.0), figure("x", point, lower, upper), 0.95)])
            assert p_value == pytest.approx(0.05)

    def test_an_interval_of_too_low_a_level_breaks_nothing(self, figure: Measure, below: Claim) -> None:
        measured = figure(STUDENT_P99, 60, 58, 63)
        low = dataclasses.replace(measured, value=dataclasses.replace(measured.value, level=0.5))
        assert decide([below(STUDENT_P99, 50)], [measured], [], 0.95).outcome is Outcome.NO_GO
        assert decide([below(STUDENT_P99, 50)], [low], [], 0.95).outcome is Outcome.INCONCLUSIVE


def test_the_family_is_what_the_spec_requires_whether_measured_or_not(gap: Measure, gap_claim: Claim) -> None:
    names = [f"a={number}" for number in range(10)]
    assert decide([gap_claim("a=0")], [gap("a=0", **MARGINAL)], [], 0.95).outcome is Outcome.NO_GO
    beside_unmeasured = decide([*map(gap_claim, names)], [gap("a=0", **MARGINAL)], [], 0.95)
    assert beside_unmeasured.outcome is Outcome.INCONCLUSIVE


def test_passing_needs_no_correction_however_many_groups_there_are(gap: Measure, gap_claim: Claim) -> None:
    # Intersection–union: each claim at its own one-sided level; 52 rows are the floor for 5 %.
    names = [f"a={number}" for number in range(100)]
    verdict = decide([*map(gap_claim, names)], [gap(name, both=52) for name in names], [], 0.95)
    assert verdict.outcome is Outcome.GO
