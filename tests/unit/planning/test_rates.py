from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.planning.assumptions import Assumptions
from evalkit.planning.rates import NOTHING, Observed, overall_rates, rates_of, with_difference
from tests.unit.planning.asking import observed


def answers(n: int, differing: int) -> Observed:
    """A teacher that is right on every second row, and a student that differs from it on the first rows."""
    teacher = np.arange(n) % 2 == 0
    return observed(teacher, np.where(np.arange(n) < differing, ~teacher, teacher))


def test_without_answers_everything_is_assumed() -> None:
    overall = overall_rates(NOTHING, Assumptions(discordance=0.2, teacher_accuracy=0.8))
    group = rates_of(NOTHING, np.arange(10), overall)
    assert (group.discordance, group.teacher_accuracy, group.discordance_from) == (0.2, 0.8, "assumed")


def test_a_small_group_is_shrunk_toward_all_rows_and_says_so() -> None:
    """No discordant row among 100, of 10 % overall: (0 + 100 · 0.1)/(100 + 100) = 5 %."""
    seen = answers(1000, 100)
    overall = overall_rates(seen, Assumptions())
    assert (overall.discordance, overall.discordance_from) == (0.1, "observed")
    group = rates_of(seen, np.arange(900, 1000), overall)
    assert group.discordance == 0.05
    assert group.discordance_from == "observed, shrunk toward all rows (own rows weigh 50%)"


def test_a_large_group_keeps_what_was_seen_in_it() -> None:
    seen = answers(20_000, 1000)
    group = rates_of(seen, np.arange(10_000), overall_rates(seen, Assumptions()))
    assert group.discordance_from == "observed"
    assert 0.099 < group.discordance <= 0.1


def test_models_that_never_differed_are_not_taken_for_the_same() -> None:
    assert overall_rates(answers(500, 0), Assumptions()).discordance == pytest.approx(1 / 500)


def test_a_teacher_alone_gives_its_accuracy_and_leaves_the_discordance_assumed() -> None:
    seen = Observed(source="a test", teacher=np.arange(100) < 70, student=None)
    overall = overall_rates(seen, Assumptions(discordance=0.1))
    assert (overall.teacher_accuracy, overall.discordance, overall.own_weight) == (0.7, 0.1, None)


def test_a_loss_beyond_the_discordance_raises_it() -> None:
    overall = overall_rates(NOTHING, Assumptions(discordance=0.05))
    worse = with_difference(overall, -0.08)
    assert (worse.discordance, worse.difference) == (0.08, -0.08)
    assert worse.chances.tolist() == pytest.approx([0.82, 0.0, 0.08, 0.1])


@given(st.floats(-0.5, 0.5), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_the_four_chances_are_a_distribution_with_the_stated_difference(
    difference: float, discordance: float, accuracy: float
) -> None:
    rates = with_difference(
        overall_rates(NOTHING, Assumptions(discordance=discordance, teacher_accuracy=accuracy)), difference
    )
    both, gained, lost, neither = rates.chances
    assert min(both, gained, lost, neither) >= 0
    assert both + gained + lost + neither == pytest.approx(1.0)
    assert gained - lost == pytest.approx(difference, abs=1e-9)
