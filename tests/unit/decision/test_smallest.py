"""The smallest student that may replace the teacher is named with one error for the whole ladder."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, norm

from evalkit.decision.requirement import SPEED_UP
from evalkit.decision.smallest import Judged, Named, judged, smallest_in_sequence, smallest_of_planned, together
from evalkit.decision.verdict import Outcome, decide
from tests.unit.decision.turning import CONFIDENCE, MUCH_WORSE, SLIGHTLY_WORSE

ERROR = 0.05


def rung(name: str, good: bool, outcome: Outcome, why: str = "why") -> Judged:
    return Judged(name=name, is_good=good, outcome=outcome, why=why)


def test_the_sequence_ends_at_the_first_that_is_not_good_enough() -> None:
    ladder = [
        rung("large", True, Outcome.GO),
        rung("mini", False, Outcome.NO_GO, "lost 9 points"),
        rung("tiny", True, Outcome.GO),
    ]
    named = smallest_in_sequence(ladder)
    assert named.name == "large"
    assert "the next smaller one, mini, is not: lost 9 points" in named.reason


def test_a_large_student_that_is_too_dear_does_not_end_it() -> None:
    ladder = [rung("large", True, Outcome.NO_GO), rung("mini", True, Outcome.GO)]
    assert smallest_in_sequence(ladder).name == "mini"


def test_where_the_last_one_is_open_on_latency_nobody_is_named_in_its_place() -> None:
    ladder = [rung("large", True, Outcome.GO), rung("mini", True, Outcome.INCONCLUSIVE, "p99 is void")]
    named = smallest_in_sequence(ladder)
    assert named.name is None
    assert (
        "mini is the smallest that is shown to be good enough, and its verdict is INCONCLUSIVE: p99 is void"
        in named.reason
    )
    assert "large would be GO if it had been asked alone" in named.reason


@pytest.mark.parametrize(("counts", "good"), [(SLIGHTLY_WORSE, True), (MUCH_WORSE, False)])
@pytest.mark.parametrize("speed_up", [9.0, 1.0])
def test_good_enough_is_about_answers_and_not_about_speed(
    gap, figure, gap_claim, above, counts, good, speed_up
) -> None:
    claims = [gap_claim(), above(SPEED_UP, 2.0)]
    measured = [gap(**counts), figure(SPEED_UP, speed_up, speed_up - 0.1, speed_up + 0.1)]
    found = judged("mini", decide(claims, measured, [], CONFIDENCE))
    assert found.is_good is good
    assert (found.outcome is Outcome.GO) is (good and speed_up > 2)
    assert ("accuracy gap" in found.why) is (not good or speed_up > 2)


def test_planned_looks_need_no_sequence() -> None:
    ladder = [rung("large", False, Outcome.NO_GO), rung("mini", True, Outcome.GO), rung("tiny", False, Outcome.NO_GO)]
    assert smallest_of_planned(ladder).name == "mini"
    assert smallest_of_planned(ladder[:1]).name is None


@pytest.mark.parametrize(
    ("outcomes", "named", "whole"),
    [
        ((Outcome.GO, Outcome.NO_GO), "large", Outcome.GO),
        ((Outcome.NO_GO, Outcome.NO_GO), None, Outcome.NO_GO),
        ((Outcome.NO_GO, Outcome.INCONCLUSIVE), None, Outcome.INCONCLUSIVE),
        ((Outcome.GO, Outcome.NO_GO), None, Outcome.INCONCLUSIVE),
    ],
)
def test_the_whole_is_go_where_somebody_is_named(outcomes, named, whole) -> None:
    ladder = [rung(name, True, outcome) for name, outcome in zip(("large", "mini"), outcomes, strict=True)]
    assert together(ladder, Named(name=named, reason="")) is whole


def ladders(simulations: int, quality: list[float], speed: list[float], seed: int) -> tuple[float, float]:
    """How often an unfit rung is named, by the sequence and by taking the smallest GO at the full error.

    ``quality`` and ``speed`` are distances from the bar in standard errors, largest rung first; 0 is at the bar, and
    unfit. Answers are on the same rows, so that their errors hang together; latencies are measured apart.
    """
    rng, rungs = np.random.default_rng(seed), len(quality)
    unfit = [q <= 0 or s <= 0 for q, s in zip(quality, speed, strict=True)]
    named_unfit = taken_unfit = 0
    half, full = norm.isf(ERROR / 2), norm.isf(ERROR)
    for _ in range(simulations):
        shared = rng.standard_normal()
        answers = np.asarray(quality) + np.sqrt(0.5) * shared + np.sqrt(0.5) * rng.standard_normal(rungs)
        timed = np.asarray(speed) + rng.standard_normal(rungs)
        outcomes = [
            Outcome.GO if a > half and t > half else Outcome.INCONCLUSIVE for a, t in zip(answers, timed, strict=True)
        ]
        named = smallest_in_sequence(
            [rung(str(at), bool(answers[at] > half), outcome) for at, outcome in enumerate(outcomes)]
        ).name
        named_unfit += named is not None and unfit[int(named)]
        passed = [at for at in range(rungs) if answers[at] > full and timed[at] > full]
        taken_unfit += bool(passed) and unfit[passed[-1]]
    return named_unfit / simulations, taken_unfit / simulations


CASES = {
    "four too small, exactly at the bar": ([9.0, 0.0, 0.0, 0.0, 0.0], [9.0] * 5),
    "all exactly too slow": ([9.0] * 5, [0.0] * 5),
    "too slow above, too small below": ([1.6, 1.6, 0.0, 0.0], [0.0, 0.0, 9.0, 9.0]),
    "nobody fit, everybody at the bar": ([0.0] * 5, [0.0] * 5),
}


def hold(simulations: int) -> None:
    worst_taken = 0.0
    for number, (case, (quality, speed)) in enumerate(CASES.items()):
        named, taken = ladders(simulations, quality, speed, seed=number)
        worst_taken = max(worst_taken, taken)
        print(f"{case}: an unfit rung is named in {named:.1%}, taking the smallest GO in {taken:.1%}")  # noqa: T201 - the rate is the evidence
        assert named <= binom.ppf(0.999, simulations, ERROR) / simulations
    assert worst_taken > 0.08


def test_an_unfit_rung_is_named_no_more_often_than_the_error_allows() -> None:
    hold(1500)


@pytest.mark.long
def test_the_same_over_many_ladders() -> None:
    hold(40_000)


def test_a_ladder_of_fit_rungs_has_its_smallest_named() -> None:
    rng, named = np.random.default_rng(1), 0
    for _ in range(300):
        passed = rng.standard_normal(4) + 4.5 > norm.isf(ERROR / 2)
        ladder = [
            rung(str(at), bool(each), Outcome.GO if each else Outcome.INCONCLUSIVE) for at, each in enumerate(passed)
        ]
        named += smallest_in_sequence(ladder).name == "3"
    print(f"the smallest of four fit rungs is named in {named} of 300")  # noqa: T201 - the rate is the evidence
    assert named > 0.95 * 300
