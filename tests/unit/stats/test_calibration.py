"""The one-sided tests at their margin, by enumeration: how often each shows what is not so, at a nominal 5 %.

Score tests are near their level, not below it: small counts move in steps. These bounds are what
the gate may claim of itself; where one of them is tightened or breaks, the documentation changes too.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from evalkit.stats.exact_power import power_above
from evalkit.stats.retention_power import RightRates, power_not_retained, power_retained
from evalkit.stats.sample_size import feasibility_floor, power_not_worse, power_to_fail, rows_for_power

MARGINS = (0.01, 0.02, 0.03, 0.05, 0.08)
DISCORDANCES = (0.02, 0.03, 0.05, 0.08, 0.12, 0.2)
MIXED = [(margin, psi) for margin, psi in itertools.product(MARGINS, DISCORDANCES) if psi > margin]
LOSSES_ONLY = [(margin, margin) for margin in MARGINS if margin in DISCORDANCES]

FEW = [*range(50, 100)]
SOME = [*range(100, 200, 2)]
MANY = [*range(200, 1000, 13), *range(1000, 2001, 100)]
FROM_1000 = [*range(1000, 2001, 40)]


def highest_false_pass(rows: list[int], cases: list[tuple[float, float]]) -> float:
    """The truth is the margin itself; the student is shown not worse all the same."""
    return max(power_not_worse(n, -margin, psi, margin, 0.95) for n, (margin, psi) in itertools.product(rows, cases))


def highest_false_fail(rows: list[int], cases: list[tuple[float, float]]) -> float:
    """The truth is the margin itself; the student is shown to lose more all the same."""
    return max(power_to_fail(n, -margin, psi, margin, 0.95) for n, (margin, psi) in itertools.product(rows, cases))


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "most"), [(FEW, 0.060), (SOME, 0.058), (MANY, 0.055)])
def test_a_student_at_the_margin_passes_about_as_seldom_as_stated(rows: list[int], most: float) -> None:
    assert highest_false_pass(rows, MIXED) <= most


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "most"), [(FEW, 0.070), (SOME, 0.069), (MANY, 0.063), (FROM_1000, 0.055)])
def test_a_student_at_the_margin_that_never_gains_passes_a_little_more_often(rows: list[int], most: float) -> None:
    assert highest_false_pass(rows, LOSSES_ONLY) <= most


@pytest.mark.parametrize("margin", [0.01, 0.02, 0.03, 0.05])
def test_the_worst_of_them_is_no_loss_by_luck_at_the_feasibility_floor(margin: float) -> None:
    """Only b = c = 0 passes there, which has probability (1 − margin)^n, near exp(−z²) = 6.7 %."""
    floor = feasibility_floor(margin, 0.95)
    by_luck = (1 - margin) ** floor
    assert power_not_worse(floor, -margin, margin, margin, 0.95) == pytest.approx(by_luck, abs=1e-9)
    assert 0.067 < by_luck < 0.070


@pytest.mark.slow
def test_false_passes_are_the_rarer_half_of_the_time() -> None:
    errors = [
        power_not_worse(n, -margin, psi, margin, 0.95)
        for n, (margin, psi) in itertools.product([*FEW[::3], *SOME[::6], *MANY[::6]], [*MIXED, *LOSSES_ONLY])
    ]
    assert np.mean(np.array(errors) <= 0.05) > 0.75
    assert np.mean(np.array(errors) <= 0.055) > 0.95
    assert np.mean(errors) < 0.05


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "most"), [([*FEW[::2], *SOME, *MANY[::2]], 0.10), (FROM_1000, 0.067)])
def test_a_student_at_the_margin_itself_fails_up_to_twice_as_often_as_stated_on_few_rows(
    rows: list[int], most: float
) -> None:
    """The score test leans to this side: rare losses are skewed to the right. One claim, before Holm's correction."""
    worst = highest_false_fail(rows, [*MIXED, *LOSSES_ONLY])
    assert 0.05 < worst <= most


@pytest.mark.slow
def test_a_student_as_good_as_its_teacher_fails_less_often_than_stated() -> None:
    """A/A: Δ = 0, whatever the discordance."""
    rows = [*FEW[::2], *SOME[::5], *MANY[::4]]
    cases = itertools.product(rows, MARGINS, DISCORDANCES)
    assert max(power_to_fail(n, 0.0, psi, margin, 0.95) for n, margin, psi in cases) < 0.05


@pytest.mark.parametrize("power", [0.8, 0.9])
@pytest.mark.parametrize(("margin", "discordance"), MIXED[::3])
def test_a_student_as_good_as_its_teacher_passes_on_the_planned_rows_as_often_as_planned(
    margin: float, discordance: float, power: float
) -> None:
    planned = rows_for_power(0.0, discordance, margin, 0.95, power)
    assert planned is not None
    assert power_not_worse(planned, 0.0, discordance, margin, 0.95) >= power


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "kept", "lost"), [([*range(50, 200, 10)], 0.06, 0.09), ([250, 500, 1000], 0.053, 0.08)]
)
def test_a_student_at_the_retention_bar_is_judged_wrongly_about_as_seldom(
    rows: list[int], kept: float, lost: float
) -> None:
    passed, failed = [], []
    for n, teacher, bar, discordance in itertools.product(rows, (0.5, 0.8, 0.95), (0.9, 0.95, 0.98), (0.02, 0.05, 0.1)):
        losses = (discordance + (1 - bar) * teacher) / 2
        rates = RightRates(teacher - losses, discordance - losses, losses)
        if min(rates) < 0 or teacher + rates.student_only > 1:
            continue
        passed.append(power_retained(n, rates, bar, 0.95))
        failed.append(power_not_retained(n, rates, bar, 0.95))
    assert max(passed) <= kept
    assert max(failed) <= lost


def test_error_at_the_margin_rises_to_its_level_with_the_rows() -> None:
    errors = [power_above(n, -0.02, 0.1, -0.02, 0.95) for n in (10_000, 100_000)]
    assert errors == pytest.approx([0.05, 0.05], abs=0.0015)
