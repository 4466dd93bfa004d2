"""Truths that the gate is tried against: no difference, exactly at one claim's bar, at every bar at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from evalkit.decision.requirement import Requirement
from evalkit.planning.atoms import Atoms
from evalkit.planning.rates import Rates, with_accuracy, with_difference
from evalkit.planning.simulated_gate import BOTH, STUDENT_ONLY, TEACHER_ONLY, Rules
from evalkit.quality.paired_gap import GAP
from evalkit.stats.exact_power import power_above

MOST_SCENARIOS = 50
ROUNDING = 1e-9

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class Truth(StrEnum):
    """What is true of the student."""

    ALIKE = "no true difference"
    ASSUMED = "the assumed difference"
    AT_ONE_BAR = "at the bar of one claim"
    AT_EVERY_BAR = "at the bar everywhere"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """``chances`` [changed, 4] of the atoms ``changed``; every other atom is as in the first scenario. ``claim`` is
    the number of the claim that lies at its bar, None where it is not one."""

    truth: Truth
    claim: int | None
    changed: IntArray
    chances: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What all scenarios share: the gate's rules, the atoms of the rows, and what is expected of each."""

    rules: Rules
    atoms: Atoms
    rates: tuple[Rates, ...]

    @property
    def claims(self) -> tuple[Requirement, ...]:
        return self.rules.claims

    def atoms_of(self, claim: Requirement) -> IntArray:
        """The atoms that a claim speaks of."""
        return self.atoms.of_group(self.rules.place[claim.subpopulation])


def alike(setting: Setting) -> Scenario:
    """Student and teacher are equally good, and disagree as often as is expected."""
    return _everywhere(setting, Truth.ALIKE, [0.0] * len(setting.rates))


def as_assumed(setting: Setting, difference: float) -> Scenario:
    """The difference that was assumed, in every atom."""
    return _everywhere(setting, Truth.ASSUMED, [difference] * len(setting.rates))


def at_one_bar(setting: Setting, claim: int) -> Scenario:
    """One claim's rows are exactly as bad as it allows; everywhere else there is no difference."""
    stated = setting.claims[claim]
    changed = setting.atoms_of(stated)
    chances = np.stack([_at_bar(stated, setting.rates[atom]).chances for atom in changed])
    return Scenario(truth=Truth.AT_ONE_BAR, claim=claim, changed=changed, chances=chances)


def at_every_bar(setting: Setting) -> Scenario:
    """Every atom is as bad as the strictest claim on it allows: no claim is broken, and all are close to it."""
    strictest = [-1.0] * len(setting.rates)
    for claim in setting.claims:
        for atom in setting.atoms_of(claim):
            strictest[atom] = max(strictest[atom], _at_bar(claim, setting.rates[atom]).difference)
    return _everywhere(setting, Truth.AT_EVERY_BAR, strictest)


def most_erring(setting: Setting, expected: Sequence[Rates]) -> tuple[int, ...]:
    """The claims to put at their bar: all that can pass or, of more than 50, those whose own test errs most by exact
    enumeration (claims about retention always), in the order of the spec. ``expected`` has each claim's rates."""
    sizes = [int(setting.atoms.sizes[setting.atoms_of(claim)].sum()) for claim in setting.claims]
    can_pass = setting.rules.needed & setting.rules.has_rows & (np.array(sizes) > 0)
    possible = [int(index) for index in np.flatnonzero(can_pass)]
    if len(possible) <= MOST_SCENARIOS:
        return tuple(possible)
    error = {index: _own_error(setting, index, sizes[index], expected[index]) for index in possible}
    return tuple(sorted(sorted(possible, key=lambda index: -error[index])[:MOST_SCENARIOS]))


def true_sides(setting: Setting, scenario: Scenario, base: Scenario) -> tuple[bool, bool]:
    """Whether a GO would be false (some claim that it needs is not above its bar) and whether a NO-GO would be (no
    claim is below its bar). Exactly at a bar both are."""
    chances = base.chances.copy()
    chances[scenario.changed] = scenario.chances
    expected = setting.atoms.members @ (chances * setting.atoms.sizes[:, None])
    above = np.array(
        [_true_excess(claim, expected[setting.rules.place[claim.subpopulation]]) for claim in setting.claims]
    )
    return bool(above[setting.rules.needed].min() <= ROUNDING), bool(above.min() >= -ROUNDING)


def _everywhere(setting: Setting, truth: Truth, differences: Sequence[float]) -> Scenario:
    rates = [with_difference(each, difference) for each, difference in zip(setting.rates, differences, strict=True)]
    return Scenario(
        truth=truth,
        claim=None,
        changed=np.arange(len(rates), dtype=np.int64),
        chances=np.stack([each.chances for each in rates]),
    )


def _at_bar(claim: Requirement, rates: Rates) -> Rates:
    """Rates at which ``claim`` is exactly at its bar."""
    if claim.measurement == GAP:
        return with_difference(rates, claim.bound)
    bar, accuracy = claim.bound, rates.teacher_accuracy
    # Where student = bar · teacher, the discordance leaves the teacher this much room.
    lowest = rates.discordance / (1.0 + bar)
    highest = min((2.0 - rates.discordance) / (1.0 + bar), 1.0 / bar, 1.0)
    accuracy = min(max(accuracy, lowest), highest)
    return with_accuracy(rates, accuracy, (bar - 1.0) * accuracy)


def _true_excess(claim: Requirement, expected: FloatArray) -> float:
    """How far the truth lies above the bar, in shares of the group's rows."""
    if expected.sum() == 0:
        return math.inf  # no rows, so nothing is true or false of them
    student, teacher = expected[BOTH] + expected[STUDENT_ONLY], expected[BOTH] + expected[TEACHER_ONLY]
    if claim.measurement == GAP:
        return float((student - teacher) / expected.sum() - claim.bound)
    return float((student - claim.bound * teacher) / expected.sum())


def _own_error(setting: Setting, index: int, n: int, rates: Rates) -> float:
    claim = setting.claims[index]
    if claim.measurement != GAP:
        return 1.0
    at_bar = with_difference(rates, claim.bound)
    return power_above(n, claim.bound, at_bar.discordance, claim.bound, setting.rules.confidence)
