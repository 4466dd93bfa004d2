"""A candidate leaves the front on evidence alone."""

from __future__ import annotations

from itertools import permutations

import numpy as np

from evalkit.decision.pareto import Candidate, Front, objectives_of, places
from evalkit.quality.with_the_best import differences
from evalkit.stats.interval import Estimate, Interval, NotEstimable

UNKNOWN = NotEstimable(reason="void", n=0)


def interval(point: float, half: float, level: float = 0.9) -> Interval:
    return Interval(point=point, lower=point - half, upper=point + half, level=level, n=100, method="")


def placed(*candidates: tuple[float, dict[str, Estimate]], accuracy_half: float = 0.01) -> list[tuple[Front, tuple]]:
    named = [Candidate(name=str(at), accuracy=a, prices=prices) for at, (a, prices) in enumerate(candidates)]
    pairs = {
        (one, other): interval(named[one].accuracy - named[other].accuracy, accuracy_half)
        for one, other in permutations(range(len(named)), 2)
    }
    return [(each.front, each.by) for each in places(named, pairs)]


def test_better_in_everything_beyond_the_intervals_is_beaten() -> None:
    assert placed((0.90, {"p50_ms": interval(4, 0.2)}), (0.80, {"p50_ms": interval(5, 0.2)})) == [
        (Front.ON, ()),
        (Front.BEATEN, ("0",)),
    ]


def test_what_the_intervals_do_not_bear_out_is_not_shown() -> None:
    near_accuracy = placed((0.805, {"p50_ms": interval(4, 0.2)}), (0.80, {"p50_ms": interval(5, 0.2)}))
    near_latency = placed((0.90, {"p50_ms": interval(4.9, 0.2)}), (0.80, {"p50_ms": interval(5, 0.2)}))
    assert near_accuracy == near_latency == [(Front.ON, ()), (Front.NOT_SHOWN, ("0",))]


def test_more_accurate_and_slower_are_both_on_the_front() -> None:
    ladder = placed((0.90, {"p50_ms": interval(5, 0.1)}), (0.80, {"p50_ms": interval(4, 0.1)}))
    assert [front for front, _ in ladder] == [Front.ON, Front.ON]


def test_a_figure_that_is_missing_shows_nothing() -> None:
    ladder = placed(
        (0.90, {"p50_ms": interval(4, 0.1), "p99_ms": UNKNOWN}),
        (0.80, {"p50_ms": interval(5, 0.1), "p99_ms": interval(9, 0.1)}),
    )
    assert ladder[1] == (Front.NOT_SHOWN, ("0",))


def test_a_stated_price_that_is_the_same_for_all_is_no_objective() -> None:
    stated = interval(100.0, 0.0, level=1.0)
    pair = [
        Candidate(name="a", accuracy=0.9, prices={"usd": stated}),
        Candidate(name="b", accuracy=0.8, prices={"usd": stated}),
    ]
    assert objectives_of(pair) == ()
    cheaper = Candidate(name="c", accuracy=0.85, prices={"usd": interval(80.0, 0.0, level=1.0)})
    assert objectives_of([*pair, cheaper]) == ("usd",)
    assert placed((0.95, {"usd": stated}), (0.80, {"usd": stated}), (0.85, {"usd": cheaper.prices["usd"]})) == [
        (Front.ON, ()),
        (Front.BEATEN, ("0", "2")),
        (Front.ON, ()),
    ]


def test_equal_students_are_seldom_said_to_be_beaten() -> None:
    """Null: five students of the same accuracy, latency and cost, measured with noise."""
    rng, wrong, by_points, ladders = np.random.default_rng(4), 0, 0, 200
    for _ in range(ladders):
        right = rng.random((5, 800)) < 0.9
        latencies, costs = rng.normal(5.0, 0.1, 5), rng.normal(50.0, 1.0, 5)
        named = [
            Candidate(
                name=str(at),
                accuracy=float(right[at].mean()),
                prices={"p50_ms": interval(latencies[at], 0.196), "usd": interval(costs[at], 1.96)},
            )
            for at in range(5)
        ]
        found = places(named, differences(right, None, 1 - 2 * 0.05 / 20))
        wrong += any(each.front is Front.BEATEN for each in found)
        by_points += any(each.front is not Front.ON for each in found)
    print(f"somebody is said to be beaten in {wrong} of {ladders}; by point estimates in {by_points}")  # noqa: T201 - the rate is the evidence
    assert wrong <= 0.02 * ladders
    assert by_points > 0.5 * ladders
