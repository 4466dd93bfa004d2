"""Which intervals count as bounds at the confidence asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from evalkit.decision.evidence import Claim, claim_of
from evalkit.decision.requirement import STUDENT_P99, Requirement
from evalkit.stats.interval import Interval
from evalkit.stats.measurement import Measurement

Measure = Callable[..., Measurement]
Asks = Callable[..., Requirement]


@pytest.fixture
def at_level(figure: Measure, below: Asks) -> Callable[[float, float], Claim]:
    def made(level: float, confidence: float) -> Claim:
        measured = figure(STUDENT_P99, 40, 38, 43)
        assert isinstance(measured.value, Interval)
        weighed = dataclasses.replace(measured, value=dataclasses.replace(measured.value, level=level))
        return claim_of(below(STUDENT_P99, 50), weighed, confidence)

    return made


@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.95, 0.975, 0.99, 1 - 1e-4, 1 - 1e-8, 1 - 1e-12])
def test_an_interval_at_twice_the_confidence_less_one_is_one(
    confidence: float, at_level: Callable[[float, float], Claim]
) -> None:
    assert at_level(2.0 * confidence - 1.0, confidence).is_inside
    assert at_level(1.0 - 2.0 * (1.0 - confidence), confidence).is_inside


@pytest.mark.parametrize("confidence", [0.8, 0.95, 1 - 1e-4, 1 - 1e-8, 1 - 1e-12])
def test_one_that_errs_a_hundredth_more_often_is_not(
    confidence: float, at_level: Callable[[float, float], Claim]
) -> None:
    # Also where the error is far below what an absolute tolerance would forgive.
    claim = at_level(1.0 - 2.02 * (1.0 - confidence), confidence)
    assert not claim.is_inside
    assert claim.unusable is not None


def test_the_higher_level_is_always_enough(at_level: Callable[[float, float], Claim]) -> None:
    assert at_level(0.99, 0.95).is_inside
    assert at_level(1.0, 0.95).is_inside


def test_the_reason_names_what_was_reached_and_what_was_asked(at_level: Callable[[float, float], Claim]) -> None:
    assert at_level(0.8, 0.95).unusable == "its interval holds at one-sided 90 %, and 95 % was asked for"
