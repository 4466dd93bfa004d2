from __future__ import annotations

import pytest

from evalkit.errors import SpecError
from evalkit.planning.assumptions import accuracies, assume


def test_without_a_word_the_models_are_equally_good_and_differ_on_a_tenth_of_the_rows() -> None:
    assumed = assume(0.0, 0.1, None, None)
    assert (assumed.difference, assumed.discordance, assumed.teacher_accuracy) == (0.0, 0.1, 0.9)


def test_a_bar_on_the_teacher_makes_it_half_way_better_than_the_bar() -> None:
    assert assume(0.0, 0.04, None, 0.92).teacher_accuracy == pytest.approx(0.96)


def test_the_discordance_bounds_what_the_teacher_can_be() -> None:
    """With ψ = 0.3 and Δ = 0 the student alone is right on 0.15 of the rows, where the teacher is wrong."""
    assert accuracies(0.0, 0.3) == (0.15, 0.85)
    assert assume(0.0, 0.3, None, None).teacher_accuracy == 0.85


@pytest.mark.parametrize(
    ("difference", "discordance", "accuracy", "said"),
    [
        (0.0, 1.2, None, "--discordance is 1.2"),
        (0.0, float("nan"), None, "--discordance is nan"),
        (-0.2, 0.1, None, "--difference is -0.2; it cannot exceed --discordance 0.1"),
        (0.0, 0.1, 0.99, "--teacher-accuracy is 0.99; with --discordance 0.1 and --difference 0 it lies from 0.05"),
        (0.0, 0.1, float("nan"), "--teacher-accuracy is nan"),
        (float("nan"), 0.1, None, "--difference is nan"),
    ],
)
def test_assumptions_that_cannot_be_true_together_are_refused(
    difference: float, discordance: float, accuracy: float | None, said: str
) -> None:
    with pytest.raises(SpecError) as refused:
        assume(difference, discordance, accuracy, None)
    assert said in str(refused.value)
