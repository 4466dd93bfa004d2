"""Checks as rows of the margin plot: clipped to the axis, with the numbers beside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.decision.check import Check, CheckOutcome, UseOfMargin
from evalkit.decision.requirement import METRIC_GAP, Requirement
from evalkit.quality.outside import as_counted
from evalkit.quality.paired_gap import GAP
from evalkit.stats.measurement import ALL_ROWS
from reports.claims import estimate_text_of, reason_without_share, worst_first
from reports.naming import bound_text, claim_name, estimate_text, quantity, where
from reports.states import CHECKS, State
from reports.words import one_line, shortened

LEFT, RIGHT = -1.0, 3.0
MOST_ROWS = 30
MOST_NAMED = 8
LABEL_CHARACTERS, NUMBERS_CHARACTERS = 40, 52


@dataclass(frozen=True, slots=True, kw_only=True)
class PlotRow:
    """One bar, clipped to the axis. ``tested`` is the end that was compared with the bar."""

    label: str
    numbers: str
    state: State
    point: float
    point_is_seen: bool
    lower: float
    upper: float
    tested: float
    beyond_left: bool
    beyond_right: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlotRows:
    """What is drawn, how many more there are, and the checks that have nothing to draw."""

    rows: tuple[PlotRow, ...]
    left_out: int
    without: tuple[tuple[str, str], ...]
    without_left_out: int


def plot_rows(checks: Sequence[Check]) -> PlotRows:
    """The worst 30 checks that can be drawn, and the first 8 of those that cannot."""
    ranked = worst_first(checks)
    drawn = [_row(check, check.use_of_margin) for check in ranked if check.use_of_margin is not None]
    without = [(_name(check), reason_without_share(check)) for check in ranked if check.use_of_margin is None]
    return PlotRows(
        rows=tuple(drawn[:MOST_ROWS]),
        left_out=max(0, len(drawn) - MOST_ROWS),
        without=tuple(without[:MOST_NAMED]),
        without_left_out=max(0, len(without) - MOST_NAMED),
    )


def _row(check: Check, use: UseOfMargin) -> PlotRow:
    tested = use.lower if check.outcome is CheckOutcome.FAILED else use.upper
    watched = "" if check.requirement.can_break else " (watched)"
    return PlotRow(
        label=shortened(_name(check), LABEL_CHARACTERS - len(watched)) + watched,
        numbers=_numbers(check),
        state=CHECKS[check.outcome],
        point=_clip(use.point),
        point_is_seen=LEFT <= use.point <= RIGHT,
        lower=_clip(use.lower),
        upper=_clip(use.upper),
        tested=_clip(tested),
        beyond_left=use.lower < LEFT,
        beyond_right=use.upper > RIGHT,
    )


def _name(check: Check) -> str:
    claim = check.requirement
    if _is_metric(claim):
        return f"{one_line(claim.measurement.removeprefix(METRIC_GAP))}, {where(claim.subpopulation, claim.units)}"
    is_of_group = claim.measurement == GAP and claim.subpopulation != ALL_ROWS
    return f"Gap, {where(claim.subpopulation, claim.units)}" if is_of_group else claim_name(claim)


def _numbers(check: Check) -> str:
    """What was measured and the bar; a metric's unit only where it does not push the bar out of sight."""
    claim, measured = check.requirement, check.measurement
    if measured is None or not _is_metric(claim):
        return f"{estimate_text_of(check)}, {bound_text(claim)}"
    bar = f"bar {quantity(claim.measurement).stated(claim.bound)}"
    said = f"{estimate_text_of(check)}, {bar}"
    return said if len(said) <= NUMBERS_CHARACTERS else f"{estimate_text(claim.measurement, measured.value)}, {bar}"


def _is_metric(claim: Requirement) -> bool:
    return claim.measurement.startswith(METRIC_GAP) and as_counted(claim.measurement) != GAP


def _clip(value: float) -> float:
    return min(max(value, LEFT), RIGHT)
