"""How fragile a verdict is: what would have had to be a little otherwise for another one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evalkit.decision.family import counts_of
from evalkit.decision.margin_change import MarginChange, smallest_margin_change
from evalkit.decision.outcome import Outcome
from evalkit.decision.row_flips import RowFlips, fewest_row_flips
from evalkit.decision.standing import Standing
from evalkit.decision.wording import name_of_measured, stated


@dataclass(frozen=True, slots=True, kw_only=True)
class Stability:
    """The smallest change of one claim's margin, and the fewest answers of the student on the rows of one claim, that
    would change the outcome, all other claims held fixed. Where there is none, ``no_margin`` and ``no_rows`` say
    why."""

    margin: MarginChange | None
    rows: RowFlips | None
    no_margin: str | None = None
    no_rows: str | None = None


def stability_of(standing: Standing) -> Stability:
    """What would change the outcome that ``standing`` has."""
    margin, rows = smallest_margin_change(standing), fewest_row_flips(standing)
    why = _why_none(standing)
    return Stability(
        margin=margin,
        rows=rows,
        no_margin=None if margin else why or "no margin that can be stated would change the outcome",
        no_rows=None if rows else why or _why_no_rows(standing),
    )


def _why_none(standing: Standing) -> str | None:
    if not standing.claims:
        return "nothing was required"
    enough = int(standing.is_enough.sum())
    if standing.outcome is Outcome.NO_GO and enough > 1:
        return f"{enough} claims are each shown to be broken, so no change of one of them is enough"
    return None


def _why_no_rows(standing: Standing) -> str:
    turning = np.flatnonzero(standing.is_enough) if standing.outcome is Outcome.NO_GO else range(len(standing.claims))
    if all(counts_of(standing.claims[int(index)]) is None for index in turning):
        return "no claim that could change the outcome is tested on counted rows"
    return "no number of answers on the rows of one claim would change the outcome"


def sentences(stability: Stability) -> tuple[str, str]:
    """What change of a margin, and what answers, would have changed the outcome; or why none would."""
    margin, rows = stability.margin, stability.rows
    return (
        f"No change of one margin: {stability.no_margin}." if margin is None else _margin_sentence(margin),
        f"No other answers of the student: {stability.no_rows}." if rows is None else _rows_sentence(rows),
    )


def _margin_sentence(change: MarginChange) -> str:
    return (
        f"{change.outcome} with {stated(change.measurement, change.to_bound)} instead of "
        f"{stated(change.measurement, change.from_bound)} as the bar of "
        f"{name_of_measured(change.measurement, change.subpopulation, change.units)} ({100 * change.share:.3g} % of "
        "its margin), all other claims held fixed."
    )


def _rows_sentence(flips: RowFlips) -> str:
    return (
        f"{flips.outcome} had the student been {flips.student_is} on {flips.rows:,} more of the {flips.of_rows:,} "
        f"{flips.units} behind {name_of_measured(flips.measurement, flips.subpopulation, flips.units)} (the teacher is "
        f"right on {flips.teacher_right:,} of them), all other claims held fixed."
    )
