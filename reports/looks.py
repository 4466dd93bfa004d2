"""How often the held-out set has been asked before."""

from __future__ import annotations

from collections import Counter

from evalkit.record.looks import LooksReport
from reports import numbers
from reports.states import BROKEN, HOLDS, LOOK, State


def looks_state(looks: LooksReport) -> State:
    """Uncorrected repeated use is worth a look; more looks than planned breaks the promise."""
    if looks.confidence is None:
        return BROKEN
    return LOOK if looks.planned is None and looks.verdicts_before else HOLDS


def looks_text(looks: LooksReport) -> str:
    """How many verdicts the set has given, and what that does to the confidence."""
    return "; ".join([_before(looks), *_plan(looks)])


def _before(looks: LooksReport) -> str:
    before, last = looks.verdicts_before, Counter(str(look.outcomes[-1]) for look in looks.earlier if look.outcomes)
    given = ", ".join(f"{count} {outcome}" for outcome, count in sorted(last.items()))
    counted = f"{numbers.counted(before, 'verdict')} before in this workspace ({given})"
    said = f"these rows have given {counted if before else 'no verdict before in this workspace'}"
    undecided = len(looks.earlier) - before
    return f"{said}; {numbers.counted(undecided, 'look')} came to none" if undecided else said


def _plan(looks: LooksReport) -> list[str]:
    if looks.planned is None:
        return ["no number of looks was planned, so none is corrected for"] if looks.verdicts_before else []
    if looks.confidence is None:
        return [f"this is look {looks.number}, and {looks.planned} were planned: no error is left to spend"]
    said = f"look {looks.number} of {looks.planned} planned ({looks.spending})"
    here, alone = numbers.confidence(looks.confidence), numbers.confidence(looks.asked_confidence)
    return [f"{said}, decided at {here}, so that all of them together err no more often than one at {alone}"]
