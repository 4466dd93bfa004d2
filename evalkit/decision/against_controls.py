"""What the controls say about distilling at all: advice beside the verdict, which it never changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.quality.controls import ControlLine, ControlsReport
from evalkit.spec.controls import HARD_LABELS, TEACHER_ARGMAX, TFIDF, TRAINED
from evalkit.stats.distillation_gain import ENOUGH_SEEDS, Gained, gained
from evalkit.stats.interval import Interval

INSTEAD = {
    TFIDF: "deploy that",
    HARD_LABELS: "train it on your labels, which needs no teacher",
    TEACHER_ARGMAX: "its probabilities add nothing, {objective: answers} is enough",
}
FINISHED = "deploy that, as it comes"
CHEAPEST_FIRST = (TFIDF, HARD_LABELS, TEACHER_ARGMAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """``do_not_distil`` where a control is shown to be as good; otherwise no gain is shown over some control."""

    do_not_distil: bool
    text: str


def advice(report: ControlsReport) -> Advice | None:
    """What to do instead of distilling, the cheapest first; None where the student is shown to be better than every
    control that could be measured."""
    as_good = as_good_as_the_student(report)
    if as_good:
        first, others = as_good[0], [f"{line.what} ({seen(line)})" for line in as_good[1:]]
        how = "better" if standing(report, first) is Gained.BEHIND else "as good"
        said = f"{first.what} is {how} ({seen(first)}): {INSTEAD.get(first.name, FINISHED)}"
        besides = f"; also as good or better: {', '.join(others)}" if others else ""
        return Advice(do_not_distil=True, text=said + besides + _of_how_many(report, as_good))
    still_open = _standing(report, {Gained.OPEN})
    if not still_open:
        return None
    said = " and ".join(f"{line.what} ({seen(line)})" for line in still_open)
    text = f"the student is not shown to be better than {said}"
    return Advice(do_not_distil=False, text=text + _of_how_many(report, still_open))


def as_good_as_the_student(report: ControlsReport) -> list[ControlLine]:
    """The controls that are shown to be as good or better, the cheapest first."""
    return _standing(report, {Gained.AS_GOOD, Gained.BEHIND})


def seen(line: ControlLine) -> str:
    """The gain in points with its interval, in words."""
    assert isinstance(line.gain, Interval)
    lower, point, upper = (100 * each for each in (line.gain.lower, line.gain.point, line.gain.upper))
    return f"gain {point:+.1f} points, {lower:+.1f} to {upper:+.1f}".replace("-", "−")


def standing(report: ControlsReport, line: ControlLine) -> Gained:
    """What is shown of the student against this control."""
    assert line.gain is not None
    return gained(line.gain, report.worth)


def _standing(report: ControlsReport, wanted: set[Gained]) -> list[ControlLine]:
    found = [line for line in report.controls if standing(report, line) in wanted]
    return sorted(found, key=lambda line: CHEAPEST_FIRST.index(line.name) if line.name in CHEAPEST_FIRST else 0)


def _of_how_many(report: ControlsReport, lines: Sequence[ControlLine]) -> str:
    """What few trainings cannot say."""
    if not report.taught or report.seeds >= ENOUGH_SEEDS or not any(line.name in TRAINED for line in lines):
        return ""
    trainings = "one training" if report.seeds == 1 else f"{report.seeds} trainings"
    more = f"give controls: {{against: […], seeds: {ENOUGH_SEEDS}}} or more"
    return f" ({trainings} each, and other seeds may differ: {more})"
