"""What must hold of every verdict."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from scipy.stats import norm

from evalkit.decision.check import CheckOutcome
from evalkit.decision.evidence import claims_of
from evalkit.decision.outcome import outcome_of
from evalkit.decision.requirement import Direction, Requirement
from evalkit.decision.standing import standing_of
from evalkit.decision.verdict import Outcome, Verdict, decide
from evalkit.quality.paired_gap import GAP, RETENTION
from evalkit.stats.interval import Interval, NotEstimable
from evalkit.stats.means import mean_interval
from evalkit.stats.measurement import ALL_ROWS, Measurement
from evalkit.stats.paired_counts import PairedCounts
from evalkit.stats.paired_difference import difference, tango_bounds
from evalkit.stats.quantiles import quantile
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


def gap_claim(where: str, margin: float, **policy: Any) -> Requirement:
    return Requirement(measurement=GAP, subpopulation=where, bound=-margin, direction=Direction.ABOVE, **policy)


REQUIRED: dict[str, Any] = {"required": True}
WATCHED: dict[str, Any] = {"required": False}
MERGED: dict[str, Any] = {"required": False, "merged_into": ALL_ROWS}
SHORT: dict[str, Any] = {"required": True, "rows_short": 7}
policies = st.sampled_from([REQUIRED, WATCHED, MERGED, SHORT])


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


FROM_WORST = (Outcome.NO_GO, Outcome.INCONCLUSIVE, Outcome.GO)


@st.composite
def interval_claims(draw: st.DrawFn, name: str) -> tuple[Requirement, Measurement]:
    """A metric, a latency or a cost: known by its interval alone, or not at all."""
    bound, point = draw(st.floats(0.5, 2.0)), draw(st.floats(0.5, 2.0))
    sides = draw(st.floats(0.0, 0.5)), draw(st.floats(0.0, 0.5))
    value: Interval | NotEstimable = Interval(
        point=point,
        lower=point - sides[0],
        upper=point + sides[1],
        level=draw(st.sampled_from([0.5, LEVEL, 0.99, 1.0])),
        n=draw(st.integers(1, 1000)),
        method="any",
    )
    if draw(st.booleans()) and draw(st.booleans()):
        value = NotEstimable(reason="void", n=0)
    direction = draw(st.sampled_from(Direction))
    return (
        Requirement(measurement=name, subpopulation=ALL_ROWS, bound=bound, direction=direction),
        Measurement(name=name, subpopulation=ALL_ROWS, unit="", value=value, evidence="e.json"),
    )


@st.composite
def whole_gates(draw: st.DrawFn) -> tuple[list[Requirement], list[Measurement]]:
    """Claims of every kind, each with its measurement."""
    seen = draw(st.lists(counts, max_size=4))
    overall = draw(counts)
    pairs = [
        (gap_claim(f"g={index}", draw(margins), **(draw(policies) if index else REQUIRED)), gap(f"g={index}", each))
        for index, each in enumerate(seen)
    ]
    pairs += [(kept_claim(draw(st.floats(0.5, 1.1))), kept(overall))]
    names = ["student_p99_ms", "teacher_over_student_cost", "student_minus_teacher_log_loss"]
    pairs += [draw(interval_claims(name)) for name in names[: draw(st.integers(0, 3))]]
    return [claim for claim, _ in pairs], [measured for _, measured in pairs]


@settings(deadline=None, max_examples=100)
@given(whole_gates(), st.data())
def test_tightening_a_bar_never_makes_the_outcome_better(
    gate: tuple[list[Requirement], list[Measurement]], data: st.DataObject
) -> None:
    claims, measured = gate
    which = data.draw(st.integers(0, len(claims) - 1))
    tighter = data.draw(st.floats(0.001, 0.3)) * (1 if claims[which].direction is Direction.ABOVE else -1)
    tightened = list(claims)
    tightened[which] = dataclasses.replace(claims[which], bound=claims[which].bound + tighter)
    before, after = outcome_of(claims, measured, CONFIDENCE), outcome_of(tightened, measured, CONFIDENCE)
    assert FROM_WORST.index(after) <= FROM_WORST.index(before)


@settings(deadline=None, max_examples=100)
@given(whole_gates(), st.data())
def test_a_further_requirement_never_turns_what_is_no_go_or_open_into_go(
    gate: tuple[list[Requirement], list[Measurement]], data: st.DataObject
) -> None:
    claims, measured = gate
    added = data.draw(st.integers(0, len(claims) - 1))
    without = [claim for index, claim in enumerate(claims) if index != added]
    if any(claim.required for claim in without) and outcome_of(without, measured, CONFIDENCE) is not Outcome.GO:
        assert outcome_of(claims, measured, CONFIDENCE) is not Outcome.GO


@settings(deadline=None, max_examples=100)
@given(whole_gates(), st.data())
def test_taking_a_measurement_away_never_makes_a_go_or_a_no_go(
    gate: tuple[list[Requirement], list[Measurement]], data: st.DataObject
) -> None:
    claims, measured = gate
    which = data.draw(st.integers(0, len(measured) - 1))
    fewer = [each for index, each in enumerate(measured) if index != which]
    before, after = outcome_of(claims, measured, CONFIDENCE), outcome_of(claims, fewer, CONFIDENCE)
    if before is Outcome.INCONCLUSIVE:
        assert after is Outcome.INCONCLUSIVE
    if claims[which].required:
        assert after is not Outcome.GO


@settings(deadline=None, max_examples=30)
@given(whole_gates(), st.randoms(use_true_random=False))
def test_the_order_of_claims_and_measurements_does_not_matter(
    gate: tuple[list[Requirement], list[Measurement]], random: Random
) -> None:
    claims, measured = gate
    shuffled_claims, shuffled = list(claims), list(measured)
    random.shuffle(shuffled_claims)
    random.shuffle(shuffled)
    one, other = decide(claims, measured, [], CONFIDENCE), decide(shuffled_claims, shuffled, [], CONFIDENCE)
    assert one.outcome is other.outcome is outcome_of(claims, measured, CONFIDENCE)
    assert one.recommendation.action is other.recommendation.action
    said = {check.requirement: (check.outcome, check.explanation, check.use_of_margin) for check in one.checks}
    assert said == {
        check.requirement: (check.outcome, check.explanation, check.use_of_margin) for check in other.checks
    }


@settings(deadline=None, max_examples=100)
@given(whole_gates())
def test_what_would_change_the_outcome_starts_from_that_outcome(
    gate: tuple[list[Requirement], list[Measurement]],
) -> None:
    verdict = decide(*gate, [], CONFIDENCE)
    assert standing_of(claims_of(*gate, CONFIDENCE), CONFIDENCE, is_barred=False).outcome is verdict.outcome
    assert verdict.stability is not None
    for change in (verdict.stability.margin, verdict.stability.rows):
        assert change is None or change.outcome is not verdict.outcome


@settings(deadline=None, max_examples=50)
@given(whole_gates())
def test_every_verdict_can_be_written_as_json_and_read_again(
    gate: tuple[list[Requirement], list[Measurement]],
) -> None:
    verdict = decide(*gate, [], CONFIDENCE)
    adapter = TypeAdapter(Verdict)
    written = json.dumps(adapter.dump_python(verdict, mode="json"), allow_nan=False)
    assert adapter.validate_json(written) == verdict


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
        [*claims, gap_claim("watched=1", margin, **WATCHED)],
        [*measured, gap("watched=1", watched)],
        [],
        CONFIDENCE,
    )
    assert (beside.outcome, beside.deciding) == (without.outcome, without.deciding)


@settings(deadline=None, max_examples=100)
@given(several_groups, counts, margins)
def test_a_merged_group_never_makes_a_go_nor_holds_one_open(
    groups: tuple[list[PairedCounts], list[float]], few: PairedCounts, margin: float
) -> None:
    seen, allowed = groups
    claims = [gap_claim(f"g={index}", each) for index, each in enumerate(allowed)]
    measured = [*(gap(f"g={index}", each) for index, each in enumerate(seen)), gap("few=1", few)]
    without = outcome_of(claims, measured, CONFIDENCE)
    beside = outcome_of([*claims, gap_claim("few=1", margin, **MERGED)], measured, CONFIDENCE)
    required = outcome_of([*claims, gap_claim("few=1", margin)], measured, CONFIDENCE)
    assert (beside is Outcome.NO_GO) is (required is Outcome.NO_GO), "it fails where a required one would"
    if beside is not Outcome.NO_GO:
        assert beside is (Outcome.INCONCLUSIVE if without is Outcome.NO_GO else without)


@settings(deadline=None, max_examples=100)
@given(whole_gates(), st.data())
def test_merging_a_group_opens_a_go_at_most_and_hides_no_failure(
    gate: tuple[list[Requirement], list[Measurement]], data: st.DataObject
) -> None:
    claims, measured = gate
    required = [index for index, claim in enumerate(claims) if claim.required]
    which = data.draw(st.sampled_from(required))
    merged = [dataclasses.replace(claim, **MERGED) if index == which else claim for index, claim in enumerate(claims)]
    before, after = decide(claims, measured, [], CONFIDENCE), decide(merged, measured, [], CONFIDENCE)
    assert FROM_WORST.index(after.outcome) >= FROM_WORST.index(before.outcome) or len(required) == 1
    assert (before.outcome is Outcome.NO_GO) is (after.outcome is Outcome.NO_GO)
    failed = [[check.outcome is CheckOutcome.FAILED for check in each.checks] for each in (before, after)]
    assert failed[0] == failed[1]


@settings(deadline=None, max_examples=50)
@given(whole_gates(), st.data())
def test_too_few_rows_for_the_minimum_take_a_go_away_and_nothing_else(
    gate: tuple[list[Requirement], list[Measurement]], data: st.DataObject
) -> None:
    claims, measured = gate
    which = data.draw(st.integers(0, len(claims) - 1))
    short = [dataclasses.replace(each, rows_short=5) if at == which else each for at, each in enumerate(claims)]
    before, after = outcome_of(claims, measured, CONFIDENCE), outcome_of(short, measured, CONFIDENCE)
    assert after is (Outcome.INCONCLUSIVE if before is Outcome.GO and claims[which].required else before)


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

    names = ("a", "harmed", "b")
    claims = [gap_claim(name, margin) for name in names]
    others = [gap("a", same), gap("b", same)]

    @functools.cache
    def is_go(student_only: int, teacher_only: int) -> bool:
        harmed = PairedCounts(
            both=n - student_only - teacher_only, student_only=student_only, teacher_only=teacher_only, neither=0
        )
        return outcome_of(claims, [*others, gap("harmed", harmed)], CONFIDENCE) is Outcome.GO

    drawn = np.random.default_rng(20261124).multinomial(n, at_the_margin, gates)
    rate = sum(is_go(int(row[1]), int(row[2])) for row in drawn) / gates
    assert 0 < rate <= alpha + 0.005 + 3 * math.sqrt(alpha * (1 - alpha) / gates)


@pytest.mark.slow
@pytest.mark.parametrize(("groups", "n"), [(1, 400), (4, 400), (16, 400)])
def test_at_every_bar_at_once_a_false_no_go_is_as_rare_as_promised(groups: int, n: int) -> None:
    """Gaps, a p99, a throughput of nine windows and a mean over rows all lie exactly at their bars, which is where a
    false NO-GO is likeliest: P(NO-GO) ≤ α, up to Monte-Carlo error.

    The order statistics of a skewed latency and the cost of a reciprocal rate are what the reading of a p-value off an
    interval has to stand.
    """
    margin, alpha, gates = 0.05, 1 - CONFIDENCE, 1500
    rng = np.random.default_rng(20261125)
    at_the_bar = [0.8, 0.02, 0.02 + margin, 0.16 - margin]
    claims = [
        *(gap_claim(f"g={index}", margin) for index in range(groups)),
        Requirement(measurement="student_p99_ms", subpopulation=ALL_ROWS, bound=P99, direction=Direction.BELOW),
        Requirement(
            measurement="teacher_over_student_cost", subpopulation=ALL_ROWS, bound=2.0, direction=Direction.ABOVE
        ),
        Requirement(measurement=METRIC, subpopulation=ALL_ROWS, bound=0.1, direction=Direction.BELOW),
    ]

    drawn = rng.multinomial(n, at_the_bar, (gates, groups))
    lower, upper = tango_bounds(drawn[..., 1], drawn[..., 2], n, LEVEL)

    def measured(gate: int) -> list[Measurement]:
        gaps = zip(drawn[gate].tolist(), lower[gate].tolist(), upper[gate].tolist(), strict=True)
        return [
            *(gap_of(f"g={index}", cells, (low, high)) for index, (cells, low, high) in enumerate(gaps)),
            figure("student_p99_ms", quantile(rng.lognormal(2.0, 0.8, 2000), 0.99, LEVEL)),
            figure("teacher_over_student_cost", mean_interval(rng.normal(2.0, 0.1, 9), LEVEL)),
            figure(METRIC, mean_interval(rng.exponential(0.1, 1000), LEVEL)),
        ]

    rate = sum(outcome_of(claims, measured(gate), CONFIDENCE) is Outcome.NO_GO for gate in range(gates)) / gates
    assert 0 < rate <= alpha + 0.005 + 3 * math.sqrt(alpha * (1 - alpha) / gates)


@pytest.mark.slow
@pytest.mark.parametrize(("groups", "n"), [(5, 12), (5, 25), (30, 25)])
def test_merged_groups_that_are_all_at_their_margin_make_a_false_no_go_rarer_than_promised(groups: int, n: int) -> None:
    """Half of the rows differ, 29 % lost and 21 % won at a margin of 8 points: where the score test errs most."""
    margin, alpha, gates = 0.08, 1 - CONFIDENCE, 1500
    same = PairedCounts(both=900, student_only=0, teacher_only=0, neither=100)
    claims = [gap_claim(ALL_ROWS, margin), *(gap_claim(f"g={at}", margin, **MERGED) for at in range(groups))]
    drawn = np.random.default_rng(20261126).multinomial(n, [0.5, 0.21, 0.29, 0.0], (gates, groups))
    lower, upper = tango_bounds(drawn[..., 1], drawn[..., 2], n, LEVEL)
    outcomes = [
        outcome_of(
            claims,
            [gap(ALL_ROWS, same), *(gap_of(f"g={at}", cells[at], (low[at], high[at])) for at in range(groups))],
            CONFIDENCE,
        )
        for cells, low, high in zip(drawn.tolist(), lower.tolist(), upper.tolist(), strict=True)
    ]
    assert set(outcomes) <= {Outcome.GO, Outcome.NO_GO}, "a merged group holds nothing open"
    assert outcomes.count(Outcome.NO_GO) / gates <= alpha


METRIC = "student_minus_teacher_log_loss"
P99 = math.exp(2.0 + 0.8 * float(norm.ppf(0.99)))


def figure(name: str, value: Interval | NotEstimable) -> Measurement:
    return Measurement(name=name, subpopulation=ALL_ROWS, unit="", value=value, evidence="e.json")


def gap_of(where: str, cells: Sequence[int], ends: tuple[float, float]) -> Measurement:
    seen = PairedCounts(both=cells[0], student_only=cells[1], teacher_only=cells[2], neither=cells[3])
    point = (seen.student_only - seen.teacher_only) / seen.n
    value = Interval(point=point, lower=ends[0], upper=ends[1], level=LEVEL, n=seen.n, method="Tango")
    return Measurement(name=GAP, subpopulation=where, unit="", value=value, evidence="e.json", counts=seen)
