"""What must hold of every verdict."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.decision.check import CheckOutcome
from evalkit.decision.requirement import Direction, Requirement
from evalkit.decision.verdict import Outcome, Verdict, decide
from evalkit.quality.paired_gap import GAP, RETENTION
from evalkit.stats.interval import Interval, NotEstimable
from evalkit.stats.measurement import ALL_ROWS, Measurement
from evalkit.stats.paired_counts import PairedCounts
from evalkit.stats.paired_difference import difference
from evalkit.stats.retention import retention
from evalkit.stats.sample_size import feasibility_floor

CONFIDENCE, LEVEL = 0.95, 0.90

counts = st.builds(
    PairedCounts,
    both=st.integers(0, 3000),
    student_only=st.integers(0, 300),
    teacher_only=st.integers(0, 300),
    neither=st.integers(0, 500),
)
margins = st.floats(0.002, 0.5)


def gap(where: str, seen: PairedCounts) -> Measurement:
    return Measurement(
        name=GAP, subpopulation=where, unit="", value=difference(seen, LEVEL), evidence="evidence.json", counts=seen
    )


def kept(seen: PairedCounts) -> Measurement:
    return Measurement(
        name=RETENTION, subpopulation=ALL_ROWS, unit="", value=retention(seen, LEVEL), evidence="e.json", counts=seen
    )


def gap_claim(where: str, margin: float, *, required: bool = True) -> Requirement:
    return Requirement(
        measurement=GAP, subpopulation=where, bound=-margin, direction=Direction.ABOVE, required=required
    )


def kept_claim(bar: float) -> Requirement:
    return Requirement(measurement=RETENTION, subpopulation=ALL_ROWS, bound=bar, direction=Direction.ABOVE)


def verdict_of(groups: Sequence[PairedCounts], allowed: Sequence[float]) -> Verdict:
    names = [f"group={number}" for number in range(len(groups))]
    claims = [gap_claim(name, margin) for name, margin in zip(names, allowed, strict=True)]
    return decide(claims, [gap(name, seen) for name, seen in zip(names, groups, strict=True)], [], CONFIDENCE)


several_groups = st.integers(1, 5).flatmap(
    lambda size: st.tuples(
        st.lists(counts, min_size=size, max_size=size), st.lists(margins, min_size=size, max_size=size)
    )
)


@settings(deadline=None, max_examples=30)
@given(several_groups, st.data())
def test_tightening_a_margin_never_turns_no_go_into_go(
    groups: tuple[list[PairedCounts], list[float]], data: st.DataObject
) -> None:
    seen, allowed = groups
    tightened = list(allowed)
    which = data.draw(st.integers(0, len(allowed) - 1))
    tightened[which] = data.draw(st.floats(0.001, allowed[which]))
    before, after = verdict_of(seen, allowed).outcome, verdict_of(seen, tightened).outcome
    if before is Outcome.NO_GO:
        assert after is not Outcome.GO
    if after is Outcome.GO:
        assert before is Outcome.GO


@settings(deadline=None, max_examples=30)
@given(several_groups)
def test_a_go_means_that_every_bound_lies_inside_its_margin(groups: tuple[list[PairedCounts], list[float]]) -> None:
    verdict = verdict_of(*groups)
    inside = [
        isinstance(each.value, Interval) and each.value.lower > -margin
        for each, margin in zip((gap("", seen) for seen in groups[0]), groups[1], strict=True)
    ]
    assert (verdict.outcome is Outcome.GO) is all(inside)


@settings(deadline=None, max_examples=30)
@given(several_groups)
def test_a_no_go_means_that_some_upper_bound_lies_beyond_its_margin(
    groups: tuple[list[PairedCounts], list[float]],
) -> None:
    for check in verdict_of(*groups).checks:
        if check.outcome is CheckOutcome.FAILED:
            assert check.measurement is not None
            assert isinstance(check.measurement.value, Interval)
            assert check.measurement.value.upper < check.requirement.bound + 1e-9


@settings(deadline=None, max_examples=30)
@given(several_groups, counts, st.randoms(use_true_random=False))
def test_the_verdict_does_not_depend_on_the_order_of_the_measurements(
    groups: tuple[list[PairedCounts], list[float]], overall: PairedCounts, random: object
) -> None:
    seen, allowed = groups
    claims = [kept_claim(0.95), *(gap_claim(f"g={index}", margin) for index, margin in enumerate(allowed))]
    measured = [kept(overall), *(gap(f"g={index}", each) for index, each in enumerate(seen))]
    shuffled = list(measured)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert decide(claims, shuffled, [], CONFIDENCE) == decide(claims, measured, [], CONFIDENCE)


@settings(deadline=None, max_examples=30)
@given(st.floats(0.005, 0.5), st.integers(0, 2000), st.floats(0, 1))
def test_identical_answers_pass_from_the_feasibility_floor_on_and_not_below(
    margin: float, beyond: int, accuracy: float
) -> None:
    floor = feasibility_floor(margin, CONFIDENCE)
    for n, outcome in ((floor + beyond, Outcome.GO), (floor - 1, Outcome.INCONCLUSIVE)):
        both = round(accuracy * n)
        same = PairedCounts(both=both, student_only=0, teacher_only=0, neither=n - both)
        assert verdict_of([same], [margin]).outcome is outcome


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 2000), st.integers(0, 200), st.integers(1, 1000), st.floats(0.01, 0.2), st.floats(0.5, 0.99))
def test_a_student_that_is_right_more_often_on_five_thousand_rows_passes_every_quality_claim(
    gained: int, lost: int, neither: int, margin: float, bar: float
) -> None:
    gained = max(gained, lost)
    better = PairedCounts(both=5000 - gained - lost - neither, student_only=gained, teacher_only=lost, neither=neither)
    verdict = decide([gap_claim("g=1", margin), kept_claim(bar)], [gap("g=1", better), kept(better)], [], CONFIDENCE)
    assert verdict.outcome is Outcome.GO


@settings(deadline=None, max_examples=30)
@given(several_groups, counts, margins)
def test_a_watched_group_never_changes_the_outcome(
    groups: tuple[list[PairedCounts], list[float]], watched: PairedCounts, margin: float
) -> None:
    seen, allowed = groups
    claims = [gap_claim(f"g={index}", each) for index, each in enumerate(allowed)]
    measured = [gap(f"g={index}", each) for index, each in enumerate(seen)]
    without = decide(claims, measured, [], CONFIDENCE)
    beside = decide(
        [*claims, gap_claim("watched=1", margin, required=False)],
        [*measured, gap("watched=1", watched)],
        [],
        CONFIDENCE,
    )
    assert (beside.outcome, beside.deciding) == (without.outcome, without.deciding)


estimates = st.one_of(
    st.builds(NotEstimable, reason=st.just("void"), n=st.integers(0, 99), n_needed=st.none() | st.integers(0, 999)),
    st.tuples(*[st.floats(allow_nan=True, allow_infinity=True)] * 3).map(
        lambda ends: Interval(point=ends[0], lower=ends[1], upper=ends[2], level=LEVEL, n=100, method="any")
    ),
)


@given(estimates, st.sampled_from(Direction), st.floats(0.01, 1e6))
def test_whatever_was_measured_gets_an_answer_and_only_a_bound_on_the_right_side_gets_a_go(
    value: Interval | NotEstimable, direction: Direction, bound: float
) -> None:
    claim = Requirement(measurement="student_p99_ms", subpopulation=ALL_ROWS, bound=bound, direction=direction)
    measured = Measurement(name="student_p99_ms", subpopulation=ALL_ROWS, unit="ms", value=value, evidence="e.json")
    passes = isinstance(value, Interval) and (
        value.lower > bound if direction is Direction.ABOVE else value.upper < bound
    )
    go = decide([claim], [measured], [], CONFIDENCE).outcome is Outcome.GO
    assert passes or not go


@pytest.mark.slow
@pytest.mark.parametrize(("n", "discordance"), [(150, 0.08), (300, 0.07)])
def test_at_the_margin_in_one_group_a_false_go_is_as_rare_as_promised(n: int, discordance: float) -> None:
    """True Δ = −δ in one of three groups, identical answers in the others: P(GO) ≤ α, up to Monte-Carlo error.

    Tango's test is nominal only in large samples, so half a percent is granted beside three standard errors.
    """
    margin, alpha, gates = 0.05, 1 - CONFIDENCE, 2000
    at_the_margin = [0.8, (discordance - margin) / 2, (discordance + margin) / 2, 0.2 - discordance]
    same = PairedCounts(both=900, student_only=0, teacher_only=0, neither=100)

    @functools.cache
    def is_go(student_only: int, teacher_only: int) -> bool:
        harmed = PairedCounts(
            both=n - student_only - teacher_only, student_only=student_only, teacher_only=teacher_only, neither=0
        )
        return verdict_of([same, harmed, same], [margin] * 3).outcome is Outcome.GO

    drawn = np.random.default_rng(20261124).multinomial(n, at_the_margin, gates)
    rate = sum(is_go(int(row[1]), int(row[2])) for row in drawn) / gates
    assert 0 < rate <= alpha + 0.005 + 3 * math.sqrt(alpha * (1 - alpha) / gates)
