"""'Some claim is broken' is tested over all required paired claims at once: Holm (1979)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from evalkit.decision.check import CheckOutcome, check_all
from evalkit.decision.requirement import STUDENT_P99, Requirement
from evalkit.decision.verdict import Outcome, decide
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


def test_a_latency_fails_on_its_own_bound_however_many_groups_there_are(
    gap: Measure, figure: Measure, gap_claim: Claim, below: Claim
) -> None:
    names = [f"a={number}" for number in range(50)]
    claims = [below(STUDENT_P99, 50.0), *map(gap_claim, names)]
    measured = [figure(STUDENT_P99, 52, 50.1, 54), *(gap(name, **SAME) for name in names)]
    verdict = decide(claims, measured, [], 0.95)
    assert verdict.outcome is Outcome.NO_GO
    assert verdict.checks[0].outcome is CheckOutcome.FAILED


def test_passing_needs_no_correction_however_many_groups_there_are(gap: Measure, gap_claim: Claim) -> None:
    # Intersection–union: each claim at its own one-sided level; 52 rows are the floor for 5 %.
    names = [f"a={number}" for number in range(100)]
    verdict = decide([*map(gap_claim, names)], [gap(name, both=52) for name in names], [], 0.95)
    assert verdict.outcome is Outcome.GO
