"""What a learning curve says, in sentences: for the terminal and for its page."""

from __future__ import annotations

from collections.abc import Iterator

from evalkit.record.curve_record import CurveRecord
from evalkit.stats.curve_points import ENOUGH_SEEDS
from evalkit.stats.interval import Interval
from evalkit.stats.learning_curve import FAR, HORIZON, MISFIT, Answer, RowsNeeded
from reports.numbers import count, percent, points, probability, significant, stated, stated_points


def size_lines(record: CurveRecord) -> list[tuple[str, str, str]]:
    """Share, rows and gap of every size."""
    return [
        (f"{stated(100 * share)} %", count(point.rows), gap_text(point.gap))
        for share, point in zip(record.shares, record.reading.points, strict=True)
    ]


def gap_text(gap: Interval) -> str:
    """A gap in percentage points with its interval."""
    return f"{points(gap.point)} ({points(gap.lower)} to {points(gap.upper)})"


def answer_text(record: CurveRecord) -> str:
    """The answer, in one or two sentences."""
    reading, needed = record.reading, record.reading.needed
    bar, largest = f"the bar of {stated_points(record.bar)} points", reading.points[-1]
    if reading.answer is Answer.MET:
        return (
            f"{bar.capitalize()} is met with {count(largest.rows)} rows: the gap is {gap_text(largest.gap)} points. No "
            "more rows are needed for it."
        )
    if not isinstance(needed, RowsNeeded):
        return f"Not known: {needed.reason}."
    if needed.point is not None and needed.point <= largest.rows:
        return (
            f"Near {bar} already: the fitted curve comes to it at {rows_text(record, needed)}, but the gap of "
            f"{gap_text(largest.gap)} points with {count(largest.rows)} rows does not show that it is met."
        )
    if needed.point is not None:
        times = significant(needed.point / largest.rows)
        return (
            f"{rows_text(record, needed).capitalize()} bring the gap to {bar}: {times} × the {count(largest.rows)} "
            f"trained on here.{_at_least(needed)}"
        )
    return f"{_not_reached(record, needed, bar)}{_at_least(needed)}"


def _not_reached(record: CurveRecord, needed: RowsNeeded, bar: str) -> str:
    asymptote = record.reading.asymptote
    assert asymptote is not None
    if asymptote.point <= record.bar:
        level = gap_text(asymptote)
        return f"By the fitted curve not by more rows alone: it levels off at {level} points, short of {bar}."
    return (
        f"Not within {HORIZON} × the rows at hand by the fitted curve: at {count(needed.horizon)} rows it has not come "
        f"to {bar}."
    )


def _at_least(needed: RowsNeeded) -> str:
    """What an open interval leaves: a number of rows below which it is not."""
    if needed.upper is not None:
        return ""
    if needed.lower is None:
        return f" Nor does the interval: all of it lies beyond {count(needed.horizon)} rows."
    return f" It takes {count(needed.lower)} at least; that any number is enough is not shown."


def rows_text(record: CurveRecord, needed: RowsNeeded) -> str:
    """The rows needed with their interval, open where it lies outside of what may be said."""
    smallest = record.reading.points[0].rows
    if needed.upper is not None and needed.upper <= smallest:
        return f"{count(smallest)} training rows or fewer"
    beyond = f"more than {count(needed.horizon)}"
    lower = beyond if needed.lower is None else count(needed.lower)
    lower += " or fewer" if needed.lower is not None and needed.lower <= smallest else ""
    upper = beyond if needed.upper is None else count(needed.upper)
    interval = lower if lower == upper else f"{lower} to {upper}"
    point = "no number within the horizon of" if needed.point is None else f"about {count(needed.point)}"
    return f"{point} training rows ({interval})"


def caveats(record: CurveRecord) -> Iterator[str]:
    """What the answer rests on, and what it does not say."""
    yield from _draws(record)
    yield from _far(record)
    yield from _trend(record)
    yield from _to_show(record)
    yield from _seeds(record)
    yield _measured(record)
    yield from _teacher(record)
    yield (
        f"Every size is trained as gate.yaml says ({record.trained_for}), as it would be with more rows; a row is one "
        f"like the {count(record.rows_at_hand)} at hand, {percent(record.unlabelled / record.rows_at_hand, 0)} of them "
        "without a true label."
    )


def _to_show(record: CurveRecord) -> Iterator[str]:
    """A student at the bar is as good as allowed, and is not shown to be."""
    needed = record.reading.needed_to_show
    if needed is None or record.shown_from is None:
        return
    yield (
        f"At the bar itself the gate passes a student only once in {count(1 / (1 - record.confidence))} times. To be "
        f"shown with 80 % power on {count(record.held_out_rows)} independent held-out rows the gap must be "
        f"{points(record.shown_from)} points: {rows_text(record, needed)}."
    )


def _draws(record: CurveRecord) -> Iterator[str]:
    needed = record.reading.needed
    if isinstance(needed, RowsNeeded) and record.reading.answer is not Answer.MET:
        yield (
            f"In {percent(needed.never, 0)} of the draws of the points the curve never comes to the bar, however many "
            f"rows; intervals hold at {percent(needed.level, 0)}, {needed.method}."
        )


def _far(record: CurveRecord) -> Iterator[str]:
    needed, largest = record.reading.needed, record.reading.points[-1].rows
    if not isinstance(needed, RowsNeeded) or record.reading.answer is Answer.MET:
        return
    ends = [each for each in (needed.point, needed.lower, needed.upper) if each is not None]
    farthest = max(ends, default=0) if needed.upper is not None else needed.horizon
    if farthest > largest:
        warning = f", and beyond {FAR} × nobody knows that it still is one" if farthest > FAR * largest else ""
        yield (
            f"That is extrapolated to {significant(farthest / largest)} × the rows trained on, by a power law with an "
            f"asymptote{warning}."
        )


def _trend(record: CurveRecord) -> Iterator[str]:
    reading = record.reading
    yield f"Over the sizes of the curve twice the rows change the gap by {gap_text(reading.per_doubling)} points."
    if reading.misfit_p is not None:
        lie = "do not lie" if reading.misfit_p < MISFIT else "are not shown to lie off"
        where = "on" if reading.misfit_p < MISFIT else ""
        yield f"The points {lie} {where} the fitted curve (p {probability(reading.misfit_p)}).".replace("  ", " ")
    left_out = [count(each.rows) for each in reading.points if not each.fitted]
    if left_out:
        yield (
            f"Not fitted: {', '.join(left_out)} rows, on which the student is not shown to answer better than the "
            "commonest label would."
        )


def _seeds(record: CurveRecord) -> Iterator[str]:
    trained = len(record.seeds)
    if trained < ENOUGH_SEEDS:
        yield (
            f"{trained} training{'s' * (trained > 1)} a size: other trainings and other rows of the same size may give "
            f"another curve, and no interval counts that; --seeds {ENOUGH_SEEDS} does."
        )


def _measured(record: CurveRecord) -> str:
    on = record.measured_on
    clusters = f" in {count(on.units)} clusters by {on.clustered_by}" if on.clustered_by else ""
    return (
        f"Measured on {count(on.rows)} labelled rows{clusters} of {on.source} that no student of the curve learnt "
        "from. The held-out set is not scored, so that no look at it is used; the measured rows must resemble it."
    )


def _teacher(record: CurveRecord) -> Iterator[str]:
    here, elsewhere = record.measured_on.teacher, record.teacher_elsewhere
    if elsewhere is not None:
        both = (
            f"{percent(here.point)} ({percent(here.lower)} to {percent(here.upper)}) of them, and on "
            f"{percent(elsewhere.accuracy.point)} ({percent(elsewhere.accuracy.lower)} to "
            f"{percent(elsewhere.accuracy.upper)}) of the held-out rows (run {elsewhere.run})"
        )
        if elsewhere.known and not elsewhere.taken:
            yield f"The teacher is right on {both}: it has learnt the measured rows, and hands that on to its student."
        elif elsewhere.taken:
            yield (
                f"The teacher is right on {both}: it has learnt the measured rows. The gaps are therefore against its "
                "accuracy on the held-out rows, which that run has, and not paired by row."
            )
        else:
            yield f"The teacher is right on {both}: it is not shown to know the measured rows better."
    elif record.measured_on.source == "data.train":
        said = f"The teacher is right on {percent(here.point)} of them. If it has learnt data.train, that is too good"
        if record.starts_from_teacher:
            yield (
                f"{said}, and so is the student that starts from its weights: the gaps are then of no use. Give "
                "labelled rows that the teacher has not seen by --measure-on; after `evalkit check` this is found out."
            )
        else:
            yield (
                f"{said}, and the gaps are too wide: run `evalkit check` first (its accuracy on the held-out rows is "
                "then taken), or give labelled rows that it has not seen by --measure-on."
            )
